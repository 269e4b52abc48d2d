"""Receivers of a SQLite queue: who wakes them, and what a cancelled one leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.providers.sqlite.database import Synchronous
from durable_ext.records.codec import encode_messages
from durable_ext.records.messages import Delivery, Message, Quarantined, Resume
from durable_ext.testing.virtual_time import VirtualClock, run

LEASE = timedelta(seconds=30)
LONG = timedelta(minutes=10)


@asynccontextmanager
async def _opened(
    path: str | Path, clock: VirtualClock, synchronous: Synchronous = Synchronous.NORMAL
) -> AsyncGenerator[SqliteProvider]:
    provider = SqliteProvider(path, partitions=1, clock=clock, synchronous=synchronous)
    await provider.create_hub()
    yield provider
    await provider.close()


def _message(clock: VirtualClock, number: int = 1) -> Message:
    return Message(id=f"m{number}", instance_id="i", body=Resume(), sent_at=clock())


async def _receive(provider: SqliteProvider, wait: timedelta = LONG) -> Sequence[Delivery]:
    return await provider.receive_control(0, limit=16, lease=LEASE, wait=wait)


async def _waited(clock: VirtualClock, waiting: asyncio.Task[Sequence[Delivery]]) -> float:
    before = clock()
    assert len(await waiting) == 1
    return (clock() - before).total_seconds()


async def _start_waiting(provider: SqliteProvider, clock: VirtualClock) -> asyncio.Task[Sequence[Delivery]]:
    waiting = asyncio.create_task(_receive(provider))
    await clock.sleep(20)
    assert not waiting.done()
    return waiting


def test_an_abandoned_message_wakes_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            delivery = await provider.reserve(_message(clock), LONG * 2)
            waiting = await _start_waiting(provider, clock)
            await provider.abandon(delivery)
            assert await _waited(clock, waiting) < 0.01

    run(main)


def test_a_message_wakes_although_its_sender_was_cancelled_meanwhile() -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            waiting = await _start_waiting(provider, clock)
            sending = asyncio.create_task(provider.send([_message(clock)]))
            await asyncio.sleep(0)  # the write is asked for
            # The write is done at the loop's next round, the sender would go on only at the one after.
            asyncio.get_running_loop().call_soon(sending.cancel)
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert await _waited(clock, waiting) < 0.01

    run(main)


async def _set_aside(provider: SqliteProvider, clock: VirtualClock) -> Message:
    """A message that was received and given up."""
    sent = _message(clock)
    await provider.send([sent])
    (delivery,) = await _receive(provider)
    kept = Quarantined(
        id=sent.id,
        queue=delivery.queue,
        body=encode_messages(delivery.messages).decode(),
        reason="r",
        instance_id="i",
        dequeue_count=5,
        time=clock(),
    )
    await provider.quarantine(kept)
    await provider.complete(delivery)
    return sent


def test_a_replayed_message_wakes_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            sent = await _set_aside(provider, clock)
            waiting = await _start_waiting(provider, clock)
            await provider.release_quarantined(sent.id, replay=True)
            assert await _waited(clock, waiting) < 0.01

    run(main)


def test_a_replayed_message_wakes_although_the_operator_was_cancelled_meanwhile() -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            sent = await _set_aside(provider, clock)
            waiting = await _start_waiting(provider, clock)
            replaying = asyncio.create_task(provider.release_quarantined(sent.id, replay=True))
            await asyncio.sleep(0)  # the write is asked for
            asyncio.get_running_loop().call_soon(replaying.cancel)
            with pytest.raises(asyncio.CancelledError):
                await replaying
            assert await _waited(clock, waiting) < 0.01

    run(main)


def test_the_end_of_a_lease_wakes_in_time() -> None:
    """Also of one that was taken while the receiver waited."""

    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            waiting = await _start_waiting(provider, clock)
            await provider.reserve(_message(clock), timedelta(seconds=7))
            assert 7 <= await _waited(clock, waiting) < 7.01

    run(main)


def test_what_another_process_sends_is_found_by_polling(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(clock: VirtualClock) -> None:
        async with _opened(file, clock) as provider, _opened(file, clock) as other:
            waiting = await _start_waiting(provider, clock)
            await other.send([_message(clock)])
            assert await _waited(clock, waiting) <= 0.25

    run(main)


def test_a_busy_queue_is_polled_often(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(clock: VirtualClock) -> None:
        async with _opened(file, clock) as provider, _opened(file, clock) as other:
            for number in range(5):
                await other.send([_message(clock, number)])
                await _receive(provider)
                waiting = asyncio.create_task(_receive(provider))
                await clock.sleep(0.001)
                await other.send([_message(clock, number + 10)])
                assert await _waited(clock, waiting) <= 0.011

    run(main)


@pytest.mark.parametrize("synchronous", list(Synchronous))
def test_a_cancelled_receiver_gives_back_what_it_took(tmp_path: Path, synchronous: Synchronous) -> None:
    """At whichever step the cancel comes: the next receiver need not wait for the end of the lease."""
    file = tmp_path / "hub.sqlite"

    async def main(clock: VirtualClock) -> int:
        given_back = 0
        async with _opened(file, clock, synchronous) as provider:
            for steps in range(12):
                await provider.send([_message(clock)])
                receiver = asyncio.create_task(_receive(provider))
                for _ in range(steps):
                    await asyncio.sleep(0)
                receiver.cancel()
                (ended,) = await asyncio.gather(receiver, return_exceptions=True)
                if isinstance(ended, asyncio.CancelledError):
                    (delivery,) = await _receive(provider, timedelta(0))
                    given_back += delivery.dequeue_count == 2
                    await provider.complete(delivery)
                else:
                    assert not isinstance(ended, BaseException)
                    await provider.complete(ended[0])
        return given_back

    assert run(main) >= 1
