"""Peek-lock: a received message is hidden until its lease ends, and only the last receipt counts (S6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from durable_ext.errors import LeaseLostError
from durable_ext.records.messages import Delivery
from durable_ext.testing.conformance.samples import (
    AFTER_SHORT_LEASE,
    LEASE,
    PATIENCE,
    SHORT_LEASE,
    drain,
    message,
    receive,
    receive_one,
    work_item,
)
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"


async def _send(store: Store, *, lease: timedelta = LEASE) -> Delivery:
    """A message that was sent and received."""
    await store.provider.send([message(_ID, 1, store.clock())])
    return await receive_one(store, _ID, lease=lease)


async def _take_over(store: Store) -> tuple[Delivery, Delivery]:
    """A delivery whose lease ended, and the one that somebody else has of the same message."""
    stale = await _send(store, lease=SHORT_LEASE)
    await store.pass_time(AFTER_SHORT_LEASE)
    return stale, await receive_one(store, _ID)


class LeaseConformance(Conformance):
    """complete, abandon, extend, reserve."""

    @on_store
    async def test_a_received_message_is_hidden(self, store: Store) -> None:
        delivery = await _send(store)
        assert delivery.dequeue_count == 1
        assert delivery.receipt
        assert not await receive(store, _ID)

    @on_store
    async def test_a_lease_that_ends_shows_the_message_again(self, store: Store) -> None:
        first, second = await _take_over(store)
        assert second.messages == first.messages
        assert (second.id, second.queue) == (first.id, first.queue)
        assert second.dequeue_count == 2
        assert second.receipt != first.receipt

    @on_store
    async def test_a_lease_that_ended_unnoticed_is_still_ours(self, store: Store) -> None:
        """Nobody else took the message: it can be held again, and completed."""
        delivery = await _send(store, lease=SHORT_LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        held = await store.provider.extend(delivery, SHORT_LEASE)
        assert not await receive(store, _ID)
        await store.pass_time(AFTER_SHORT_LEASE)
        await store.provider.complete(held)
        assert not await receive(store, _ID)

    @on_store
    async def test_what_is_held_does_not_hold_up_others(self, store: Store) -> None:
        """Of another instance, or of the same one; and each has a receipt of its own."""
        for n, instance_id in enumerate((_ID, _ID, "order-2")):
            await store.provider.send([message(instance_id, n, store.clock())])
        first, second = [(await receive(store, _ID, limit=1))[0] for _ in range(2)]
        (third,) = await drain(store, "order-2", 1)
        assert [first.messages[0].id, second.messages[0].id, third.id] == [f"message-{n}" for n in range(3)]
        assert (first.id, first.receipt) != (second.id, second.receipt)

    @on_store
    async def test_what_arrives_meanwhile_is_not_completed_with_the_rest(self, store: Store) -> None:
        """What is held is what was received, whatever else there is for the same instance by then."""
        delivery = await _send(store)
        await store.provider.send([message(_ID, 2, store.clock()), message(_ID, 3, store.clock())])
        await store.provider.complete(delivery)
        assert sorted(one.id for one in await drain(store, _ID, 2)) == ["message-2", "message-3"]

    @on_store
    async def test_of_receivers_at_once_one_takes_over(self, store: Store) -> None:
        stale = await _send(store, lease=SHORT_LEASE)
        assert not any(await asyncio.gather(*(receive(store, _ID) for _ in range(5))))
        await store.pass_time(AFTER_SHORT_LEASE)
        found = await asyncio.gather(*(receive(store, _ID) for _ in range(5)))
        ((held,),) = [came for came in found if came]
        assert (held.id, held.dequeue_count) == (stale.id, 2)

    @on_store
    async def test_deliveries_are_counted(self, store: Store) -> None:
        await store.provider.send([message(_ID, 1, store.clock())])
        for count in range(1, 7):
            delivery = await receive_one(store, _ID)
            assert delivery.dequeue_count == count
            await store.provider.abandon(delivery)

    @on_store
    async def test_each_message_counts_its_own_deliveries(self, store: Store) -> None:
        first = await _send(store)
        await store.provider.send([message(_ID, 2, store.clock())])
        await store.provider.abandon(first)
        found = await receive(store, _ID, wait=PATIENCE)
        assert {one.id: delivery.dequeue_count for delivery in found for one in delivery.messages} == {
            "message-1": 2,
            "message-2": 1,
        }

    @on_store
    async def test_a_completed_message_is_gone(self, store: Store) -> None:
        delivery = await _send(store, lease=SHORT_LEASE)
        await store.provider.complete(delivery)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert not await receive(store, _ID)
        await store.provider.complete(delivery)

    @on_store
    async def test_completing_one_leaves_the_others(self, store: Store) -> None:
        for n in range(3):
            await store.provider.send([message(_ID, n, store.clock())])
        deliveries = await receive(store, _ID)
        assert len(deliveries) == 3
        await store.provider.complete(deliveries[1])
        for delivery in deliveries:
            await store.provider.abandon(delivery)
        left = {one.id for delivery in await receive(store, _ID) for one in delivery.messages}
        assert left == {"message-0", "message-2"}

    @on_store
    async def test_completing_what_somebody_else_has_does_nothing(self, store: Store) -> None:
        stale, held = await _take_over(store)
        await store.provider.complete(stale)
        extended = await store.provider.extend(held, LEASE)
        await store.provider.abandon(extended)
        assert (await receive_one(store, _ID)).messages == held.messages

    @on_store
    async def test_an_abandoned_message_comes_at_once(self, store: Store) -> None:
        delivery = await _send(store)
        await store.provider.abandon(delivery)
        assert (await receive_one(store, _ID)).dequeue_count == 2

    @on_store
    async def test_an_abandoned_message_may_come_later(self, store: Store) -> None:
        delivery = await _send(store)
        await store.provider.abandon(delivery, timedelta(seconds=2))
        assert not await receive(store, _ID)
        await store.pass_time(3)
        assert (await receive_one(store, _ID)).messages == delivery.messages

    @on_store
    async def test_an_abandoned_work_item_does_not_hold_up_others(self, store: Store) -> None:
        for n in range(2):
            await store.provider.send([work_item(_ID, n, store.clock())])
        (first,) = await store.feed.receive_work(limit=1, lease=LEASE, wait=PATIENCE)
        await store.provider.abandon(first, timedelta(seconds=2))
        (second,) = await store.feed.receive_work(limit=4, lease=LEASE, wait=PATIENCE)
        assert (first.messages[0].id, second.messages[0].id) == ("message-0", "message-1")
        await store.pass_time(3)
        (again,) = await store.feed.receive_work(limit=4, lease=LEASE, wait=PATIENCE)
        assert (again.messages, again.dequeue_count) == (first.messages, 2)

    @on_store
    async def test_a_completed_work_item_is_gone(self, store: Store) -> None:
        """Completing it twice, at once, is no error: receivers drop repeats (P7)."""
        await store.provider.send([work_item(_ID, 1, store.clock())])
        (delivery,) = await store.feed.receive_work(limit=4, lease=SHORT_LEASE, wait=PATIENCE)
        await asyncio.gather(store.provider.complete(delivery), store.provider.complete(delivery))
        await store.pass_time(AFTER_SHORT_LEASE)
        assert not await store.feed.receive_work(limit=4, lease=LEASE, wait=timedelta(0))
        with pytest.raises(LeaseLostError):
            await store.provider.extend(delivery, LEASE)

    @on_store
    async def test_abandoning_what_somebody_else_has_does_nothing(self, store: Store) -> None:
        stale, held = await _take_over(store)
        await store.provider.abandon(stale)
        assert not await receive(store, _ID)
        await store.provider.complete(held)

    @on_store
    async def test_abandoning_what_is_gone_does_nothing(self, store: Store) -> None:
        delivery = await _send(store)
        await store.provider.complete(delivery)
        await store.provider.abandon(delivery)
        assert not await receive(store, _ID)

    @on_store
    async def test_an_extended_lease_holds_longer(self, store: Store) -> None:
        delivery = await _send(store, lease=SHORT_LEASE)
        extended = await store.provider.extend(delivery, LEASE)
        assert extended.receipt != delivery.receipt
        assert msgspec.structs.replace(extended, receipt=None) == msgspec.structs.replace(delivery, receipt=None)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert not await receive(store, _ID)
        await store.provider.complete(extended)

    @on_store
    async def test_a_lease_can_be_extended_again(self, store: Store) -> None:
        delivery = await _send(store)
        for _ in range(3):
            delivery = await store.provider.extend(delivery, LEASE)
        await store.provider.abandon(delivery)
        assert (await receive_one(store, _ID)).dequeue_count == 2

    @on_store
    async def test_an_extended_lease_ends_too(self, store: Store) -> None:
        delivery = await _send(store)
        await store.provider.extend(delivery, SHORT_LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert (await receive_one(store, _ID)).dequeue_count == 2

    @on_store
    async def test_a_lease_that_was_taken_over_cannot_be_extended(self, store: Store) -> None:
        stale, held = await _take_over(store)
        with pytest.raises(LeaseLostError):
            await store.provider.extend(stale, LEASE)
        await store.provider.extend(held, LEASE)

    @on_store
    async def test_an_older_receipt_cannot_be_extended(self, store: Store) -> None:
        delivery = await _send(store)
        await store.provider.extend(delivery, LEASE)
        with pytest.raises(LeaseLostError):
            await store.provider.extend(delivery, LEASE)

    @on_store
    async def test_a_made_up_receipt_holds_nothing(self, store: Store) -> None:
        delivery = await _send(store)
        for receipt in ("no receipt", "0", "AgAAAAMAAAAAAAAAAAAAAAAAAAA="):
            made_up = msgspec.structs.replace(delivery, receipt=receipt)
            with pytest.raises(LeaseLostError):
                await store.provider.extend(made_up, LEASE)
            await store.provider.complete(made_up)
            await store.provider.abandon(made_up)
            assert not await receive(store, _ID)
        await store.provider.abandon(delivery)
        assert (await receive_one(store, _ID)).dequeue_count == 2

    @on_store
    async def test_what_is_gone_cannot_be_extended(self, store: Store) -> None:
        delivery = await _send(store)
        await store.provider.complete(delivery)
        with pytest.raises(LeaseLostError):
            await store.provider.extend(delivery, LEASE)

    @on_store
    async def test_a_reserved_message_is_ours_from_the_start(self, store: Store) -> None:
        """S4: nobody else sees it while its lease holds."""
        ours = message(_ID, 1, store.clock())
        delivery = await store.provider.reserve(ours, LEASE)
        assert (delivery.messages, delivery.dequeue_count, delivery.defect) == ((ours,), 1, None)
        assert not await receive(store, _ID)
        await store.provider.complete(await store.provider.extend(delivery, LEASE))
        assert not await receive(store, _ID)

    @on_store
    async def test_a_reserved_message_comes_when_its_lease_ends(self, store: Store) -> None:
        ours = message(_ID, 1, store.clock())
        await store.provider.reserve(ours, SHORT_LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert (await receive_one(store, _ID)).messages == (ours,)

    @on_store
    async def test_a_reserved_message_can_be_given_back(self, store: Store) -> None:
        ours = message(_ID, 1, store.clock())
        await store.provider.abandon(await store.provider.reserve(ours, LEASE))
        assert (await receive_one(store, _ID)).messages == (ours,)

    @on_store
    async def test_work_items_are_leased_too(self, store: Store) -> None:
        await store.provider.send([work_item(_ID, 1, store.clock())])
        (first,) = await store.feed.receive_work(limit=4, lease=SHORT_LEASE, wait=timedelta(seconds=5))
        assert not await store.feed.receive_work(limit=4, lease=LEASE, wait=timedelta(0))
        await store.pass_time(AFTER_SHORT_LEASE)
        (second,) = await store.feed.receive_work(limit=4, lease=LEASE, wait=timedelta(seconds=5))
        assert (second.dequeue_count, second.messages) == (2, first.messages)
        with pytest.raises(LeaseLostError):
            await store.provider.extend(first, LEASE)
        await store.provider.complete(second)
