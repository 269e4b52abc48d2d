"""Purge, prune and sweep: what they take, and what they must leave (P3, P7, P10)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from durable_ext.errors import StorageError, TurnLostError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import ContinuedAsNew, TaskScheduled
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import Payload, inline
from durable_ext.testing.conformance.samples import (
    LEASE,
    PATIENCE,
    drain,
    ended,
    execution,
    last_turn,
    message,
    outcomes,
    row,
    started,
    stored,
    text,
    turn,
    work_item,
)
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
_NEIGHBOURS = (_ID + "0", _ID + "-", _ID + ":1", _ID[:-1], _ID.upper())
_DAY = timedelta(days=1)


async def _generations(store: Store, count: int) -> None:
    """An eternal instance: each generation but the last continued as new."""
    for generation in range(count):
        of = execution(_ID, generation, f"e{generation}")
        await store.provider.append(turn(of, 0, store.clock()))
        if generation < count - 1:
            end = ContinuedAsNew(input=inline(b"1"), execution_id=f"e{generation + 1}")
            await store.provider.append(turn(of, 1, store.clock(), events=(end,)))
    await store.provider.create_row(
        row(execution(_ID, count - 1, f"e{count - 1}"), store.clock(), status=RuntimeStatus.RUNNING, turn=0)
    )


async def _is_gone(store: Store, payload: Payload) -> bool:
    """A store may keep values of any length in its rows; then they went with them."""
    if payload.inline:
        return True
    try:
        await store.provider.get_payload(payload)
    except StorageError:
        return True
    return False


async def _lengths(store: Store, count: int) -> list[int]:
    return [len(await store.catalog.history(_ID, f"e{generation}")) for generation in range(count)]


class CleaningConformance(Conformance):
    """purge, prune, sweep."""

    @on_store
    async def test_a_purged_instance_is_gone(self, store: Store) -> None:
        of = execution(_ID, execution_id="old")
        await store.catalog.purge(await ended(store, of))
        assert await store.provider.read_row(_ID) is None
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.turns) == (None, ())
        assert not await store.catalog.history(_ID, "old")
        assert await store.provider.consumed(_ID) == frozenset()
        assert (await store.catalog.query(InstanceFilter())).rows == ()
        assert dict(await store.catalog.count(InstanceFilter())) == {}

    @on_store
    async def test_an_instance_of_one_turn_does_not_look_alive(self, store: Store) -> None:
        """Its turn 0 is its terminal turn, which stays as a tombstone."""
        of = execution(_ID, execution_id="old")
        await store.catalog.purge(await ended(store, of, turns=1))
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.turns) == (None, ())
        assert loaded.buried == {"old"}
        assert not await store.catalog.history(_ID, "old")

    @on_store
    async def test_a_purged_execution_is_remembered(self, store: Store) -> None:
        """P10: a late start of it must not run again."""
        await store.catalog.purge(await ended(store, execution(_ID, execution_id="old")))
        assert (await store.provider.load(_ID)).buried == {"old"}
        assert (await store.provider.load(_ID + "0")).buried == frozenset()

    @on_store
    async def test_a_stalled_process_still_loses(self, store: Store) -> None:
        for turns in (1, 4):
            of = execution(f"stalled-{turns}", execution_id="old")
            await store.catalog.purge(await ended(store, of, turns=turns))
            with pytest.raises(TurnLostError):
                await store.provider.append(turn(of, turns - 1, store.clock(), commit_id="theirs"))
            assert (await store.provider.load(of.instance_id)).turns == ()

    @on_store
    async def test_what_a_zombie_writes_is_no_history(self, store: Store) -> None:
        """P3: whether or not it wins its turn, nobody sees it."""
        of = execution(_ID, execution_id="old")
        await store.catalog.purge(await ended(store, of))
        for number in (0, 1, 3, 4):
            with suppress(TurnLostError):
                await store.provider.append(turn(of, number, store.clock(), commit_id="zombie"))
        assert (await store.provider.load(_ID)).turns == ()
        assert not await store.catalog.history(_ID, "old")
        assert await store.provider.consumed(_ID) == frozenset()

    @on_store
    async def test_a_purge_can_be_repeated(self, store: Store) -> None:
        old = await ended(store, execution(_ID, execution_id="old"))
        await store.catalog.purge(old)
        await store.catalog.purge(old)
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.turns, loaded.buried) == (None, (), {"old"})

    @on_store
    async def test_two_purges_at_once(self, store: Store) -> None:
        old = await ended(store, execution(_ID, execution_id="old"))
        await asyncio.gather(*(store.catalog.purge(old) for _ in range(3)))
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.turns, loaded.buried) == (None, (), {"old"})

    @on_store
    async def test_a_commit_that_races_a_purge_brings_nothing_back(self, store: Store) -> None:
        """A process that stalled before the last turn, or after it, writes while its execution is deleted."""
        of = execution(_ID, execution_id="old")
        old = await ended(store, of)
        late = [turn(of, number, store.clock(), commit_id="theirs") for number in (2, 3)]
        _, errors = await outcomes([store.catalog.purge(old), *map(store.provider.append, late)])
        assert {type(error) for error in errors} <= {TurnLostError}
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.turns) == (None, ())
        assert not await store.catalog.history(_ID, "old")

    @on_store
    async def test_a_purge_takes_the_payloads_that_history_names(self, store: Store) -> None:
        of = execution(_ID, execution_id="old")
        plain = await store.provider.put_payload(_ID, text(100_000).data)
        own = await store.provider.put_payload(_ID, text(100_001).data, owner="old")
        scheduled = TaskScheduled(id=7, name="reserve", input=plain), TaskScheduled(id=8, name="reserve", input=own)
        await store.provider.append(turn(of, 0, store.clock(), events=scheduled))
        await store.provider.append(last_turn(of, 1, store.clock()))
        done = row(of, store.clock(), status=RuntimeStatus.COMPLETED, turn=1)
        await store.provider.create_row(done)
        await store.catalog.purge(done)
        assert await _is_gone(store, plain)
        assert await _is_gone(store, own)

    @on_store
    async def test_a_purge_takes_the_payloads_that_the_row_names(self, store: Store) -> None:
        payload = await store.provider.put_payload(_ID, text(100_000).data)
        of = execution(_ID, execution_id="old")
        await store.provider.append(last_turn(of, 0, store.clock()))
        done = msgspec.structs.replace(row(of, store.clock(), status=RuntimeStatus.COMPLETED, turn=0), output=payload)
        await store.provider.create_row(done)
        await store.catalog.purge(done)
        assert await _is_gone(store, payload)

    @on_store
    async def test_a_sweep_takes_the_payloads_that_nobody_named(self, store: Store) -> None:
        """A client put it and died before it sent what names it."""
        payload = await store.provider.put_payload(_ID, text(100_000).data)
        theirs = await store.provider.put_payload(_ID + "0", text(100_000).data)
        await store.catalog.purge(await ended(store, execution(_ID)))
        await store.catalog.purge(await ended(store, execution(_ID + "0")))
        await started(store, execution(_ID + "0", 0, "new"))
        await store.catalog.sweep(store.clock() + _DAY)
        assert await _is_gone(store, payload)
        assert await store.provider.get_payload(theirs) == text(100_000).data

    @on_store
    async def test_a_purge_leaves_the_payload_of_a_start_under_way(self, store: Store) -> None:
        """P9: it is stored before the row that names it; a message that begins an entity is the same."""
        of = execution(_ID, execution_id="old")
        same = text(100_000).data
        input_of_old = await store.provider.put_payload(_ID, same, owner="old")
        for owner in ("new", "message"):
            await store.provider.put_payload(_ID, same, owner=owner)
        await store.provider.append(last_turn(of, 0, store.clock()))
        done = msgspec.structs.replace(
            row(of, store.clock(), status=RuntimeStatus.COMPLETED, turn=0), input=input_of_old
        )
        await store.provider.create_row(done)
        kept = [await store.provider.put_payload(_ID, same, owner=owner) for owner in ("new", "message")]
        await store.catalog.purge(done)
        for payload in kept:
            assert await store.provider.get_payload(payload) == same

    @on_store
    async def test_a_purged_id_can_be_used_again(self, store: Store) -> None:
        await store.catalog.purge(await ended(store, execution(_ID, execution_id="old")))
        new = await started(store, execution(_ID, execution_id="new"))
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.buried) == (new, {"old"})
        assert [one.execution.execution_id for one in loaded.turns] == ["new"]
        assert await store.provider.consumed(_ID) == {"new-m0"}

    @on_store
    async def test_a_purge_leaves_messages_to_their_receivers(self, store: Store) -> None:
        """P12: whoever receives one finds nothing and drops it; a purge looks into no queue."""
        await store.provider.send([message(_ID, 1, store.clock()), work_item(_ID, 2, store.clock())])
        await store.catalog.purge(await ended(store, execution(_ID)))
        (item,) = await store.feed.receive_work(limit=4, lease=LEASE, wait=PATIENCE)
        await store.provider.complete(item)
        await drain(store, _ID, 1)
        assert await store.provider.read_row(_ID) is None

    @on_store
    async def test_a_purge_takes_all_generations(self, store: Store) -> None:
        await _generations(store, 3)
        await store.provider.append(last_turn(execution(_ID, 2, "e2"), 1, store.clock()))
        await store.catalog.purge((await stored(store, _ID)).row)
        assert await _lengths(store, 3) == [0, 0, 0]
        loaded = await store.provider.load(_ID)
        assert (loaded.turns, loaded.stored) == ((), None)
        assert "e2" in loaded.buried

    @on_store
    async def test_a_purge_leaves_neighbours(self, store: Store) -> None:
        for neighbour in _NEIGHBOURS:
            await ended(store, execution(neighbour, execution_id="theirs"))
        await store.catalog.purge(await ended(store, execution(_ID, execution_id="old")))
        for neighbour in _NEIGHBOURS:
            loaded = await store.provider.load(neighbour)
            assert loaded.stored is not None
            assert len(loaded.turns) == 3
            assert loaded.buried == frozenset()

    @on_store
    async def test_a_late_purge_leaves_what_was_started_anew(self, store: Store) -> None:
        old = await ended(store, execution(_ID, execution_id="old"))
        await store.catalog.purge(old)
        new = await started(store, execution(_ID, execution_id="new"))
        await store.catalog.purge(old)
        loaded = await store.provider.load(_ID)
        assert loaded.stored == new
        assert [one.execution.execution_id for one in loaded.turns] == ["new"]

    @on_store
    async def test_a_late_purge_leaves_lower_generations_of_a_new_start(self, store: Store) -> None:
        """An id begins at generation 0 again: a purge goes by the execution's id, not by its number."""
        await _generations(store, 6)
        await store.provider.append(last_turn(execution(_ID, 5, "e5"), 1, store.clock()))
        found = await stored(store, _ID)
        await store.catalog.purge(found.row)
        new = await started(store, execution(_ID, 0, "new"))
        await store.provider.claim(_ID, "new-0-0", "host-1")
        for etag in (None, found.etag):
            await store.catalog.purge(found.row, etag=etag)
            loaded = await store.provider.load(_ID)
            assert loaded.stored == new
            assert [one.execution.execution_id for one in loaded.turns] == ["new"]
        assert not await store.provider.claim(_ID, "new-0-0", "host-2")
        await store.provider.append(turn(new.row.execution, 1, store.clock()))
        assert len((await store.provider.load(_ID)).turns) == 2

    @on_store
    async def test_an_execution_that_never_began_is_remembered(self, store: Store) -> None:
        """Its start may be on the way still."""
        of = execution(_ID, execution_id="old")
        pending = row(of, store.clock())
        await store.provider.create_row(pending)
        await store.catalog.purge(pending)
        assert (await store.provider.load(_ID)).buried == {"old"}
        with pytest.raises(TurnLostError):
            await store.provider.append(turn(of, 0, store.clock()))
        loaded = await store.provider.load(_ID)
        assert (loaded.stored, loaded.turns) == (None, ())
        assert await store.catalog.sweep(store.clock() + _DAY) == 1
        assert (await store.provider.load(_ID)).buried == frozenset()

    @on_store
    async def test_a_row_that_changed_since_it_was_read_goes_too(self, store: Store) -> None:
        """Its projection was written once more: it is the same execution."""
        old = await ended(store, execution(_ID, execution_id="old"))
        read = await stored(store, _ID)
        await store.provider.update_row(msgspec.structs.replace(old, updated_at=store.clock()), read.etag)
        await store.catalog.purge(old, etag=read.etag)
        assert await store.provider.read_row(_ID) is None

    @on_store
    async def test_a_late_purge_leaves_what_took_the_place(self, store: Store) -> None:
        """The row was read before somebody replaced the finished instance."""
        old = await ended(store, execution(_ID, 0, "old"))
        new = execution(_ID, 1, "new")
        await store.provider.create_row(row(new, store.clock()), replacing=(await stored(store, _ID)).etag)
        await store.provider.append(turn(new, 0, store.clock()))
        await store.catalog.purge(old)
        loaded = await store.provider.load(_ID)
        assert loaded.stored is not None
        assert [one.execution for one in loaded.turns] == [new]

    @on_store
    async def test_a_sweep_takes_old_tombstones_only(self, store: Store) -> None:
        await store.catalog.purge(await ended(store, execution(_ID, execution_id="old")))
        assert await store.catalog.sweep(store.clock() - _DAY) == 0
        assert (await store.provider.load(_ID)).buried == {"old"}
        assert await store.catalog.sweep(store.clock() + _DAY) == 1
        assert (await store.provider.load(_ID)).buried == frozenset()
        assert await store.catalog.sweep(store.clock() + _DAY) == 0

    @on_store
    async def test_a_sweep_takes_what_zombies_wrote(self, store: Store) -> None:
        of = execution(_ID, execution_id="old")
        await store.catalog.purge(await ended(store, of))
        with suppress(TurnLostError):
            await store.provider.append(turn(of, 7, store.clock(), commit_id="zombie"))
        headless = turn(execution(_ID, execution_id="never begun"), 4, store.clock())
        await store.provider.append(headless)
        assert await store.catalog.sweep(store.clock() + _DAY) >= 2
        loaded = await store.provider.load(_ID)
        assert (loaded.turns, loaded.buried) == ((), frozenset())
        assert await store.catalog.sweep(store.clock() + _DAY) == 0
        # Another commit under its key is an insert now.
        await store.provider.append(msgspec.structs.replace(headless, commit_id="another"))

    @on_store
    async def test_a_sweep_leaves_what_lives(self, store: Store) -> None:
        for instance_id in (_ID, *_NEIGHBOURS):
            await started(store, execution(instance_id))
        await store.catalog.purge(await ended(store, execution("purged")))
        await store.catalog.sweep(store.clock() + _DAY)
        for instance_id in (_ID, *_NEIGHBOURS):
            assert len((await store.provider.load(instance_id)).turns) == 1

    @on_store
    async def test_a_prune_takes_older_generations(self, store: Store) -> None:
        await _generations(store, 4)
        await store.catalog.prune(_ID, below_generation=2, older_than=store.clock() + _DAY)
        assert await _lengths(store, 4) == [0, 0, 2, 1]
        assert await store.provider.consumed(_ID) == {"e2-m0", "e2-m1", "e3-m0"}
        await store.catalog.prune(_ID, below_generation=2, older_than=store.clock() + _DAY)
        assert [one.execution.execution_id for one in (await store.provider.load(_ID)).turns] == ["e3"]

    @on_store
    async def test_a_prune_leaves_what_ended_lately(self, store: Store) -> None:
        """P7: a delivery that refers to it may still exist."""
        await _generations(store, 3)
        await store.catalog.prune(_ID, below_generation=2, older_than=store.clock() - _DAY)
        assert await _lengths(store, 3) == [2, 2, 1]

    @on_store
    async def test_a_prune_leaves_what_has_not_ended(self, store: Store) -> None:
        await _generations(store, 2)
        unended = execution(_ID, 0, "unended")
        await store.provider.append(turn(unended, 0, store.clock()))
        await store.catalog.prune(_ID, below_generation=1, older_than=store.clock() + _DAY)
        assert len(await store.catalog.history(_ID, "unended")) == 1
        assert await _lengths(store, 2) == [0, 1]

    @on_store
    async def test_a_prune_leaves_the_current_execution(self, store: Store) -> None:
        await _generations(store, 3)
        current = (await store.provider.load(_ID)).turns
        for below in (0, 1, 2, 3, 4):
            await store.catalog.prune(_ID, below_generation=below, older_than=store.clock() + _DAY)
            assert (await store.provider.load(_ID)).turns == current
        assert await _lengths(store, 3) == [0, 0, 1]
        assert (await stored(store, _ID)).row.status is RuntimeStatus.RUNNING

    @on_store
    async def test_a_prune_leaves_a_current_execution_that_ended(self, store: Store) -> None:
        """Its row shows it still, whatever generation the caller thinks is current."""
        await _generations(store, 3)
        await store.provider.append(last_turn(execution(_ID, 2, "e2"), 1, store.clock()))
        await store.catalog.prune(_ID, below_generation=9, older_than=store.clock() + _DAY)
        assert await _lengths(store, 3) == [0, 0, 2]

    @on_store
    async def test_a_prune_of_nobody_does_nothing(self, store: Store) -> None:
        await store.catalog.prune("nobody", below_generation=9, older_than=store.clock() + _DAY)
        assert (await store.provider.load("nobody")).turns == ()

    @on_store
    async def test_a_prune_leaves_neighbours(self, store: Store) -> None:
        await _generations(store, 2)
        for neighbour in _NEIGHBOURS:
            await ended(store, execution(neighbour, 0, "theirs"))
        await store.catalog.prune(_ID, below_generation=1, older_than=store.clock() + _DAY)
        assert await _lengths(store, 2) == [0, 1]
        for neighbour in _NEIGHBOURS:
            assert len((await store.provider.load(neighbour)).turns) == 3
