"""Since when the next message of a queue waits: seen without receiving it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from durable_ext.records.ids import partition_of
from durable_ext.testing.conformance.samples import (
    AFTER_SHORT_LEASE,
    LEASE,
    PATIENCE,
    SHORT_LEASE,
    message,
    work_item,
)
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
# Times have no fractions where the store keeps none.
_SECOND = timedelta(seconds=1)


async def _put(store: Store, number: int) -> tuple[datetime, datetime]:
    """Put a work item; between when and when that was."""
    before = store.clock()
    await store.provider.send([work_item(_ID, number, before)])
    return before, store.clock()


async def _is(store: Store, put: tuple[datetime, datetime]) -> bool:
    found = await store.provider.oldest_work()
    return found is not None and found.utcoffset() == timedelta(0) and put[0] - _SECOND <= found <= put[1]


class BacklogConformance(Conformance):
    """oldest_work, oldest_control."""

    @on_store
    async def test_an_empty_queue_has_no_oldest(self, store: Store) -> None:
        assert await store.provider.oldest_work() is None
        await store.provider.send([message(_ID, 1, store.clock())])
        assert await store.provider.oldest_work() is None

    @on_store
    async def test_the_oldest_is_what_comes_next(self, store: Store) -> None:
        first = await _put(store, 1)
        await store.pass_time(2.5)
        second = await _put(store, 2)
        assert second[0] - first[1] > 2 * _SECOND
        for put in (first, second):
            assert await _is(store, put)
            (delivery,) = await store.feed.receive_work(limit=1, lease=LEASE, wait=PATIENCE)
            await store.provider.complete(delivery)
        assert await store.provider.oldest_work() is None

    @on_store
    async def test_the_oldest_of_a_control_queue(self, store: Store) -> None:
        async def oldest() -> dict[int, datetime]:
            found = {each: await store.provider.oldest_control(each) for each in range(store.provider.partitions)}
            return {each: at for each, at in found.items() if at is not None}

        own = partition_of(_ID, store.provider.partitions)
        before = store.clock()
        await store.provider.send([work_item(_ID, 1, before)])
        assert await oldest() == {}
        await store.provider.send([message(_ID, 2, before)])
        found = await oldest()
        assert list(found) == [own]
        assert before - _SECOND <= found[own] <= store.clock()
        (delivery,) = await store.feed.receive_control(own, limit=4, lease=LEASE, wait=PATIENCE)
        assert delivery.dequeue_count == 1
        assert await oldest() == {}
        await store.provider.complete(delivery)

    @on_store
    async def test_looking_is_no_delivery(self, store: Store) -> None:
        await _put(store, 1)
        for _ in range(3):
            assert await store.provider.oldest_work() is not None
        (delivery,) = await store.feed.receive_work(limit=4, lease=LEASE, wait=PATIENCE)
        assert delivery.dequeue_count == 1
        await store.provider.complete(delivery)

    @on_store
    async def test_what_is_hidden_does_not_wait(self, store: Store) -> None:
        """Leased, reserved, or not due yet."""
        await _put(store, 1)
        (leased,) = await store.feed.receive_work(limit=4, lease=LEASE, wait=PATIENCE)
        reserved = await store.provider.reserve(work_item(_ID, 2, store.clock()), LEASE)
        later = msgspec.structs.replace(work_item(_ID, 3, store.clock()), due=store.clock() + 60 * _SECOND)
        await store.provider.send([later])
        assert await store.provider.oldest_work() is None
        for delivery in (leased, reserved):
            await store.provider.complete(delivery)

    @on_store
    async def test_what_comes_back_was_put_when_it_was_put(self, store: Store) -> None:
        put = await _put(store, 1)
        assert await store.feed.receive_work(limit=4, lease=SHORT_LEASE, wait=PATIENCE)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert await _is(store, put)
