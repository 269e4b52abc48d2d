"""Purge, prune and sweep on the Azure provider, call by call: where one stops, what comes in between, what it costs.

A purger may stand still for minutes between two calls. Whatever others do meanwhile, it takes nothing that started
since (P10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import cast

import pytest

from durable_ext.providers.azure_storage.client import Change, StorageClient
from durable_ext.records.events import TaskScheduled
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.payloads import Payload
from durable_ext.testing.conformance import samples
from durable_ext.testing.injection import InjectedFaultError

from .account import ID, MOST_CALLS, WAYS, Account, Before, never, run

NEIGHBOUR = ID + "0"
LONG = b'"the same long input"'
WEEK = timedelta(days=7)
OLD = samples.execution(ID, 3, "old")

Happens = Callable[[Account], Awaitable[None]]


async def _ended(account: Account, *, plain: bool = False) -> InstanceRow:
    """An instance in its third generation that completed; unless it is plain, with payloads, claims and a past."""
    now, store, provider = account.clock(), account.store, account.provider
    if plain:
        return await samples.ended(store, OLD)
    for number in (1, 2):
        earlier = samples.execution(ID, number, f"e{number}")
        await provider.append(samples.turn(earlier, 0, now))
        await provider.append(samples.last_turn(earlier, 1, now))
    await provider.append(samples.turn(samples.execution(ID, 3, "zombie"), 4, now))
    named = await provider.put_payload(ID, LONG)
    await provider.append(samples.turn(OLD, 0, now, events=[TaskScheduled(id=7, name="reserve", input=named)]))
    await provider.append(samples.turn(OLD, 1, now))
    await provider.append(samples.last_turn(OLD, 2, now))
    for item in range(3):
        await provider.claim(ID, f"old-0-{item}", "host-1")
    row = samples.row(OLD, now, status=RuntimeStatus.COMPLETED, turn=2)
    await provider.create_row(row)
    return row


async def _start(account: Account, generation: int, payload: Payload | None = None) -> None:
    """As a client and its worker start an execution, in the place of what has ended or by itself."""
    new = samples.execution(ID, generation, "new")
    found = await account.provider.read_row(ID)
    row = samples.row(new, account.clock(), status=RuntimeStatus.RUNNING, turn=1)
    await account.provider.create_row(row, replacing=None if found is None else found.etag)
    begun = [] if payload is None else [TaskScheduled(id=1, name="reserve", input=payload)]
    await account.provider.append(samples.turn(new, 0, account.clock(), events=begun))
    await account.provider.append(samples.turn(new, 1, account.clock()))
    assert await account.provider.claim(ID, "new-0-0", "host-2")


async def _purged_and_started_anew(account: Account) -> None:
    """Another purger is quicker, and the id begins at generation 0 again."""
    found = await account.provider.read_row(ID)
    if found is not None:
        await account.provider.purge(found.row)
    await _start(account, 0)


async def _replaced(account: Account) -> None:
    await _start(account, OLD.generation + 1)


async def _is_alive(account: Account) -> bool:
    """Whether the new execution is whole, and goes on."""
    loaded = await account.provider.load(ID)
    whole = [(turn.execution.execution_id, turn.number) for turn in loaded.turns] == [("new", 0), ("new", 1)]
    if loaded.stored is None or loaded.stored.row.execution.execution_id != "new" or not whole:
        return False
    new = loaded.stored.row.execution
    await account.provider.append(samples.turn(new, 2, account.clock()))
    claimed_anew = await account.provider.claim(ID, "new-0-0", "host-3")
    return len((await account.provider.load(ID)).turns) == 3 and not claimed_anew


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("meanwhile", [_purged_and_started_anew, _replaced])
def test_a_purge_buries_nothing_that_started_meanwhile(meanwhile: Happens, plain: bool) -> None:
    """At whatever call it stands still."""

    async def main(account: Account) -> None:
        for number in range(MOST_CALLS):
            row = await _ended(account, plain=plain)
            purger = Before(account.double, number, lambda: meanwhile(account))
            await account.on(cast(StorageClient, purger)).purge(row)
            if purger.calls.total() <= number:
                return
            assert await _is_alive(account), f"buried when {meanwhile.__name__} came before call {number}"
            await _clear(account)
        raise AssertionError("that makes more calls than expected")

    run(main)


@pytest.mark.parametrize("meanwhile", [_purged_and_started_anew, _replaced])
def test_a_purge_of_a_row_read_just_now_buries_nothing_either(meanwhile: Happens) -> None:
    async def main(account: Account) -> None:
        for number in range(MOST_CALLS):
            row = await _ended(account, plain=True)
            read = await samples.stored(account.store, ID)
            purger = Before(account.double, number, lambda: meanwhile(account))
            await account.on(cast(StorageClient, purger)).purge(row, etag=read.etag)
            if purger.calls.total() <= number:
                return
            assert await _is_alive(account), f"buried when {meanwhile.__name__} came before call {number}"
            await _clear(account)
        raise AssertionError("that makes more calls than expected")

    run(main)


@pytest.mark.parametrize("early", [True, False])
def test_a_purge_leaves_what_belongs_to_a_start_meanwhile(early: bool) -> None:
    """The very same long input, put before the purge begins or at any call of it, and named by a row only then; an
    event's data, put at any call."""

    async def main(account: Account) -> None:
        for number in range(MOST_CALLS):
            row = await _ended(account)
            put = [await account.provider.put_payload(ID, LONG, owner="new")] if early else []

            async def start(put: list[Payload] = put) -> None:
                if not early:
                    put.append(await account.provider.put_payload(ID, LONG, owner="new"))
                await _start(account, OLD.generation + 1, put[0])
                put.append(await account.provider.put_payload(ID, LONG))

            purger = Before(account.double, number, start)
            await account.on(cast(StorageClient, purger)).purge(row)
            if purger.calls.total() <= number:
                return
            for payload in put:
                assert await account.provider.get_payload(payload) == LONG
            await _clear(account)
        raise AssertionError("that makes more calls than expected")

    run(main)


