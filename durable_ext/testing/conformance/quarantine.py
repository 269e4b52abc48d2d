"""Messages that cannot be processed are kept, listed, and replayed or forgotten by an operator (P11)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec

from durable_ext.records.codec import encode_messages
from durable_ext.records.messages import Delivery, Message, Quarantined, RaiseEvent
from durable_ext.testing.conformance.samples import PATIENCE, message, receive, receive_one, text
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"


async def _kept(store: Store, number: int, *, after: timedelta = timedelta(0), body: str = "junk") -> Quarantined:
    one = Quarantined(
        id=f"bad-{number}",
        queue="some-queue",
        body=body,
        reason="it cannot be decoded",
        instance_id=_ID,
        dequeue_count=5,
        time=store.clock() + after,
        stack="Traceback (most recent call last):\n  it broke: 'é日'\n",
    )
    await store.provider.quarantine(one)
    return one


async def _set_aside(store: Store, sent: Message | None = None) -> tuple[Message, Quarantined]:
    """A real message that was received and given up."""
    sent = sent or message(_ID, 1, store.clock())
    await store.provider.send([sent])
    delivery = await receive_one(store, _ID)
    given_up = Quarantined(
        id=sent.id,
        queue=delivery.queue,
        body=encode_messages(delivery.messages).decode(),
        reason="it failed five times",
        instance_id=_ID,
        dequeue_count=5,
        time=store.clock(),
    )
    await store.provider.quarantine(given_up)
    await store.provider.complete(delivery)
    return sent, given_up


async def _both(store: Store) -> tuple[Delivery, Delivery]:
    """The delivery with a defect, and the one without."""
    found: list[Delivery] = []
    while len(found) < 2:
        came = await receive(store, _ID, wait=PATIENCE)
        assert came, f"{len(found)} of 2 deliveries came"
        found += came
    found.sort(key=lambda delivery: delivery.defect is None)
    assert [delivery.defect is None for delivery in found] == [False, True]
    return found[0], found[1]


class QuarantineConformance(Conformance):
    """quarantine, list_quarantined, read_quarantined, release_quarantined."""

    @on_store
    async def test_nothing_is_kept_at_first(self, store: Store) -> None:
        assert list(await store.catalog.list_quarantined()) == []
        assert not await store.catalog.release_quarantined("none", replay=True)
        assert not await store.catalog.release_quarantined("none", replay=False)

    @on_store
    async def test_a_kept_message_is_listed_as_it_was(self, store: Store) -> None:
        one = await _kept(store, 1)
        assert list(await store.catalog.list_quarantined()) == [one]

    @on_store
    async def test_one_message_is_had_by_its_id(self, store: Store) -> None:
        kept = [await _kept(store, number, body=text(100_000).data.decode()) for number in range(3)]
        assert [await store.catalog.read_quarantined(one.id) for one in kept] == kept
        assert await store.catalog.read_quarantined("bad-3") is None

    @on_store
    async def test_a_message_without_a_stack_is_kept(self, store: Store) -> None:
        """Nobody may have been there to see the last error; then again somebody may have seen a long one."""
        _, given_up = await _set_aside(store)
        assert await store.catalog.read_quarantined(given_up.id) == given_up
        long = msgspec.structs.replace(given_up, stack="é" * 8000)
        await store.provider.quarantine(long)
        assert list(await store.catalog.list_quarantined()) == [long]

    @on_store
    async def test_more_than_a_page_are_listed(self, store: Store) -> None:
        kept = [await _kept(store, number, after=timedelta(seconds=number)) for number in range(150)]
        assert list(await store.catalog.list_quarantined(limit=1000)) == kept
        assert list(await store.catalog.list_quarantined(limit=120)) == kept[:120]

    @on_store
    async def test_the_oldest_come_first(self, store: Store) -> None:
        late = await _kept(store, 1, after=timedelta(seconds=20))
        early = await _kept(store, 2)
        middle = await _kept(store, 3, after=timedelta(seconds=10))
        assert list(await store.catalog.list_quarantined()) == [early, middle, late]
        assert list(await store.catalog.list_quarantined(limit=2)) == [early, middle]

    @on_store
    async def test_a_message_kept_twice_is_there_once(self, store: Store) -> None:
        one = await _kept(store, 1)
        await store.provider.quarantine(one)
        assert list(await store.catalog.list_quarantined()) == [one]

    @on_store
    async def test_odd_bodies_are_kept(self, store: Store) -> None:
        bodies = (text(200_000).data.decode(), "", "line 1\nline 2\t'\"%", "é日本😀", "\\xff")
        kept = [await _kept(store, n, after=timedelta(seconds=n), body=body) for n, body in enumerate(bodies)]
        assert list(await store.catalog.list_quarantined()) == kept

    @on_store
    async def test_a_forgotten_message_is_gone(self, store: Store) -> None:
        _, given_up = await _set_aside(store)
        kept = await _kept(store, 7)
        assert await store.catalog.release_quarantined(given_up.id, replay=False)
        assert list(await store.catalog.list_quarantined()) == [kept]
        assert not await receive(store, _ID)
        assert not await store.catalog.release_quarantined(given_up.id, replay=False)

    @on_store
    async def test_a_replayed_message_comes_again(self, store: Store) -> None:
        sent, given_up = await _set_aside(store)
        assert not await receive(store, _ID)
        assert await store.catalog.release_quarantined(given_up.id, replay=True)
        delivery = await receive_one(store, _ID)
        assert delivery.messages == (sent,)
        assert delivery.queue == given_up.queue
        assert list(await store.catalog.list_quarantined()) == []

    @on_store
    async def test_a_replay_ends_the_wait_of_a_receiver(self, store: Store) -> None:
        _, given_up = await _set_aside(store)
        waiting = asyncio.create_task(receive(store, _ID, wait=PATIENCE))
        await store.pass_time(0.1)
        before = store.clock()
        assert await store.catalog.release_quarantined(given_up.id, replay=True)
        assert len(await waiting) == 1
        assert store.clock() - before < timedelta(seconds=1)

    @on_store
    async def test_a_long_message_is_replayed_whole(self, store: Store) -> None:
        """Longer than a queue takes: the store moved it away when it was sent, and does when it is replayed."""
        body = RaiseEvent(name="go", input=text(100_000))
        long = msgspec.structs.replace(message(_ID, 1, store.clock()), body=body)
        sent, given_up = await _set_aside(store, long)
        assert await store.catalog.release_quarantined(given_up.id, replay=True)
        assert (await receive_one(store, _ID)).messages == (sent,)

    @on_store
    async def test_a_message_without_a_queue_goes_where_it_belongs(self, store: Store) -> None:
        """Who gave it up for a dead process had not received it, and does not know the queue."""
        sent, given_up = await _set_aside(store)
        await store.provider.quarantine(msgspec.structs.replace(given_up, queue=""))
        assert await store.catalog.release_quarantined(given_up.id, replay=True)
        assert (await receive_one(store, _ID)).messages == (sent,)

    @on_store
    async def test_a_message_nobody_can_read_holds_up_no_other(self, store: Store) -> None:
        """It comes with its defect, again and again, and the others come too."""
        _, given_up = await _set_aside(store)
        unreadable = msgspec.structs.replace(given_up, id="odd", body='{"durable": {"v": 1, "items": [{}]}}')
        await store.provider.quarantine(unreadable)
        assert await store.catalog.release_quarantined("odd", replay=True)
        await store.provider.send([message(_ID, 9, store.clock())])
        for count in (1, 2):
            bad, good = await _both(store)
            assert (bad.messages, bad.dequeue_count, good.messages[0].id) == ((), count, "message-9")
            await store.provider.abandon(bad)
            await store.provider.abandon(good)

    @on_store
    async def test_odd_ids_are_kept_apart(self, store: Store) -> None:
        ids = ["a/b", "A/B", "a\\b", "a#b?c", "a'b", "x" * 600, "é", "a%2Fb"]
        for instance_id in ids:
            await store.provider.quarantine(
                Quarantined(
                    id=instance_id,
                    queue="q",
                    body=instance_id,
                    reason="r",
                    instance_id="",
                    dequeue_count=1,
                    time=store.clock(),
                )
            )
        assert {(one.id, one.body) for one in await store.catalog.list_quarantined()} == {(one, one) for one in ids}
        for instance_id in ids:
            assert await store.catalog.release_quarantined(instance_id, replay=False)
        assert list(await store.catalog.list_quarantined()) == []
