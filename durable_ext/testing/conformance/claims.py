"""Claims: one claimant begins a work item, and nobody else ever does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_ext.testing.conformance.ids import ODD_IDS
from durable_ext.testing.conformance.samples import (
    ended,
    execution,
    last_turn,
    many,
    row,
    started,
    stored,
    turn,
)
from durable_ext.testing.conformance.store import Conformance, Store, losing_answers, on_store
from durable_ext.testing.injection import InjectedFaultError

_ID = "order-1"
_NEIGHBOURS = (_ID + "0", _ID + "-", _ID[:-1], _ID.upper())
_DAY = timedelta(days=1)
_ODD_ITEMS = (
    "a/b",
    "A/B",
    "a\\b",
    "a#b?c",
    "it's",
    "x" * 600,
    "é",
    "e\u0301",
    "^claim-a",
    "",
    " ",
    "00000000-e1-00000000",
)


class ClaimConformance(Conformance):
    """claim, and what purge, prune and sweep do to claims."""

    @on_store
    async def test_a_work_item_is_claimed_once(self, store: Store) -> None:
        assert await store.provider.claim(_ID, "e1-1-0", "host-1")
        assert not await store.provider.claim(_ID, "e1-1-0", "host-2")
        assert not await store.provider.claim(_ID, "e1-1-0", "")
        assert await store.provider.claim(_ID, "e1-1-1", "host-2")

    @on_store
    async def test_a_claim_again_by_its_claimant_is_its_own(self, store: Store) -> None:
        for _ in range(3):
            assert await store.provider.claim(_ID, "e1-1-0", "host-1")
        assert not await store.provider.claim(_ID, "e1-1-0", "host-2")
        assert await store.provider.claim(_ID, "e1-1-0", "host-1")

    @on_store
    async def test_of_claimants_at_once_one_wins(self, store: Store) -> None:
        for number in range(5):
            item, hosts = f"e1-{number}-0", [f"host-{one}" for one in range(8)]
            won = await asyncio.gather(*(store.provider.claim(_ID, item, host) for host in hosts))
            assert sum(won) == 1
            for host, has_won in zip(hosts, won, strict=True):
                assert await store.provider.claim(_ID, item, host) == has_won

    @on_store
    async def test_a_claim_whose_answer_was_lost_is_found(self, store: Store) -> None:
        faulty = losing_answers(store.provider, "claim")
        with pytest.raises(InjectedFaultError):
            await faulty.claim(_ID, "e1-1-0", "host-1")
        assert not await store.provider.claim(_ID, "e1-1-0", "host-2")
        assert await faulty.claim(_ID, "e1-1-0", "host-1")

    @on_store
    async def test_odd_work_items_and_instances_are_kept_apart(self, store: Store) -> None:
        pairs = [(_ID, item) for item in _ODD_ITEMS] + [(one, "e1-1-0") for one in ODD_IDS]
        for number, (instance_id, item) in enumerate(pairs):
            assert await store.provider.claim(instance_id, item, f"host-{number}"), (instance_id, item)
        for number, (instance_id, item) in enumerate(pairs):
            assert await store.provider.claim(instance_id, item, f"host-{number}"), (instance_id, item)
            assert not await store.provider.claim(instance_id, item, "another"), (instance_id, item)

    @on_store
    async def test_claims_are_no_history(self, store: Store) -> None:
        """Not before the first turn, not between turns, not after the last."""
        of = execution(_ID, execution_id="e1")
        assert await store.provider.claim(_ID, "e1-0-0", "host-1")
        before = await store.provider.load(_ID)
        assert (before.stored, before.turns, before.buried) == (None, (), frozenset())
        assert await store.catalog.history(_ID) == ()
        await started(store, of)
        for number in (1, 2):
            await store.provider.append(turn(of, number, store.clock()))
            assert await store.provider.claim(_ID, f"e1-{number}-0", "host-1")
        await store.provider.append(last_turn(of, 3, store.clock()))
        assert [one.number for one in (await store.provider.load(_ID)).turns] == [0, 1, 2, 3]
        assert [one.number for one in await store.catalog.history(_ID)] == [0, 1, 2, 3]
        assert [one.number for one in await store.catalog.history(_ID, "e1")] == [0, 1, 2, 3]
        assert await store.provider.consumed(_ID) == {f"e1-m{number}" for number in range(4)}

    @on_store
    async def test_claims_of_many_work_items(self, store: Store) -> None:
        await started(store, execution(_ID))
        items = [f"e1-1-{number:x}" for number in range(130)]
        assert all(await many(store.provider.claim(_ID, item, "host-1") for item in items))
        assert not any(await many(store.provider.claim(_ID, item, "host-2") for item in items))
        assert len((await store.provider.load(_ID)).turns) == 1
        await store.catalog.purge(row(execution(_ID), store.clock()))
        assert all(await many(store.provider.claim(_ID, item, "host-2") for item in items))

    @on_store
    async def test_a_purge_takes_claims(self, store: Store) -> None:
        old = await ended(store, execution(_ID, execution_id="old"))
        for instance_id in (_ID, *_NEIGHBOURS):
            assert await store.provider.claim(instance_id, "old-1-0", "host-1")
        await store.catalog.purge(old)
        assert await store.provider.claim(_ID, "old-1-0", "host-2")
        for neighbour in _NEIGHBOURS:
            assert not await store.provider.claim(neighbour, "old-1-0", "host-2")

    @on_store
    async def test_a_late_purge_leaves_the_claims_of_what_was_started_anew(self, store: Store) -> None:
        old = await ended(store, execution(_ID, execution_id="old"))
        await store.catalog.purge(old)
        await started(store, execution(_ID, execution_id="new"))
        assert await store.provider.claim(_ID, "new-0-0", "host-1")
        await store.catalog.purge(old)
        assert not await store.provider.claim(_ID, "new-0-0", "host-2")

    @on_store
    async def test_a_late_purge_leaves_the_claims_of_what_took_the_place(self, store: Store) -> None:
        old = await ended(store, execution(_ID, 0, "old"))
        new = execution(_ID, 1, "new")
        await store.provider.create_row(row(new, store.clock()), replacing=(await stored(store, _ID)).etag)
        await store.provider.append(turn(new, 0, store.clock()))
        assert await store.provider.claim(_ID, "new-0-0", "host-1")
        await store.catalog.purge(old)
        assert not await store.provider.claim(_ID, "new-0-0", "host-2")

    @on_store
    async def test_a_prune_takes_old_claims_only(self, store: Store) -> None:
        await started(store, execution(_ID))
        for instance_id in (_ID, *_NEIGHBOURS):
            assert await store.provider.claim(instance_id, "e1-0-0", "host-1")
        await store.catalog.prune(_ID, below_generation=1, older_than=store.clock() - _DAY)
        assert not await store.provider.claim(_ID, "e1-0-0", "host-2")
        await store.catalog.prune(_ID, below_generation=0, older_than=store.clock() + _DAY)
        assert await store.provider.claim(_ID, "e1-0-0", "host-2")
        assert len((await store.provider.load(_ID)).turns) == 1
        for neighbour in _NEIGHBOURS:
            assert not await store.provider.claim(neighbour, "e1-0-0", "host-2")

    @on_store
    async def test_a_sweep_leaves_the_claims_of_what_lives(self, store: Store) -> None:
        await store.catalog.purge(await ended(store, execution(_ID, execution_id="old")))
        await started(store, execution(_ID, execution_id="new"))
        assert await store.provider.claim(_ID, "new-0-0", "host-1")
        assert await store.catalog.sweep(store.clock() + _DAY) == 1
        assert not await store.provider.claim(_ID, "new-0-0", "host-2")
        assert len((await store.provider.load(_ID)).turns) == 1

    @on_store
    async def test_a_sweep_takes_claims_made_after_a_purge(self, store: Store) -> None:
        """By a process that did not know of it; nothing else would ever find them."""
        await store.catalog.purge(await ended(store, execution(_ID, execution_id="old")))
        assert await store.provider.claim(_ID, "old-1-0", "host-1")
        assert await store.catalog.sweep(store.clock() - _DAY) == 0
        assert not await store.provider.claim(_ID, "old-1-0", "host-2")
        assert await store.catalog.sweep(store.clock() + _DAY) == 1
        assert await store.provider.claim(_ID, "old-1-0", "host-2")
