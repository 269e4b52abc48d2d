"""S7: one put in flight for each queue, what arrives meanwhile shares the next message, within its limits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from durable_ext.errors import StorageError, StorageUnavailableError
from durable_ext.providers.azure_storage.gather import Gather, Parcel, take
from durable_ext.records.codec import decode_messages, encode_messages
from durable_ext.records.limits import MAX_ITEMS_PER_MESSAGE, MAX_QUEUE_MESSAGE_BYTES
from durable_ext.records.messages import Message
from durable_ext.records.payloads import inline

from .samples import NOW, message


def parcel(sent: Message, queue: str = "q", due: datetime | None = None) -> Parcel:
    return Parcel(queue, due, encode_messages((sent,)), sent)


def parcels(count: int, size: int = 10) -> list[Parcel]:
    data = b'"' + b"x" * size + b'"'
    return [parcel(message(message_id=f"m{number}", input=inline(data))) for number in range(count)]


class Queue:
    """Puts that end when they are told."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, tuple[str, ...], datetime | None]] = []
        self.gate = asyncio.Event()
        self.failures: list[Exception] = []
        self.most_at_once = 0
        self._at_once = 0

    async def put(self, queue: str, body: bytes, due: datetime | None) -> None:
        found = decode_messages(body)
        assert not isinstance(found, str)
        self.puts.append((queue, tuple(sent.id for sent in found), due))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self._at_once -= 1

    @property
    def sizes(self) -> Sequence[int]:
        return [len(ids) for _, ids, _ in self.puts]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_arrives_during_a_put_shares_the_next() -> None:
    async def main() -> None:
        queue = Queue()
        gather = Gather(queue.put)
        sends = [asyncio.create_task(gather.send([item])) for item in parcels(1)]
        await settle()
        sends += [asyncio.create_task(gather.send([item])) for item in parcels(30)]
        await settle()
        assert queue.sizes == [1]
        queue.gate.set()
        await asyncio.gather(*sends)
        assert queue.sizes == [1, 30]
        assert queue.most_at_once == 1

    asyncio.run(main())


def test_a_send_returns_when_its_own_messages_are_stored_and_not_before() -> None:
    async def main() -> None:
        queue = Queue()
        gather = Gather(queue.put)
        send = asyncio.create_task(gather.send(parcels(MAX_ITEMS_PER_MESSAGE + 1)))
        await settle()
        assert not send.done()
        queue.gate.set()
        await send
        assert queue.sizes == [MAX_ITEMS_PER_MESSAGE, 1]
        await gather.send([])

    asyncio.run(main())


def test_queues_do_not_wait_for_each_other_and_keep_their_order() -> None:
    async def main() -> None:
        queue = Queue()
        gather = Gather(queue.put)
        todo = [parcel(message(message_id=f"{name}{n}"), queue=name) for n in range(3) for name in "ab"]
        send = asyncio.create_task(gather.send(todo))
        await settle()
        queue.gate.set()
        await send
        assert queue.most_at_once == 2
        assert queue.puts == [("a", ("a0", "a1", "a2"), None), ("b", ("b0", "b1", "b2"), None)]

    asyncio.run(main())


def test_messages_due_at_different_times_do_not_share() -> None:
    async def main() -> None:
        queue = Queue()
        queue.gate.set()
        gather = Gather(queue.put)
        times = [None, NOW, NOW + timedelta(seconds=1), NOW]
        await gather.send([parcel(message(message_id=f"m{n}"), due=due) for n, due in enumerate(times)])
        assert sorted(queue.puts, key=str) == sorted(
            [("q", ("m0",), None), ("q", ("m1", "m3"), NOW), ("q", ("m2",), times[2])], key=str
        )

    asyncio.run(main())


def test_a_failed_put_fails_those_it_carried_and_nobody_else() -> None:
    async def main() -> None:
        queue = Queue()
        queue.failures.append(StorageUnavailableError("throttled"))
        gather = Gather(queue.put)
        first, second = (parcels(1)[0] for _ in range(2))
        sends = [asyncio.create_task(gather.send([first]))]
        await settle()
        sends.append(asyncio.create_task(gather.send([second])))
        queue.gate.set()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert isinstance(outcomes[0], StorageUnavailableError)
        assert outcomes[1] is None
        await gather.send(parcels(1))

    asyncio.run(main())


def test_closing_fails_who_still_waits() -> None:
    async def main() -> None:
        gather = Gather(Queue().put)
        sends = [asyncio.create_task(gather.send([item])) for item in parcels(2)]
        await settle()
        sends.append(asyncio.create_task(gather.send(parcels(1))))
        await settle()
        await gather.close()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert [isinstance(outcome, StorageError) for outcome in outcomes] == [True, True, True]

    asyncio.run(main())


@pytest.mark.parametrize("size", [10, 700, 20_000, 30_000])
def test_packs_keep_the_limits_and_lose_nothing(size: int) -> None:
    todo = parcels(120, size)
    lane, packs = deque(todo), list[list[Parcel]]()
    while lane:
        packs.append(take(lane))
    assert [item for pack in packs for item in pack] == todo
    for pack in packs:
        body = encode_messages([item.message for item in pack if item.message is not None])
        assert len(body) <= MAX_QUEUE_MESSAGE_BYTES
        assert len(pack) <= MAX_ITEMS_PER_MESSAGE
    assert len(packs) <= 1 + 120 // min(MAX_ITEMS_PER_MESSAGE, MAX_QUEUE_MESSAGE_BYTES // (size + 300))


def test_a_reference_travels_alone() -> None:
    alone = Parcel("q", None, b"{}", None)
    first, last = parcels(2)
    lane = deque([first, alone, last])
    assert [take(lane), take(lane), take(lane)] == [[first], [alone], [last]]
