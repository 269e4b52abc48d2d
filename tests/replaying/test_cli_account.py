"""`durable replay` on a hub in a storage account: pages, payloads in blobs, and that nothing is written."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, redirect_stdout
from typing import Any, cast

import pytest

from durable_ext.errors import StorageUnavailableError
from durable_ext.host.cli import main
from durable_ext.host.exit_codes import ExitCode
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.testing.storage_double import StorageDouble

from ..replay.events import NOON
from .command import Line
from .hubs import ALL, Store, fill, registry_in


class Account:
    """A hub in a storage account that refuses to be written to; small pages."""

    def __init__(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        self.double = StorageDouble(lambda: NOON, page_rows=2)
        line.where = "azure"
        monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
        monkeypatch.setattr("durable_ext.host.storage.opened", self._opened)

    def provider(self) -> AzureStorageProvider:
        return AzureStorageProvider("", "Hub", 1, client=self.double)

    async def prepare(self, line: Line) -> None:
        store = self.provider()
        await store.create_hub()
        await fill(cast("Store", store), registry_in(line.app))
        for name in dir(self.double):
            if name.startswith(("create_", "insert_", "put_", "replace_", "delete_", "update_")):
                setattr(self.double, name, _refuse)

    def replace(self, name: str, call: Callable[..., Any]) -> None:
        setattr(self.double, name, call)

    @asynccontextmanager
    async def _opened(self, _: Any) -> AsyncGenerator[AzureStorageProvider]:
        yield self.provider()


def _refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("nothing may be written")


@pytest.fixture
def account(empty: Line, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(empty, monkeypatch)


def test_a_storage_account(empty: Line, account: Account) -> None:
    asyncio.run(account.prepare(empty))
    code, found, _ = empty.json("--all-executions")
    assert code == ExitCode.OK
    assert set(found) == ALL
    empty.change(("len(text) > 1000", "len(text) > 1_000_000"))
    assert empty.verdicts("--quiet") == {"long": "differs"}


def test_verdicts_come_while_others_are_read(empty: Line, account: Account) -> None:
    """A page of a hub is read when the instances of the one before are dealt with."""
    asyncio.run(account.prepare(empty))
    real, printed = account.double.query_entities, list[int]()
    output = io.StringIO()
    table = account.provider().names.instances

    async def counted(*arguments: Any) -> Any:
        if arguments[0] == table:
            printed.append(len(output.getvalue().splitlines()))
        return await real(*arguments)

    account.replace("query_entities", counted)
    with redirect_stdout(output):
        assert main(["replay", "--app", str(empty.app), "--storage", "azure"]) == ExitCode.OK
    assert len(printed) >= 5
    assert printed == sorted(set(printed))


def test_a_payload_that_is_gone(empty: Line, account: Account) -> None:
    asyncio.run(account.prepare(empty))

    async def gone(*_: Any) -> None:
        return None

    account.replace("get_blob", gone)
    code, found, totals = empty.json()
    assert code == ExitCode.FAILURE
    assert totals == {"ok": 9, "differs": 0, "unchecked": 1}
    assert "the history is damaged" in found["long"]["reason"]


def test_a_storage_account_that_does_not_answer(empty: Line, account: Account) -> None:
    asyncio.run(account.prepare(empty))

    async def unavailable(*_: Any) -> None:
        raise StorageUnavailableError("storage does not answer")

    account.replace("get_blob", unavailable)
    code, output = empty.run()
    assert code == ExitCode.NO_STORAGE
    assert "checked:" not in output


def test_a_hub_that_is_not_in_the_account(empty: Line, account: Account) -> None:
    assert empty.run()[0] == ExitCode.NOT_FOUND
    assert "there is no task hub 'Hub'" in empty.errors
