"""Journals, withdrawals and claims on the Azure provider, call by call: what a fault leaves, what a verb costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

import pytest

from durable_ext.providers.azure_storage.client import Continuation, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.names import HUB_KEY, PROCESSES_KEY
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.instance import InstanceRow
from durable_ext.records.journal import Journal
from durable_ext.records.messages import FinishTask
from durable_ext.records.payloads import Payload, inline
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance import Store, samples
from durable_ext.testing.injection import Fault, InjectedFaultError
from durable_ext.testing.storage_double import FaultyStorageClient, StorageDouble
from durable_ext.testing.virtual_time import VirtualClock

T = TypeVar("T")

ID, PROCESS, CLAIMED = "order-1", "host-1/42", "old-0-0"
# More calls than any verb makes here.
MOST_CALLS = 30
WAYS = {"before": (Fault.BEFORE, False), "lost": (Fault.AFTER, False), "repeated": (Fault.AFTER, True)}


class Account:
    """One account, and a provider that works."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.double = StorageDouble(clock, page_rows=2, page_blobs=2)
        self.provider = self.on(self.double)
        self.store = Store(self.provider, self.provider, self.provider, pass_time=_never, clock=clock)

    def on(self, client: StorageClient) -> AzureStorageProvider:
        return AzureStorageProvider("", "Hub", 4, clock=self.clock, client=client)

    def faulty(self, way: str) -> Iterator[AzureStorageProvider]:
        """Providers whose first, second ... call fails, and at last one that made fewer."""
        fault, repeats = WAYS[way]
        for number in range(MOST_CALLS):

            def plan(_call: str, at: int, number: int = number) -> Fault:
                return fault if at == number else Fault.NONE

            client = FaultyStorageClient(self.double, plan, repeats=repeats)  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
            yield self.on(client)
            if len(client.calls) <= number:
                return
        raise AssertionError("that makes more calls than expected")

    def journal(self, letter: str, count: int = 3) -> Journal:
        """Longer than a row holds, unless it has no messages."""
        body = FinishTask(task_id=1, result=inline(b'"' + letter.encode() * 30_000 + b'"'))
        held = tuple(samples.message(ID, number, self.clock(), body=body) for number in range(count))
        return Journal(process_id=PROCESS, time=self.clock(), messages=held)

    async def journals(self) -> list[Journal]:
        return [kept.journal for kept in await self.provider.journals()]

    async def blobs(self) -> list[str]:
        """The names of all that belong to journals."""
        found: list[str] = []
        continuation: str | None = None
        while True:
            page = await self.double.list_blobs(self.provider.names.blobs, PROCESSES_KEY, continuation)
            found += page.names
            continuation = page.continuation
            if continuation is None:
                return found

    async def rows(self) -> list[Entity]:
        """All of the History table but the hub's own."""
        found: list[Entity] = []
        continuation: Continuation | None = None
        while True:
            page = await self.double.query_entities(self.provider.names.history, Query(()), continuation)
            found += page.entities
            continuation = page.continuation
            if continuation is None:
                return [row for row in found if row["PartitionKey"] != HUB_KEY]


class Before:
    """Does something else before the call of a number."""

    def __init__(self, client: StorageClient, number: int, happens: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._left = number
        self._happens = happens
        self.calls: Counter[str] = Counter()

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._client, verb)
        if not iscoroutinefunction(call):
            return call

        async def counted(*args: Any, **named: Any) -> Any:
            self.calls[verb] += 1
            self._left -= 1
            if self._left == -1:
                await self._happens()
            return await call(*args, **named)

        return counted


async def _never(_seconds: float = 0) -> None:
    raise AssertionError("that is not expected to happen")


async def _again(call: Callable[[], Awaitable[T]]) -> T:
    """As its caller does after an unknown outcome."""
    try:
        return await call()
    except InjectedFaultError:
        return await call()


