"""Journals, withdrawals and claims on the Azure provider, call by call: what a fault leaves, what a verb costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import pytest

from durable_ext.providers.azure_storage.client import StorageClient
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.journal import Journal
from durable_ext.testing.conformance import samples
from durable_ext.testing.injection import InjectedFaultError
from durable_ext.testing.storage_double import StorageDouble

from .account import ID, PROCESS, WAYS, Account, Before, again, never, run

CLAIMED = "old-0-0"


# Journals


@pytest.mark.parametrize("way", WAYS)
def test_a_write_that_failed_is_whole_when_repeated(way: str) -> None:
    async def main(account: Account) -> None:
        for provider in account.faulty(way):
            for one in (account.journal("a"), account.journal("b"), account.journal("c", 0), account.journal("d")):
                assert await again(lambda provider=provider, one=one: provider.write_journal(one))
                assert await account.journals() == [one]
            await account.provider.delete_journal(PROCESS)
            assert (await account.rows(), await account.blobs()) == ([], [])

    run(main)


@pytest.mark.parametrize("way", WAYS)
def test_a_replacement_that_failed_is_whole_or_nothing(way: str) -> None:
    async def main(account: Account) -> None:
        old, new = account.journal("a"), account.journal("b")
        for provider in account.faulty(way):
            await account.provider.write_journal(old)

            async def replace(provider: AzureStorageProvider = provider) -> bool:
                (kept,) = await account.provider.journals()
                assert kept.journal in (old, new)
                return kept.journal == new or await provider.write_journal(new, replacing=kept.etag)

            assert await again(replace)
            assert await account.journals() == [new]
            await account.provider.delete_journal(PROCESS)
            assert (await account.rows(), await account.blobs()) == ([], [])

    run(main)


@pytest.mark.parametrize("way", WAYS)
def test_a_deletion_that_failed_goes_on(way: str) -> None:
    async def main(account: Account) -> None:
        for provider in account.faulty(way):
            for letter in ("a", "b"):  # each by a provider of its own, so that both blobs are there
                await account.on(account.double).write_journal(account.journal(letter))
            with suppress(InjectedFaultError):
                await provider.delete_journal(PROCESS)
            # As long as a blob is left there is a row that says so.
            assert await account.rows() or not await account.blobs()
            await account.provider.delete_journal(PROCESS)
            assert (await account.rows(), await account.blobs()) == ([], [])

    run(main)


def test_blobs_of_earlier_writes_do_not_pile_up() -> None:
    async def main(account: Account) -> None:
        for letter in "abcdefgh":
            await account.provider.write_journal(account.journal(letter))
            assert len(await account.blobs()) == 1
        await account.provider.write_journal(account.journal("a", 0))
        assert await account.blobs() == []

    run(main)


def test_messages_that_are_gone_or_damaged_make_a_journal_empty() -> None:
    async def main(account: Account) -> None:
        await account.provider.write_journal(account.journal("a"))
        (name,), container = await account.blobs(), account.provider.names.blobs
        await account.double.put_blob(container, name, b"no gzip")
        assert await account.journals() == [account.journal("a", 0)]
        await account.double.delete_blob(container, name)
        assert await account.journals() == [account.journal("a", 0)]
        (row,) = await account.rows()
        unknown = {key: value for key, value in row.items() if key != "MessagesBlob"} | {
            "Messages": '{"durable":{"v":9}}'
        }
        await account.double.put_entity(account.provider.names.history, unknown)
        (found,) = await account.journals()
        assert found.messages == ()

    run(main)


@pytest.mark.parametrize("number", range(6))
def test_a_journal_that_is_written_or_deleted_while_it_is_read(number: int) -> None:
    async def main(account: Account) -> None:
        old, new = account.journal("a"), account.journal("b")
        await account.provider.write_journal(old)
        reader = account.on(cast(StorageClient, Before(account.double, number, lambda: _written(account, new))))
        assert [kept.journal for kept in await reader.journals()] in ([old], [new])

        async def delete() -> None:
            await account.provider.delete_journal(PROCESS)

        await account.provider.write_journal(old)
        reader = account.on(cast(StorageClient, Before(account.double, number, delete)))
        # Between its blobs and its row it is an empty one, when the reader is as fast as that.
        assert [kept.journal for kept in await reader.journals()] in ([old], [account.journal("a", 0)], [])

    run(main)


async def _written(account: Account, one: Journal) -> None:
    assert await account.provider.write_journal(one)


# Claims


@pytest.mark.parametrize("way", WAYS)
def test_a_claim_that_failed_is_found_when_repeated(way: str) -> None:
    async def main(account: Account) -> None:
        for number, provider in enumerate(account.faulty(way)):
            item = f"item-{number}"
            assert await again(lambda provider=provider, item=item: provider.claim(ID, item, "host-1"))
            assert not await again(lambda provider=provider, item=item: provider.claim(ID, item, "host-2"))

    run(main)


def test_a_claim_that_goes_while_it_is_read_back_is_nobodys() -> None:
    async def main(account: Account) -> None:
        row = await samples.ended(account.store, samples.execution(ID))
        await account.provider.claim(ID, CLAIMED, "host-1")
        late = Before(account.double, 1, lambda: account.provider.purge(row))
        assert not await account.on(cast(StorageClient, late)).claim(ID, CLAIMED, "host-2")
        assert late.calls == {"insert_entity": 1, "read_entity": 1}

    run(main)


# What each verb costs


@pytest.mark.parametrize(
    ("what", "calls"),
    [
        ("write", {"put_entity": 1}),
        ("write long", {"put_blob": 1, "put_entity": 1}),
        ("write long again", {"put_blob": 1, "put_entity": 1, "delete_blob": 1}),
        ("replace", {"read_entity": 1, "replace_entity": 1}),
        ("delete", {"list_blobs": 1, "delete_entity": 1}),
        ("read", {"query_entities": 1}),
        ("withdraw 500", {"put_entity": 1}),
        ("withdrawn", {"query_entities": 1}),
        ("claim", {"insert_entity": 1}),
        ("claim lost", {"insert_entity": 1, "read_entity": 1}),
        ("oldest work", {"peek_message": 1}),
    ],
)
def test_calls_of_a_verb(what: str, calls: dict[str, int]) -> None:
    async def main(account: Account) -> None:
        counting = Before(StorageDouble(account.clock), -1, never)
        provider = account.on(cast(StorageClient, counting))
        await provider.create_hub()
        short, long = account.journal("a", 0), account.journal("a")
        await provider.claim(ID, "taken", "host-2")
        await provider.write_journal(account.journal("b") if what == "write long again" else short)
        (kept,) = await provider.journals()
        verbs: dict[str, Callable[[], Awaitable[Any]]] = {
            "write": lambda: provider.write_journal(short),
            "write long": lambda: provider.write_journal(long),
            "write long again": lambda: provider.write_journal(long),
            "replace": lambda: provider.write_journal(short, replacing=kept.etag),
            "delete": lambda: provider.delete_journal(PROCESS),
            "read": provider.journals,
            "withdraw 500": lambda: provider.withdraw([f"{n:032x}-1f-{n:x}" for n in range(500)], account.clock()),
            "withdrawn": lambda: provider.withdrawn(account.clock()),
            "claim": lambda: provider.claim(ID, "free", "host-1"),
            "claim lost": lambda: provider.claim(ID, "taken", "host-1"),
            "oldest work": provider.oldest_work,
        }
        counting.calls.clear()
        await verbs[what]()
        assert counting.calls == calls

    run(main)
