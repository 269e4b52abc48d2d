"""What instances keep under keys is in their history: it comes back with it, stays when old history goes, and goes with
the instance. And the number of a custom status, in the row."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from durable_ext.records.events import ContinuedAsNew, ExecutionStarted
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.value_events import KeptValue, ValueCleared, ValueDecision, ValuesCleared, ValueSet
from durable_ext.replay.values import values_of
from durable_ext.testing.conformance.samples import execution, last_turn, row, stored, text, turn
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
_KEYS = ("plain", "with spaces", "日本語", "a.b", "a/b\\c#d?e", "🔑", "' OR 1=1 --", "x" * 256)


def _set(key: str, value: Payload | None = None) -> ValueSet:
    return ValueSet(key=key, value=value or inline(b"1"))


async def _kept(store: Store, instance_id: str = _ID) -> dict[str, bytes]:
    loaded = await store.provider.load(instance_id)
    return {key: kept.value.data for key, kept in values_of(loaded.turns).items()}


async def _turns(store: Store, *turns: tuple[ValueDecision, ...], instance_id: str = _ID) -> None:
    of = execution(instance_id)
    for number, events in enumerate(turns):
        await store.provider.append(turn(of, number, store.clock(), events=events))
    await store.provider.create_row(row(of, store.clock(), status=RuntimeStatus.RUNNING, turn=len(turns) - 1))


class ValueConformance(Conformance):
    """Values under keys, and the number of a custom status."""

    @on_store
    async def test_values_come_back_as_they_were_set(self, store: Store) -> None:
        long = text(16 * 1024)
        await _turns(store, (_set("a"), _set("b", inline(b'""'))), (_set("a", long), _set("none", inline(b"null"))))
        assert await _kept(store) == {"a": long.data, "b": b'""', "none": b"null"}

    @on_store
    async def test_cleared_values_are_gone(self, store: Store) -> None:
        """One, one that never was, and all before what the same turn sets."""
        await _turns(store, (_set("a"), _set("b")), (ValueCleared(key="a"), ValueCleared(key="never")))
        assert set(await _kept(store)) == {"b"}
        third = turn(execution(_ID), 2, store.clock(), events=(ValuesCleared(), _set("c")))
        await store.provider.append(third)
        assert set(await _kept(store)) == {"c"}

    @on_store
    async def test_odd_keys_are_kept_apart(self, store: Store) -> None:
        await _turns(store, tuple(_set(key, inline(b"%d" % number)) for number, key in enumerate(_KEYS)))
        assert await _kept(store) == {key: b"%d" % number for number, key in enumerate(_KEYS)}

    @on_store
    async def test_a_hundred_long_values_in_one_turn(self, store: Store) -> None:
        events = tuple(_set(f"key {number}", text(16 * 1024)) for number in range(100))
        await _turns(store, events)
        assert await _kept(store) == {event.key: event.value.data for event in events}

    @on_store
    async def test_values_of_two_instances_are_apart(self, store: Store) -> None:
        await _turns(store, (_set("a", inline(b"1")),))
        await _turns(store, (_set("a", inline(b"2")),), (ValuesCleared(),), instance_id="order-2")
        assert await _kept(store) == {"a": b"1"}
        assert await _kept(store, "order-2") == await _kept(store, "unknown") == {}

    @on_store
    async def test_values_outlive_the_execution_that_set_them(self, store: Store) -> None:
        """They come with the next one's start, so that the old history may go."""
        now = store.clock()
        kept = {"stale": KeptValue(value=inline(b"1"), set_at=now)}
        first, second = execution(_ID, 0, "e0"), execution(_ID, 1, "e1")
        end = ContinuedAsNew(input=inline(b"1"), execution_id="e1", values=kept)
        await store.provider.append(turn(first, 0, now, events=(_set("stale"), end)))
        start = ExecutionStarted(name="Order", created_at=now, values=kept)
        opened = msgspec.structs.replace(turn(second, 0, now), events=(start, _set("new")))
        await store.provider.append(opened)
        await store.provider.create_row(row(second, now, status=RuntimeStatus.RUNNING, turn=0))
        assert await _kept(store) == {"stale": b"1", "new": b"1"}
        await store.catalog.prune(_ID, below_generation=1, older_than=store.clock() + timedelta(days=1))
        assert await store.catalog.history(_ID, "e0") == ()
        assert await _kept(store) == {"stale": b"1", "new": b"1"}

    @on_store
    async def test_a_purge_takes_the_values(self, store: Store) -> None:
        of = execution(_ID)
        await store.provider.append(turn(of, 0, store.clock(), events=(_set("a"),)))
        await store.provider.append(last_turn(of, 1, store.clock()))
        ended = row(of, store.clock(), status=RuntimeStatus.COMPLETED, turn=1)
        await store.provider.create_row(ended)
        assert await _kept(store) == {"a": b"1"}
        await store.catalog.purge(ended)
        assert await _kept(store) == {}

    @on_store
    async def test_the_number_of_a_custom_status_comes_back(self, store: Store) -> None:
        fresh = row(execution(_ID), store.clock())
        etag = await store.provider.create_row(fresh)
        assert (await stored(store, _ID)).row.status_changes == 0
        for number in (1, 2):
            changed = msgspec.structs.replace(fresh, status_changes=number, custom_status=inline(b"%d" % number))
            etag = await store.provider.update_row(changed, etag)
            assert (await stored(store, _ID)).row == changed
        cleared = msgspec.structs.replace(fresh, status_changes=3, custom_status=inline(b"null"))
        await store.provider.update_row(cleared, etag)
        assert (await stored(store, _ID)).row.status_changes == 3