def _run(test: Callable[[Account], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        account = Account(clock)
        await account.provider.create_hub()
        await test(account)

    virtual_time.run(main)


# Journals


@pytest.mark.parametrize("way", WAYS)
def test_a_write_that_failed_is_whole_when_repeated(way: str) -> None:
    async def main(account: Account) -> None:
        for provider in account.faulty(way):
            for one in (account.journal("a"), account.journal("b"), account.journal("c", 0), account.journal("d")):
                assert await _again(lambda provider=provider, one=one: provider.write_journal(one))
                assert await account.journals() == [one]
            await account.provider.delete_journal(PROCESS)
            assert (await account.rows(), await account.blobs()) == ([], [])

    _run(main)


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

            assert await _again(replace)
            assert await account.journals() == [new]
            await account.provider.delete_journal(PROCESS)
            assert (await account.rows(), await account.blobs()) == ([], [])

    _run(main)


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

    _run(main)


def test_blobs_of_earlier_writes_do_not_pile_up() -> None:
    async def main(account: Account) -> None:
        for letter in "abcdefgh":
            await account.provider.write_journal(account.journal(letter))
            assert len(await account.blobs()) == 1
        await account.provider.write_journal(account.journal("a", 0))
        assert await account.blobs() == []

    _run(main)


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

    _run(main)


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

    _run(main)


async def _written(account: Account, one: Journal) -> None:
    assert await account.provider.write_journal(one)


# Claims


@pytest.mark.parametrize("way", WAYS)
def test_a_claim_that_failed_is_found_when_repeated(way: str) -> None:
    async def main(account: Account) -> None:
        for number, provider in enumerate(account.faulty(way)):
            item = f"item-{number}"
            assert await _again(lambda provider=provider, item=item: provider.claim(ID, item, "host-1"))
            assert not await _again(lambda provider=provider, item=item: provider.claim(ID, item, "host-2"))

    _run(main)


def test_a_claim_that_goes_while_it_is_read_back_is_nobodys() -> None:
    async def main(account: Account) -> None:
        row = await samples.ended(account.store, samples.execution(ID))
        await account.provider.claim(ID, CLAIMED, "host-1")
        late = Before(account.double, 1, lambda: account.provider.purge(row))
        assert not await account.on(cast(StorageClient, late)).claim(ID, CLAIMED, "host-2")
        assert late.calls == {"insert_entity": 1, "read_entity": 1}

    _run(main)


@pytest.mark.parametrize("way", WAYS)
def test_a_purge_that_failed_takes_claims_when_repeated(way: str) -> None:
    async def main(account: Account) -> None:
        for provider in account.faulty(way):
            row = await samples.ended(account.store, samples.execution(ID))
            for item in range(3):
                await account.provider.claim(ID, f"item-{item}", "host-1")
            with suppress(InjectedFaultError):
                await provider.purge(row)
            # As long as a claim is left somebody finds the instance to purge.
            assert await account.provider.read_row(ID) or not await _claims(account)
            await account.provider.purge(row)
            assert not await _claims(account)
            # The next round starts with an empty hub.
            await account.provider.sweep(account.clock() + timedelta(seconds=1))
            assert await account.rows() == []

    _run(main)


async def _claims(account: Account) -> list[str]:
    return [str(row["RowKey"]) for row in await account.rows() if str(row["RowKey"]).startswith("^claim-")]


@pytest.mark.parametrize("number", range(MOST_CALLS))
def test_a_purge_leaves_what_belongs_to_a_start_meanwhile(number: int) -> None:
    """At whatever call of the purge the instance is started anew with a long input and claims."""

    async def main(account: Account) -> None:
        old = await samples.ended(account.store, samples.execution(ID, 0, "old"))
        await account.provider.claim(ID, CLAIMED, "host-1")
        await account.provider.put_payload(ID, b'"old"')
        put: list[Payload] = []

        async def start() -> None:
            put.append(await account.provider.put_payload(ID, b'"new"'))
            await _start_anew(account)

        late = Before(account.double, number, start)
        await account.on(cast(StorageClient, late)).purge(old)
        if late.calls.total() > number:
            assert not await account.provider.claim(ID, "new-0-0", "host-3")
            assert (await samples.stored(account.store, ID)).row.execution.execution_id == "new"
            assert await account.provider.get_payload(put[0]) == b'"new"'

    _run(main)


async def _start_anew(account: Account) -> None:
    """As a client's start does, in the place of what has ended or, once it is purged, by itself."""
    new = samples.execution(ID, 1, "new")
    found = await account.provider.read_row(ID)
    row: InstanceRow = samples.row(new, account.clock())
    await account.provider.create_row(row, replacing=None if found is None else found.etag)
    await account.provider.append(samples.turn(new, 0, account.clock()))
    assert await account.provider.claim(ID, "new-0-0", "host-2")


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
        counting = Before(StorageDouble(account.clock), -1, _never)
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

    _run(main)
