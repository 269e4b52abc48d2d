"""Work items with a tag: each is received only by who asks for its tag."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from durable_ext.records.messages import Delivery, Message, RunActivity
from durable_ext.records.payloads import inline
from durable_ext.testing.conformance.samples import (
    AFTER_SHORT_LEASE,
    LEASE,
    NO_WAIT,
    PATIENCE,
    SHORT_LEASE,
    message,
    work_item,
)
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
_TAGS = ("", "gpu", "", "cpu", "gpu", "a-20-characters-long")


def _tagged(store: Store, number: int, tag: str) -> Message:
    body = RunActivity(task_id=number, name="reserve", input=inline(b"{}"), tag=tag)
    return message(_ID, number, store.clock(), body=body)


async def _put(store: Store, *tags: str) -> None:
    await store.provider.send([_tagged(store, number, tag) for number, tag in enumerate(tags)])


async def _receive(store: Store, tag: str, count: int) -> Sequence[Delivery]:
    """So many messages of a tag, and then no more."""
    found: list[Delivery] = []
    while sum(len(delivery.messages) for delivery in found) < count:
        more = await store.feed.receive_work(limit=16, lease=LEASE, wait=PATIENCE, tag=tag)
        assert more, f"no more than {len(found)} deliveries of the tag {tag!r} came"
        found += more
    assert not await store.feed.receive_work(limit=16, lease=LEASE, wait=NO_WAIT, tag=tag)
    return found


def _numbers(deliveries: Sequence[Delivery]) -> list[int]:
    bodies = [message.body for delivery in deliveries for message in delivery.messages]
    return [body.task_id for body in bodies if isinstance(body, RunActivity)]


class TagConformance(Conformance):
    """send, reserve, receive_work, oldest_work: with a tag."""

    @on_store
    async def test_each_tag_gets_its_own(self, store: Store) -> None:
        """And who asks for none gets what has none; nobody's neighbours are touched."""
        await _put(store, *_TAGS)
        for tag in sorted(set(_TAGS), reverse=True):
            found = await _receive(store, tag, _TAGS.count(tag))
            assert _numbers(found) == [number for number, own in enumerate(_TAGS) if own == tag]
            assert {one.work_tag for delivery in found for one in delivery.messages} == {tag}

    @on_store
    async def test_a_tag_nobody_sent_is_empty(self, store: Store) -> None:
        await _put(store, "", "gpu")
        assert not await store.feed.receive_work(limit=16, lease=LEASE, wait=NO_WAIT, tag="tpu")
        await _put(store, "tpu")
        await _receive(store, "tpu", 1)

    @on_store
    async def test_what_is_given_back_keeps_its_tag(self, store: Store) -> None:
        await _put(store, "gpu", "")
        (delivery,) = await _receive(store, "gpu", 1)
        await store.provider.abandon(delivery)
        (again,) = await _receive(store, "gpu", 1)
        assert (again.messages, again.dequeue_count) == (delivery.messages, 2)
        assert _numbers(await _receive(store, "", 1)) == [1]
        await store.provider.complete(again)

    @on_store
    async def test_an_expired_lease_keeps_the_tag(self, store: Store) -> None:
        await _put(store, "gpu")
        assert await store.feed.receive_work(limit=1, lease=SHORT_LEASE, wait=PATIENCE, tag="gpu")
        await store.pass_time(AFTER_SHORT_LEASE)
        assert not await store.feed.receive_work(limit=16, lease=LEASE, wait=NO_WAIT)
        (delivery,) = await _receive(store, "gpu", 1)
        extended = await store.provider.extend(delivery, LEASE)
        await store.provider.complete(extended)
        assert not await store.feed.receive_work(limit=16, lease=LEASE, wait=NO_WAIT, tag="gpu")

    @on_store
    async def test_a_reserved_one_comes_back_under_its_tag(self, store: Store) -> None:
        reserved = await store.provider.reserve(_tagged(store, 1, "gpu"), LEASE)
        await store.provider.abandon(reserved)
        assert not await store.feed.receive_work(limit=16, lease=LEASE, wait=NO_WAIT)
        assert _numbers(await _receive(store, "gpu", 1)) == [1]

    @on_store
    async def test_the_oldest_of_each_tag(self, store: Store) -> None:
        assert await store.provider.oldest_work("gpu") is None
        await _put(store, "gpu")
        assert await store.provider.oldest_work() is None
        assert await store.provider.oldest_work("gpu") is not None
        await store.provider.send([work_item(_ID, 2, store.clock())])
        assert await store.provider.oldest_work() is not None
        assert await store.provider.oldest_work("cpu") is None

    @on_store
    async def test_an_instance_hears_of_none(self, store: Store) -> None:
        """A tagged work item beside a message for the instance: each in its own queue."""
        tagged = msgspec.structs.replace(_tagged(store, 1, "gpu"), id="tagged")
        await store.provider.send([tagged, message(_ID, 2, store.clock())])
        assert not await store.feed.receive_work(limit=16, lease=LEASE, wait=NO_WAIT)
        assert _numbers(await _receive(store, "gpu", 1)) == [1]

    @on_store
    async def test_a_deleted_hub_keeps_no_tagged_work(self, store: Store) -> None:
        await _put(store, "gpu")
        await store.provider.delete_hub()
        await store.provider.delete_hub()