async def _clear(account: Account) -> None:
    """An empty hub for the next round."""
    found = await account.provider.read_row(ID)
    if found is not None:
        await account.provider.purge(found.row)
    await account.provider.sweep(account.clock() + WEEK)
    assert (await account.rows(), await account.blobs_of(ID)) == ([], [])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plain", [True, False])
def test_a_purge_may_stop_at_every_call(way: str, plain: bool) -> None:
    """A crash leaves something to purge again, or nothing but tombstones; the second purge takes all."""

    async def main(account: Account) -> None:
        await samples.ended(account.store, samples.execution(NEIGHBOUR, 0, "theirs"))
        theirs = await account.provider.put_payload(NEIGHBOUR, LONG)
        for provider in account.faulty(way):
            row = await _ended(account, plain=plain)
            with suppress(InjectedFaultError):
                await provider.purge(row)
            claims = [found for found in await account.rows() if str(found["RowKey"]).startswith("^claim-")]
            if claims or await account.blobs_of(ID):
                assert await account.provider.read_row(ID), "nobody finds what is left"
            await account.provider.purge(row)
            loaded = await account.provider.load(ID)
            assert (loaded.stored, loaded.turns) == (None, ())
            assert "old" in loaded.buried
            assert await account.blobs_of(ID) == []
            await _clear_of(account)
        assert len((await account.provider.load(NEIGHBOUR)).turns) == 3
        assert await account.provider.get_payload(theirs) == LONG

    run(main)


async def _clear_of(account: Account) -> None:
    """All of the instance goes with a sweep, and no more than that."""
    await account.provider.sweep(account.clock() + WEEK)
    assert {str(row["PartitionKey"]) for row in await account.rows()} == {NEIGHBOUR}


