"""Which execution is current, and what of an instance is seen (P3, P7, P8)."""

from __future__ import annotations

from durable_ext.providers.contract import Loaded
from durable_ext.testing.conformance.samples import ended, execution, row, started, stored, turn
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"


async def _append(store: Store, execution_id: str, generation: int, *numbers: int) -> None:
    for number in numbers:
        await store.provider.append(turn(execution(_ID, generation, execution_id), number, store.clock()))


async def _seen(store: Store) -> list[tuple[str, int]]:
    return [(one.execution.execution_id, one.number) for one in (await store.provider.load(_ID)).turns]


class LoadConformance(Conformance):
    """load, consumed, history."""

    @on_store
    async def test_nothing_is_loaded_of_nobody(self, store: Store) -> None:
        assert await store.provider.load("nobody") == Loaded(None, ())
        assert await store.provider.consumed("nobody") == frozenset()
        assert not await store.catalog.history("nobody")
        assert not await store.catalog.history("nobody", "none")

    @on_store
    async def test_a_pending_instance_has_a_row_and_no_turns(self, store: Store) -> None:
        await store.provider.create_row(row(execution(_ID), store.clock()))
        loaded = await store.provider.load(_ID)
        assert loaded == Loaded(await stored(store, _ID), ())

    @on_store
    async def test_row_and_turns_come_together(self, store: Store) -> None:
        of = execution(_ID)
        versioned = await started(store, of)
        await store.provider.append(turn(of, 1, store.clock()))
        loaded = await store.provider.load(_ID)
        assert loaded.stored == versioned
        assert [one.number for one in loaded.turns] == [0, 1]
        assert await store.catalog.history(_ID) == loaded.turns

    @on_store
    async def test_a_committed_turn_is_seen_at_once(self, store: Store) -> None:
        of = execution(_ID)
        for number in range(10):
            await store.provider.append(turn(of, number, store.clock()))
            assert len((await store.provider.load(_ID)).turns) == number + 1

    @on_store
    async def test_turns_without_a_row(self, store: Store) -> None:
        """A child whose row was not written yet."""
        await _append(store, "one", 0, 0, 1)
        loaded = await store.provider.load(_ID)
        assert loaded.stored is None
        assert len(loaded.turns) == 2

    @on_store
    async def test_the_newest_generation_is_current(self, store: Store) -> None:
        for generation in range(12):
            await _append(store, f"e{generation}", generation, 0, 1)
        assert await _seen(store) == [("e11", 0), ("e11", 1)]

    @on_store
    async def test_a_row_may_lag_behind(self, store: Store) -> None:
        """P8: the row says generation 0, history has 2."""
        await store.provider.create_row(row(execution(_ID, 0, "e0"), store.clock(), turn=0))
        for generation in range(3):
            await _append(store, f"e{generation}", generation, 0)
        assert await _seen(store) == [("e2", 0)]

    @on_store
    async def test_a_log_without_its_turn_0_is_no_history(self, store: Store) -> None:
        """P3: what a zombie writes after a purge, or for an execution that never began."""
        await _append(store, "e0", 0, 0, 1)
        await _append(store, "zombie", 1, 3, 4)
        assert await _seen(store) == [("e0", 0), ("e0", 1)]
        assert not await store.catalog.history(_ID, "zombie")
        assert not {"zombie-m3", "zombie-m4"} & await store.provider.consumed(_ID)

    @on_store
    async def test_an_instance_started_anew_has_no_history_yet(self, store: Store) -> None:
        """P9: the row names the new execution; the old one's turns are not the new one's."""
        etag = await store.provider.create_row(row(execution(_ID, 0, "old"), store.clock()))
        await _append(store, "old", 0, 0, 1)
        await store.provider.create_row(row(execution(_ID, 1, "new"), store.clock()), replacing=etag)
        assert await _seen(store) == []
        await _append(store, "new", 1, 0)
        assert await _seen(store) == [("new", 0)]

    @on_store
    async def test_the_row_says_which_start_won(self, store: Store) -> None:
        """P9: two executions of one generation have a turn 0; the loser's is not current."""
        await store.provider.create_row(row(execution(_ID, 0, "m-winner"), store.clock()))
        for execution_id in ("a-loser", "m-winner", "z-loser"):
            await _append(store, execution_id, 0, 0)
        assert await _seen(store) == [("m-winner", 0)]

    @on_store
    async def test_an_older_execution_is_had_by_its_id(self, store: Store) -> None:
        await _append(store, "e0", 0, 0, 1, 2)
        await _append(store, "e1", 1, 0)
        assert [one.number for one in await store.catalog.history(_ID, "e0")] == [0, 1, 2]
        assert [one.execution.generation for one in await store.catalog.history(_ID, "e1")] == [1]
        assert not await store.catalog.history(_ID, "e2")

    @on_store
    async def test_consumed_looks_into_all_executions(self, store: Store) -> None:
        await _append(store, "e0", 0, 0, 1)
        await _append(store, "e1", 1, 0)
        assert await store.provider.consumed(_ID) == {"e0-m0", "e0-m1", "e1-m0"}

    @on_store
    async def test_neighbours_are_not_seen(self, store: Store) -> None:
        """Ids that begin like this one, or differ in case."""
        neighbours = (_ID + "0", _ID + "-", _ID + ":1", _ID[:-1], _ID.upper(), _ID + " ")
        for neighbour in neighbours:
            await ended(store, execution(neighbour, 5, f"of {neighbour}"), turns=2)
        assert await store.provider.load(_ID) == Loaded(None, ())
        assert await store.provider.consumed(_ID) == frozenset()
        await started(store, execution(_ID, 0, "mine"))
        assert await _seen(store) == [("mine", 0)]
        for neighbour in neighbours:
            assert len((await store.provider.load(neighbour)).turns) == 2
