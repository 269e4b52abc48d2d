"""The examples of docs/migration.md run as they stand there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator, Iterator
from datetime import timedelta
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from durable_ext import DFApp, DurableClient
from durable_ext.functions.stand_in import NAME

from ..functions.attached import attached
from ..functions.classic_folders import FOLDERS, write
from .pages import DOCS, fences

PAGE = "migration.md"
SOON = timedelta(seconds=20)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    ours = ("__app__", "shared_code", "durable_ext.drop_in")
    for name in [name for name in sys.modules if name.startswith((NAME, *ours))]:
        del sys.modules[name]


def played(number: int, names: dict[str, Any]) -> dict[str, Any]:
    """The names of an example, run after what `names` has already."""
    fence = [found for found in fences(PAGE) if found.language == "python"][number]
    code = compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec", dont_inherit=True)
    FunctionType(code, names)()
    return names


def outcome(app: Any, name: str, given: Any = None) -> Any:
    async def run() -> Any:
        async with attached(app) as host:
            client: Any = host.client
            instance_id = await client.start(name, given)
            return (await client.wait_for_completion(instance_id, SOON)).output

    return asyncio.run(run())


def test_the_import() -> None:
    names = played(0, {"__name__": __name__})
    assert outcome(names["app"], "hello") == ["Hello Tokyo!", "Hello London!"]


def test_imports_as_they_are() -> None:
    names = played(1, {"__name__": __name__})
    assert names["df"].__name__ == NAME
    assert outcome(names["app"], "plain") == "Hello you!"


def test_the_classic_model(tmp_path: Path) -> None:
    file = write(tmp_path, {name: FOLDERS[name] for name in ("Chain", "Hello")})
    names = played(2, {"__name__": __name__, "__file__": str(file)})
    assert outcome(names["app"], "Chain") == ["Hello Tokyo!", "Hello Oslo!"]


def test_custom_classes() -> None:
    names = played(3, played(0, {"__name__": __name__}))
    app: DFApp = names["money_app"]

    @app.activity_trigger(input_name="money")
    def double(money: Any) -> Any:
        return names["Money"](2 * money.cents)

    @app.orchestration_trigger(context_name="context")
    def main(context: Any) -> Generator[Any, Any, int]:
        money: Any = yield context.call_activity("double", names["Money"](21))
        return money.cents

    assert None not in (double, main)
    assert outcome(app, "main") == 42


def test_unit_tests() -> None:
    played(4, played(0, {"__name__": __name__}))["test_hello"]()


def test_a_client_is_what_functions_get() -> None:
    assert issubclass(played(0, {"__name__": __name__})["df"].DurableOrchestrationClient, DurableClient)
