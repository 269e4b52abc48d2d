"""Work items that nobody waits for: noted by id, found since a time, kept longer than any delivery."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_ext.records.limits import MAX_DELIVERY_AGE, TOMBSTONE_AGE
from durable_ext.testing.conformance.samples import PATIENCE, ended, execution, many, started, work_item
from durable_ext.testing.conformance.store import Conformance, Store, losing_answers, on_store
from durable_ext.testing.injection import InjectedFaultError

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_ODD_IDS = (
    "a/b",
    "A/B",
    "a\\b",
    "a#b?c",
    "it's",
    'say "hi"',
    "x" * 600,
    "é",
    "e\u0301",
    "日本",
    "😀" * 300,
    "a,b",
    "[",
    "",
)


class WithdrawalConformance(Conformance):
    """withdraw, withdrawn, sweep."""

    @on_store
    async def test_nothing_is_withdrawn_at_first(self, store: Store) -> None:
        assert await store.provider.withdrawn(store.clock() - _DAY) == frozenset()
        await store.provider.withdraw((), store.clock())
        assert await store.provider.withdrawn(store.clock() - _DAY) == frozenset()

    @on_store
    async def test_what_was_withdrawn_is_found_since_then(self, store: Store) -> None:
        now = store.clock()
        for number in range(4):
            await store.provider.withdraw([f"e1-1-{number}", f"e2-1-{number}"], now + number * _SECOND)
        for number in range(5):
            expected = {f"e{of}-1-{later}" for of in (1, 2) for later in range(number, 4)}
            assert await store.provider.withdrawn(now + number * _SECOND) == expected

    @on_store
    async def test_times_are_told_apart_to_the_microsecond(self, store: Store) -> None:
        now, tick = store.clock().replace(microsecond=0), timedelta(microseconds=1)
        await store.provider.withdraw(["a"], now)
        await store.provider.withdraw(["b"], now + tick)
        assert await store.provider.withdrawn(now - tick) == {"a", "b"}
        assert await store.provider.withdrawn(now) == {"a", "b"}
        assert await store.provider.withdrawn(now + tick) == {"b"}
        assert await store.provider.withdrawn(now + 2 * tick) == frozenset()

    @on_store
    async def test_withdrawing_twice_is_harmless(self, store: Store) -> None:
        now = store.clock()
        for later in (now, now, now + _SECOND):
            await store.provider.withdraw(["a", "b", "a"], later)
        await store.provider.withdraw(["b", "c"], now)
        assert await store.provider.withdrawn(now) == {"a", "b", "c"}
        assert await store.provider.withdrawn(now + _SECOND) == {"a", "b"}

    @on_store
    async def test_many_at_once(self, store: Store) -> None:
        ids = [f"{number:032x}-1f-{number:x}" for number in range(3000)]
        await store.provider.withdraw(ids, store.clock())
        assert await store.provider.withdrawn(store.clock() - _DAY) == set(ids)

    @on_store
    async def test_many_one_by_one(self, store: Store) -> None:
        ids = [f"e-1-{number}" for number in range(130)]
        now = store.clock()
        await many(store.provider.withdraw([one], now) for one in ids)
        assert await store.provider.withdrawn(now) == set(ids)

    @on_store
    async def test_odd_ids_are_kept_apart(self, store: Store) -> None:
        now = store.clock()
        for number, one in enumerate(_ODD_IDS):
            await store.provider.withdraw([one], now + number * _SECOND)
        for number in range(len(_ODD_IDS)):
            assert await store.provider.withdrawn(now + number * _SECOND) == set(_ODD_IDS[number:])
        await store.provider.withdraw(_ODD_IDS, now + _DAY)
        assert await store.provider.withdrawn(now + _DAY) == set(_ODD_IDS)

    @on_store
    async def test_two_processes_withdraw_at_once(self, store: Store) -> None:
        now = store.clock()
        await asyncio.gather(store.provider.withdraw(["a", "b"], now), store.provider.withdraw(["b", "c"], now))
        assert await store.provider.withdrawn(now) == {"a", "b", "c"}

    @on_store
    async def test_a_withdrawal_whose_answer_was_lost_is_repeated(self, store: Store) -> None:
        now = store.clock()
        faulty = losing_answers(store.provider, "withdraw")
        with pytest.raises(InjectedFaultError):
            await faulty.withdraw(["a", "b"], now)
        await faulty.withdraw(["a", "b"], now)
        assert await store.provider.withdrawn(now) == {"a", "b"}

    @on_store
    async def test_the_store_takes_nothing_out_of_the_queue(self, store: Store) -> None:
        """What a withdrawal means is the worker's business."""
        item = work_item("order-1", 1, store.clock())
        await store.provider.withdraw([item.id], store.clock())
        await store.provider.send([item])
        (delivery,) = await store.feed.receive_work(limit=4, lease=30 * _SECOND, wait=PATIENCE)
        assert delivery.messages == (item,)
        await store.provider.complete(delivery)

    @on_store
    async def test_a_sweep_keeps_what_a_delivery_may_ask_for(self, store: Store) -> None:
        now = store.clock()
        ages = {
            "new": timedelta(0),
            "young": MAX_DELIVERY_AGE - _SECOND,
            "old": MAX_DELIVERY_AGE + TOMBSTONE_AGE + _DAY,
        }
        for work_item_id, age in ages.items():
            await store.provider.withdraw([work_item_id], now - age)
        assert await store.catalog.sweep(now - TOMBSTONE_AGE) == 0
        assert await store.provider.withdrawn(now - timedelta(days=100)) == {"new", "young"}
        assert await store.catalog.sweep(now) == 0
        assert await store.provider.withdrawn(now - timedelta(days=100)) == {"new", "young"}

    @on_store
    async def test_withdrawals_are_nobodys_history(self, store: Store) -> None:
        for instance_id in ("^withdrawn", "order-1"):
            await started(store, execution(instance_id))
        await store.catalog.purge(await ended(store, execution("gone", execution_id="gone")))
        await store.provider.withdraw(["a"], store.clock() - timedelta(days=50))
        assert await store.catalog.sweep(store.clock() + _DAY) == 1
        for instance_id in ("^withdrawn", "order-1"):
            assert len((await store.provider.load(instance_id)).turns) == 1
