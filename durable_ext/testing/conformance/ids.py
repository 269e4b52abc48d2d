"""Odd instance ids: whatever `check_instance_id` lets through is kept apart from every other."""

from __future__ import annotations

from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.ids import check_instance_id
from durable_ext.testing.conformance.samples import drain, ended, execution, message, stored
from durable_ext.testing.conformance.store import Conformance, Store, on_store

ODD_IDS = (
    *("case", "Case", "CASE"),
    *("with space", "trailing ", " leading"),
    *("it's", 'say "hi"', "a''b"),
    *("100%", "100%25", "100%2525", "_", "%", "a_b", "a%b"),
    # Composed and decomposed: the same to the eye, not the same id.
    *("é", "e\u0301", "日本語", "emoji-😀", "\U0010fffd", "\u00a0", "ß", "ss"),
    *("a.b", "a..", "..", "a:b", "a|b", "a^b", "a~b", "a-b", "a+b", "a&b", "a=b", "a;b", "a,b", "[a]", "{a}", "$a"),
    *("x" * 256, "x" * 255, "é" * 256, "😀" * 256),
    *("0", "00", "null", "-1", "1e5"),
)
ENTITY_ID = "@counter@visits"


class IdConformance(Conformance):
    """Every verb that takes an instance id."""

    @on_store
    async def test_odd_ids_are_kept_apart(self, store: Store) -> None:
        for one in ODD_IDS:
            await ended(store, execution(check_instance_id(one), execution_id=f"of {ODD_IDS.index(one)}"), turns=2)
        for one in ODD_IDS:
            loaded = await store.provider.load(one)
            assert loaded.stored is not None, one
            assert loaded.stored.row.instance_id == one
            assert [turn.execution.instance_id for turn in loaded.turns] == [one, one]
            assert {turn.execution.execution_id for turn in loaded.turns} == {f"of {ODD_IDS.index(one)}"}

    @on_store
    async def test_odd_ids_are_listed(self, store: Store) -> None:
        for one in ODD_IDS:
            await ended(store, execution(one), turns=1)
        found: list[str] = []
        continuation: str | None = None
        while True:
            page = await store.catalog.query(InstanceFilter(), limit=7, continuation=continuation)
            found += [row.instance_id for row in page.rows]
            continuation = page.continuation
            if continuation is None:
                break
        assert sorted(found) == sorted(ODD_IDS)

    @on_store
    async def test_an_odd_id_as_a_prefix(self, store: Store) -> None:
        for one in ODD_IDS:
            await ended(store, execution(one), turns=1)
        for prefix in ODD_IDS:
            page = await store.catalog.query(InstanceFilter(id_prefix=prefix))
            assert sorted(row.instance_id for row in page.rows) == sorted(
                one for one in ODD_IDS if one.startswith(prefix)
            )

    @on_store
    async def test_messages_for_odd_ids_arrive(self, store: Store) -> None:
        for number, one in enumerate(ODD_IDS):
            await store.provider.send([message(one, number, store.clock())])
            (came,) = await drain(store, one, 1)
            assert came.instance_id == one

    @on_store
    async def test_purging_one_leaves_the_others(self, store: Store) -> None:
        for one in ODD_IDS:
            await ended(store, execution(one), turns=1)
        purged = ODD_IDS[::3]
        for one in purged:
            await store.catalog.purge((await stored(store, one)).row)
        for one in ODD_IDS:
            loaded = await store.provider.load(one)
            assert (loaded.stored is None) == (one in purged), one
            assert len(loaded.turns) == (0 if one in purged else 1), one

    @on_store
    async def test_payloads_of_odd_ids(self, store: Store) -> None:
        for one in ODD_IDS:
            data = f'"{ODD_IDS.index(one)}"'.encode()
            payload = await store.provider.put_payload(one, data)
            assert await store.provider.get_payload(payload) == data

    @on_store
    async def test_an_entity_id(self, store: Store) -> None:
        await ended(store, execution(ENTITY_ID), turns=2)
        assert len((await store.provider.load(ENTITY_ID)).turns) == 2
        await store.provider.send([message(ENTITY_ID, 1, store.clock())])
        assert [one.instance_id for one in await drain(store, ENTITY_ID, 1)] == [ENTITY_ID]
