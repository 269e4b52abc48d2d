"""The pump: completion, retries, leases, room, outages, mistakes of a provider and the way out (S5, S6, F2, P11)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.errors import ConfigurationError, LeaseLostError, StorageUnavailableError
from durable_ext.host.outage import LONGEST_PAUSE
from durable_ext.host.pump import Pump, PumpSettings, retry_delay
from durable_ext.records.messages import Delivery, Message, RunActivity, Terminate
from durable_ext.records.payloads import Payload

from . import virtual
from .virtual import START, pass_time, until

LEASE = timedelta(seconds=10)


class Store:
    """Queues whose deliveries carry a receipt; what happens to them is written down."""

    partitions = 2

    def __init__(self) -> None:
        self.queues: dict[str, deque[Delivery]] = {name: deque() for name in ("control-0", "control-1", "work")}
        self.completed: list[Delivery] = []
        self.abandoned: list[tuple[Delivery, timedelta]] = []
        self.extended: list[tuple[float, str]] = []
        self.received: list[float] = []
        self.down: Exception | None = None
        self.extend_fails: Exception | None = None
        self.extend_takes: dict[str, float] = {}
        self._arrived = asyncio.Event()

    def put(self, queue: str, number: int = 1, *, dequeue_count: int = 1, messages: int = 1) -> None:
        body = RunActivity(task_id=0, name="a", input=Payload()) if queue == "work" else Terminate()
        items = [Message(id=f"m{number}-{i}", instance_id="x", body=body, sent_at=START) for i in range(messages)]
        delivery = Delivery(
            queue=queue, id=f"d{number}", receipt="r0", dequeue_count=dequeue_count, messages=tuple(items)
        )
        self.queues[queue].append(delivery)
        self._arrived.set()

    async def receive_control(self, partition: int, **options: Any) -> Sequence[Delivery]:
        return await self._receive(f"control-{partition}", **options)

    async def receive_work(self, **options: Any) -> Sequence[Delivery]:
        return await self._receive("work", **options)

    async def _receive(self, queue: str, *, limit: int, lease: timedelta, wait: timedelta) -> Sequence[Delivery]:
        assert lease == LEASE
        if queue == "work":
            self.received.append(asyncio.get_running_loop().time())
        if self.down is not None:
            raise self.down
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()):
                while not self.queues[queue]:
                    self._arrived.clear()
                    await self._arrived.wait()
        waiting = self.queues[queue]
        return [waiting.popleft() for _ in range(min(limit, len(waiting)))]

    async def extend(self, delivery: Delivery, lease: timedelta) -> Delivery:
        assert lease == LEASE
        await pass_time(self.extend_takes.get(delivery.id, 0))
        self.extended.append((asyncio.get_running_loop().time(), delivery.id))
        if self.extend_fails is not None:
            raise self.extend_fails
        return msgspec.structs.replace(delivery, receipt=f"r{len(self.extended)}")

    async def complete(self, delivery: Delivery) -> None:
        if self.down is not None:
            raise self.down
        self.completed.append(delivery)

    async def abandon(self, delivery: Delivery, delay: timedelta = timedelta(0)) -> None:
        self.abandoned.append((delivery, delay))


class Worker:
    """Deals with deliveries as the test says."""

    def __init__(self, deal: Callable[[Delivery], Awaitable[None]]) -> None:
        self._deal = deal
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def process(self, delivery: Delivery) -> None:
        self.begun.append(delivery.id)
        try:
            await self._deal(delivery)
        except asyncio.CancelledError:
            self.cancelled.append(delivery.id)
            raise


async def at_once(_: Delivery) -> None:
    return


def taking(seconds: float) -> Callable[[Delivery], Awaitable[None]]:
    async def deal(_: Delivery) -> None:
        await pass_time(seconds)

    return deal


async def failing(_: Delivery) -> None:
    raise ValueError("on purpose")


@contextlib.asynccontextmanager
async def pumping(store: Store, worker: Worker, **settings: Any) -> AsyncGenerator[Pump]:
    anything: Any = store
    pump = Pump(worker, anything, anything, PumpSettings(lease=LEASE, **settings))
    tasks = [asyncio.create_task(pump.poll()), asyncio.create_task(pump.keep_leases())]
    try:
        yield pump
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_what_is_processed_is_completed_from_every_queue() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(at_once)
        async with pumping(store, worker):
            for number, queue in enumerate(store.queues):
                store.put(queue, number)
            await until(lambda: len(store.completed) == 3)
        assert sorted(worker.begun) == ["d0", "d1", "d2"]
        assert store.abandoned == []

    virtual.run(run)


def test_what_fails_is_given_back_for_later(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        store, worker = Store(), Worker(failing)
        async with pumping(store, worker):
            store.put("work", 1, dequeue_count=1)
            store.put("control-0", 2, dequeue_count=3)
            await until(lambda: len(store.abandoned) == 2)
        assert {delivery.id: delay.total_seconds() for delivery, delay in store.abandoned} == {"d1": 1, "d2": 4}
        assert store.completed == []

    virtual.run(run)
    assert "d2 of control-0, handed out 3 times, comes back: ValueError: on purpose" in caplog.text


def test_retries_come_later_each_time_up_to_a_bound() -> None:
    assert [retry_delay(count).total_seconds() for count in (0, 1, 2, 3, 4, 5, 6, 1000)] == [1, 1, 2, 4, 8, 16, 30, 30]


def test_what_was_only_handed_out_often_is_processed() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(at_once)
        async with pumping(store, worker):
            store.put("work", 1, dequeue_count=1000)
            await until(lambda: len(store.completed) == 1)
        assert worker.begun == ["d1"]

    virtual.run(run)


def test_a_lease_is_renewed_in_time_and_the_newest_receipt_completes() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(47))
        async with pumping(store, worker):
            store.put("work")
            await until(lambda: bool(store.completed))
        times = [0.0, *[time for time, _ in store.extended], 47.0]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(gaps) < LEASE.total_seconds() * 0.75
        assert len(store.extended) < 12
        assert store.completed[0].receipt == f"r{len(store.extended)}"

    virtual.run(run)


def test_nothing_is_renewed_once_it_is_done() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(at_once)
        async with pumping(store, worker):
            store.put("work")
            await until(lambda: bool(store.completed))
            await pass_time(100)
        assert store.extended == []

    virtual.run(run)


@pytest.mark.parametrize("queue", ["work", "control-1"])
def test_a_lost_lease_stops_the_work_quietly(queue: str, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(1000))
        store.extend_fails = LeaseLostError("gone")
        async with pumping(store, worker):
            store.put(queue)
            await until(lambda: worker.cancelled == ["d1"], seconds=10)
            await pass_time(100)
        assert (store.completed, store.abandoned, len(store.extended)) == ([], [], 1)

    virtual.run(run)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_work_goes_on_while_storage_cannot_be_asked() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(60))
        store.extend_fails = StorageUnavailableError("down")
        async with pumping(store, worker):
            store.put("work")
            await until(lambda: len(store.extended) > 3)
            store.extend_fails = None
            await until(lambda: bool(store.completed))
        assert worker.cancelled == []

    virtual.run(run)


def test_a_slow_renewal_holds_up_no_other() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(30))
        store.extend_takes["d1"] = 1000
        async with pumping(store, worker):
            store.put("work", 1)
            store.put("work", 2)
            await until(lambda: any(delivery.id == "d2" for delivery in store.completed))
        assert [name for _, name in store.extended].count("d2") >= 4

    virtual.run(run)


def test_an_outage_slows_the_pump_down_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[float]:
        store, worker = Store(), Worker(at_once)
        store.down = StorageUnavailableError("nobody there")
        async with pumping(store, worker):
            await pass_time(3600)
            down = list(store.received)
            store.down = None
            store.put("work")
            await until(lambda: bool(store.completed), seconds=LONGEST_PAUSE + 1)
        return down

    down = virtual.run(run)
    gaps = [later - earlier for earlier, later in itertools.pairwise(down)]
    assert gaps[:3] == pytest.approx([0.5, 1, 2])
    assert max(gaps) == pytest.approx(LONGEST_PAUSE)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "nobody there" in said[0]
    assert "works again" in said[1]


def test_a_failed_completion_ends_nothing() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(at_once)
        async with pumping(store, worker):
            store.put("work", 1)
            await pass_time(0)
            store.down = StorageUnavailableError("down")
            await pass_time(60)
            store.down = None
            store.put("work", 2)
            await until(lambda: any(delivery.id == "d2" for delivery in store.completed))

    virtual.run(run)


@pytest.mark.parametrize(("queue", "room"), [("work", "work_room"), ("control-0", "control_room")])
def test_no_more_is_held_than_fits(queue: str, room: str) -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(5))
        async with pumping(store, worker, **{room: 3}):
            for number in range(9):
                store.put(queue, number)
            await pass_time(1)
            assert len(worker.begun) == 3
            await pass_time(5)
            assert len(worker.begun) == 6
            await until(lambda: len(store.completed) == 9)

    virtual.run(run)


def test_the_messages_of_a_delivery_count() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(5))
        async with pumping(store, worker, work_room=10, work_batch=1):
            for number in range(4):
                store.put("work", number, messages=6)
            await pass_time(1)
            assert len(worker.begun) == 2

    virtual.run(run)


def test_what_is_cancelled_from_within_comes_back() -> None:
    async def cancels(_: Delivery) -> None:
        raise asyncio.CancelledError

    async def run() -> None:
        store, worker = Store(), Worker(cancels)
        async with pumping(store, worker):
            store.put("work")
            await until(lambda: len(store.abandoned) == 1)
        assert store.completed == []

    virtual.run(run)


def test_on_the_way_out_work_may_end_and_the_rest_is_given_back_at_once() -> None:
    async def deal(delivery: Delivery) -> None:
        await pass_time(3 if delivery.id == "d1" else 1000)

    async def run() -> None:
        store, worker = Store(), Worker(deal)
        async with pumping(store, worker) as pump:
            store.put("work", 1)
            store.put("work", 2)
            store.put("control-0", 3)
            await until(lambda: len(worker.begun) == 3)
            await pump.settle_work(timedelta(seconds=5))
            assert [delivery.id for delivery in store.completed] == ["d1"]
            assert [(delivery.id, delay) for delivery, delay in store.abandoned] == [("d2", timedelta(0))]
            await pump.settle(timedelta(seconds=5))
            assert [delivery.id for delivery, _ in store.abandoned] == ["d2", "d3"]

    virtual.run(run)


@pytest.mark.parametrize("mistake", [KeyError("Turn"), ConnectionResetError("by the driver"), ValueError("odd row")])
def test_a_receive_that_fails_as_none_may_is_tried_again(mistake: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """No provider may raise it; the host goes on with every queue all the same."""

    async def run() -> list[float]:
        store, worker = Store(), Worker(at_once)
        store.down = mistake
        async with pumping(store, worker):
            await pass_time(3600)
            down = list(store.received)
            store.down = None
            for number, queue in enumerate(store.queues):
                store.put(queue, number)
            await until(lambda: len(store.completed) == 3, seconds=LONGEST_PAUSE + 1)
        return down

    down = virtual.run(run)
    gaps = [later - earlier for earlier, later in itertools.pairwise(down)]
    assert gaps[:3] == pytest.approx([0.5, 1, 2])
    assert max(gaps) == pytest.approx(LONGEST_PAUSE)
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert 1 <= len(said) <= 62, "once a minute"
    assert all(record.exc_info for record in said)


def test_a_renewal_that_fails_as_none_may_ends_neither_keeper_nor_work() -> None:
    async def run() -> None:
        store, worker = Store(), Worker(taking(60))
        store.extend_fails = KeyError("receipt")
        async with pumping(store, worker):
            store.put("work", 1)
            store.put("work", 2)
            await until(lambda: len(store.extended) > 3)
            store.extend_fails = None
            await until(lambda: len(store.completed) == 2)
        assert worker.cancelled == []

    virtual.run(run)


def test_a_lease_is_at_least_a_second() -> None:
    with pytest.raises(ConfigurationError):
        PumpSettings(lease=timedelta(milliseconds=999))
