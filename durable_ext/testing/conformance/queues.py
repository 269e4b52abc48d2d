"""Queues: what is sent arrives, where and when it should."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from durable_ext.providers.contract import Feed
from durable_ext.records.codec import encode_message_reference, encode_messages
from durable_ext.records.failures import Failure
from durable_ext.records.ids import partition_of
from durable_ext.records.instance import Execution, Parent
from durable_ext.records.messages import (
    Body,
    FinishChild,
    FinishTask,
    FireTimer,
    Message,
    RaiseEvent,
    Resume,
    StartExecution,
    Suspend,
    Terminate,
)
from durable_ext.records.payloads import inline
from durable_ext.testing.conformance.samples import (
    AFTER_SHORT_LEASE,
    LEASE,
    NO_WAIT,
    PATIENCE,
    drain,
    message,
    receive,
    receive_one,
    text,
    work_item,
)
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
# Timers are coarser than clocks: a wait may end just short of its time.
_ROUNDING = timedelta(milliseconds=50)
# What a remote store on a busy machine may need for two calls.
_OWN_TIME = timedelta(seconds=5)


def _every_body(store: Store) -> tuple[Body, ...]:
    now = store.clock()
    return (
        StartExecution(
            execution=Execution(instance_id=_ID, execution_id="e", generation=2),
            name="Order",
            input=inline(b'{"n": 1}'),
            version="2",
            parent=Parent(instance_id="p", execution_id="pe", task_id=1, name="P"),
            tags={"a": "b"},
            created_at=now,
            scheduled_start=now + timedelta(days=1),
            row_etag='W/"1"',
        ),
        FinishTask(task_id=1, result=inline(b"1")),
        FinishTask(task_id=2, failure=Failure(type="a.B", message="m")),
        FinishChild(task_id=3, result=inline('"é"'.encode())),
        FireTimer(task_id=4, fire_at=now),
        RaiseEvent(name="paid", input=inline(b"null")),
        Terminate(reason="no", recursive=False),
        Suspend(reason="lunch"),
        Resume(),
    )


async def _work(feed: Feed, limit: int = 16) -> list[Message]:
    found = await feed.receive_work(limit=limit, lease=LEASE, wait=PATIENCE)
    return [one for delivery in found for one in delivery.messages]


class QueueConformance(Conformance):
    """send, receive_control, receive_work, open_delivery."""

    @on_store
    async def test_an_empty_queue_gives_nothing(self, store: Store) -> None:
        for partition in range(store.provider.partitions):
            assert not await store.feed.receive_control(partition, limit=1, lease=LEASE, wait=NO_WAIT)
        assert not await store.feed.receive_work(limit=1, lease=LEASE, wait=timedelta(seconds=1))

    @on_store
    async def test_every_body_comes_back_as_it_was(self, store: Store) -> None:
        sent = [message(_ID, n, store.clock(), body=body) for n, body in enumerate(_every_body(store))]
        await store.provider.send(sent)
        came = await drain(store, _ID, len(sent))
        assert sorted(came, key=lambda one: one.id) == sent

    @on_store
    async def test_marks_of_a_message_are_kept(self, store: Store) -> None:
        sent = Message(
            id="m",
            instance_id=_ID,
            body=Resume(),
            sent_at=store.clock(),
            execution_id="e",
            due=store.clock() - timedelta(hours=1),
            resent=True,
            deferrals=7,
            recoveries=2,
            failures=3,
        )
        await store.provider.send([sent])
        assert (await receive_one(store, _ID)).messages == (sent,)

    @on_store
    async def test_a_work_item_goes_to_the_work_queue(self, store: Store) -> None:
        item = work_item(_ID, 1, store.clock())
        await store.provider.send([item])
        assert await _work(store.feed) == [item]
        assert not await receive(store, _ID)

    @on_store
    async def test_a_message_goes_to_the_partition_of_its_instance(self, store: Store) -> None:
        ids = [f"order-{n}" for n in range(8)]
        await store.provider.send([message(one, n, store.clock()) for n, one in enumerate(ids)])
        for partition in range(store.provider.partitions):
            came: set[str] = set()
            wanted = {one for one in ids if partition_of(one, store.provider.partitions) == partition}
            while came != wanted:
                found = await store.feed.receive_control(partition, limit=16, lease=LEASE, wait=PATIENCE)
                assert found
                came |= {one.instance_id for delivery in found for one in delivery.messages}
            assert not await store.feed.receive_control(partition, limit=16, lease=LEASE, wait=NO_WAIT)

    @on_store
    async def test_messages_come_in_the_order_they_were_sent(self, store: Store) -> None:
        for n in range(12):
            await store.provider.send([message(_ID, n, store.clock())])
        assert [one.id for one in await drain(store, _ID, 12)] == [f"message-{n}" for n in range(12)]

    @on_store
    async def test_the_oldest_work_item_comes_first(self, store: Store) -> None:
        """So that a stream of new ones starves nobody."""
        for n in range(5):
            await store.provider.send([work_item(_ID, n, store.clock())])
        came = [one.id for _ in range(5) for one in await _work(store.feed, limit=1)]
        assert came == [f"message-{n}" for n in range(5)]
        assert not await store.feed.receive_work(limit=1, lease=LEASE, wait=NO_WAIT)

    @on_store
    async def test_many_messages_of_one_call_all_arrive_once(self, store: Store) -> None:
        sent = [message(_ID, n, store.clock()) for n in range(150)]
        await store.provider.send(sent)
        came = await drain(store, _ID, len(sent))
        assert sorted(one.id for one in came) == sorted(one.id for one in sent)
        assert not await receive(store, _ID)

    @on_store
    async def test_sends_at_once_all_arrive(self, store: Store) -> None:
        """However the provider gathers them (S7)."""
        sent = [message(_ID, n, store.clock()) for n in range(60)]
        await asyncio.gather(*(store.provider.send([one]) for one in sent))
        assert {one.id for one in await drain(store, _ID, len(sent))} == {one.id for one in sent}

    @on_store
    async def test_sending_nothing_is_nothing(self, store: Store) -> None:
        await store.provider.send([])
        assert not await receive(store, _ID)

    @on_store
    async def test_no_more_deliveries_than_asked_for(self, store: Store) -> None:
        for n in range(5):
            await store.provider.send([message(_ID, n, store.clock())])
        assert len(await receive(store, _ID, limit=2, wait=PATIENCE)) == 2
        assert len(await receive(store, _ID, limit=16, wait=PATIENCE)) == 3

    @on_store
    async def test_a_message_of_a_hundred_kilobytes(self, store: Store) -> None:
        parts = [inline(text(20_000).data) for _ in range(5)]
        tags = {f"part{n}": part.data.decode() for n, part in enumerate(parts)}
        body = StartExecution(
            execution=Execution(instance_id=_ID, execution_id="e"), name="N", tags=tags, created_at=store.clock()
        )
        big = message(_ID, 1, store.clock(), body=body)
        await store.provider.send([big])
        assert await drain(store, _ID, 1) == [big]

    @on_store
    async def test_a_message_is_hidden_until_it_is_due(self, store: Store) -> None:
        late = Message(
            id="late", instance_id=_ID, body=Resume(), sent_at=store.clock(), due=store.clock() + timedelta(seconds=2)
        )
        await store.provider.send([late, message(_ID, 1, store.clock())])
        assert [one.id for one in await drain(store, _ID, 1)] == ["message-1"]
        assert not await receive(store, _ID)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert await drain(store, _ID, 1) == [late]

    @on_store
    async def test_a_message_due_in_a_year_can_be_sent(self, store: Store) -> None:
        """Further ahead than some queues can hide a message: it comes early, but not now."""
        due = store.clock() + timedelta(days=365)
        body = FireTimer(task_id=1, fire_at=due)
        await store.provider.send(
            [Message(id="late", instance_id=_ID, body=body, sent_at=store.clock(), due=due), message(_ID, 1, due)]
        )
        assert [one.id for one in await drain(store, _ID, 1)] == ["message-1"]
        assert not await receive(store, _ID)

    @on_store
    async def test_a_due_message_ends_the_wait_of_a_receiver(self, store: Store) -> None:
        due = store.clock() + timedelta(seconds=2)
        late = Message(id="late", instance_id=_ID, body=Resume(), sent_at=store.clock(), due=due)
        await store.provider.send([late])
        delivery = await receive_one(store, _ID)
        assert delivery.messages == (late,)
        assert store.clock() - due < timedelta(seconds=5)

    @on_store
    async def test_a_send_ends_the_wait_of_a_receiver(self, store: Store) -> None:
        waiting = asyncio.create_task(receive(store, _ID, wait=PATIENCE))
        item = asyncio.create_task(_work(store.feed))
        await store.pass_time(0.1)
        before = store.clock()
        await store.provider.send([message(_ID, 1, before), work_item(_ID, 2, before)])
        assert [one.id for delivery in await waiting for one in delivery.messages] == ["message-1"]
        assert [one.id for one in await item] == ["message-2"]
        assert store.clock() - before < timedelta(seconds=1)

    @on_store
    async def test_a_receiver_waits_as_long_as_it_was_told(self, store: Store) -> None:
        for wait in (NO_WAIT, timedelta(seconds=1)):
            before = store.clock()
            assert not await receive(store, _ID, wait=wait)
            assert not await store.feed.receive_work(limit=1, lease=LEASE, wait=wait)
            assert 2 * wait - _ROUNDING <= store.clock() - before < 2 * wait + _OWN_TIME

    @on_store
    async def test_of_receivers_at_once_each_message_has_one(self, store: Store) -> None:
        for n in range(10):
            await store.provider.send([message(_ID, n, store.clock())])
        found = await asyncio.gather(*(receive(store, _ID, limit=3, wait=NO_WAIT) for _ in range(6)))
        ids = [one.id for deliveries in found for delivery in deliveries for one in delivery.messages]
        assert len(ids) == len(set(ids))

    @on_store
    async def test_receivers_at_once_leave_nothing_behind(self, store: Store) -> None:
        """Whoever lost a message to another receiver takes the next one."""
        for n in range(10):
            await store.provider.send([work_item(f"order-{n}", n, store.clock())])
        found = await asyncio.gather(*(_work(store.feed, limit=1) for _ in range(10)))
        assert {one.id for came in found for one in came} == {f"message-{n}" for n in range(10)}

    @on_store
    async def test_a_body_from_a_trigger_is_opened(self, store: Store) -> None:
        """F2: the host received it and holds the lease."""
        sent = message(_ID, 1, store.clock())
        delivery = await store.provider.open_delivery("queue", "id-1", encode_messages((sent,)).decode(), 3)
        assert (delivery.queue, delivery.id, delivery.dequeue_count) == ("queue", "id-1", 3)
        assert (delivery.messages, delivery.defect) == ((sent,), None)

    @on_store
    async def test_a_body_that_cannot_be_opened_is_a_defect(self, store: Store) -> None:
        """P11: never an exception, and the body is kept."""
        reference = encode_message_reference(f"{_ID}/there-is-no-such-blob").decode()
        unknown = '{"durable": {"v": 99, "items": []}}'
        for body in ("junk", "", "{}", '{"durable": 1}', unknown, reference):
            delivery = await store.provider.open_delivery("queue", "id-1", body, 1)
            assert delivery.messages == (), body
            assert delivery.defect is not None, body
            assert delivery.defect.reason
            assert delivery.defect.body == body
            assert delivery.receipt is None

    @on_store
    async def test_a_message_of_an_unknown_kind_is_a_defect(self, store: Store) -> None:
        """A newer build sent it; nothing of it may be dropped in silence (P11)."""
        known = encode_messages((message(_ID, 1, store.clock()),)).decode()
        body = known.replace('"RaiseEvent"', '"Unheard"')
        assert body != known
        delivery = await store.provider.open_delivery("queue", "id-1", body, 1)
        assert delivery.messages == ()
        assert delivery.defect is not None
        assert (delivery.defect.body, "Unheard" in delivery.defect.reason) == (body, True)