def test_a_long_history_stays_dead_wherever_its_purge_stopped() -> None:
    """More turns and executions than one transaction takes."""

    async def main(account: Account) -> None:
        for provider in account.faulty("before"):
            now = account.clock()
            for number in range(60):
                of = samples.execution(ID, number, f"e{number:02}")
                await account.provider.append(samples.turn(of, 0, now))
                await account.provider.append(samples.last_turn(of, 1, now))
            current = samples.execution(ID, 60, "old")
            row = await samples.ended(account.store, current, turns=150)
            whole = len((await account.provider.load(ID)).turns)
            with suppress(InjectedFaultError):
                await provider.purge(row)
            assert len((await account.provider.load(ID)).turns) in (0, whole)
            await account.provider.purge(row)
            loaded = await account.provider.load(ID)
            assert (loaded.stored, loaded.turns, len(loaded.buried)) == (None, (), 61)
            assert await account.provider.sweep(account.clock() + WEEK) == 61
            assert await account.rows() == []

    run(main, page=100)


@pytest.mark.parametrize(
    ("fresh", "calls"),
    [
        (True, {"query_entities": 1, "put_entity": 1, "change_entities": 1, "delete_entity": 1}),
        (False, {"query_entities": 1, "read_entity": 1, "put_entity": 1, "change_entities": 1, "delete_entity": 1}),
    ],
)
def test_calls_of_a_purge(fresh: bool, calls: dict[str, int]) -> None:
    """Of a chain of five: with the read of who asks at most five."""

    async def main(account: Account) -> None:
        row = await samples.ended(account.store, samples.execution(ID, 0, "old"), turns=6)
        etag = (await samples.stored(account.store, ID)).etag if fresh else None
        counting = Before(account.double, -1, never)
        await account.on(cast(StorageClient, counting)).purge(row, etag=etag)
        assert counting.calls == calls

    run(main, page=100)


def test_purges_at_once_share_their_notes() -> None:
    """What is left of five calls each is four."""

    async def main(account: Account) -> None:
        ids = [f"chain-{number}" for number in range(50)]
        rows = [await samples.ended(account.store, samples.execution(one), turns=6) for one in ids]
        counting = Before(account.double, -1, never)
        provider = account.on(cast(StorageClient, counting))
        await asyncio.gather(*map(provider.purge, rows))
        assert counting.calls.total() <= 4 * len(ids) + 3
        assert await account.provider.sweep(account.clock() + WEEK) == len(ids)
        assert await account.rows() == []

    run(main, page=100)


def test_a_note_that_fails_fails_its_purge_alone() -> None:
    class Refusing(Before):
        async def change_entities(self, table: str, changes: list[Change]) -> None:
            if any(isinstance(change, dict) and change["PartitionKey"] == "^tombstones" for change in changes):
                raise InjectedFaultError("the notes cannot be written")
            await account_of[0].double.change_entities(table, changes)

    account_of: list[Account] = []

    async def main(account: Account) -> None:
        account_of.append(account)
        rows = [await samples.ended(account.store, samples.execution(f"chain-{n}"), turns=3) for n in range(3)]
        provider = account.on(cast(StorageClient, Refusing(account.double, -1, never)))
        ends = await asyncio.gather(*map(provider.purge, rows), return_exceptions=True)
        assert any(isinstance(end, InjectedFaultError) for end in ends)
        for row, end in zip(rows, ends, strict=True):
            gone = await account.provider.read_row(row.instance_id) is None
            assert gone == (end is None)

    run(main, page=100)


def test_a_sweep_takes_affinities_that_nobody_holds() -> None:
    async def main(account: Account) -> None:
        for name in ("old", "held"):
            await account.provider.hold_affinity(name, "one", timedelta(seconds=1) if name == "old" else WEEK)
        await account.provider.sweep(account.clock() + timedelta(days=1))
        assert [row["Name"] for row in await account.rows()] == ["held"]

    run(main)
