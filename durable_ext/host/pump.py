"""The pump: deliveries from the feeds, through the worker, to their end. What the triggers do under Functions (F2).

One poller a queue, each with a bound on what it holds; one keeper for all leases (S6). Processed: completed. Failed:
made visible again after a pause. The worker decides what has failed too often (P11): how often storage handed out a
delivery does not tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from functools import partial
from typing import Protocol

import msgspec

from durable_ext.errors import ConfigurationError, DurableError, StorageError
from durable_ext.host.leases import Held, LeaseKeeper
from durable_ext.host.outage import Backoff, Outage
from durable_ext.providers.contract import Feed, Provider
from durable_ext.records.ids import DEFAULT_TAG, check_tag
from durable_ext.records.messages import Delivery
from durable_ext.worker.telemetry import Level, Reading

logger = logging.getLogger("durable_ext.host")

_LONGEST_RETRY = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(seconds=20)


class Processor(Protocol):
    """What the pump needs of a worker."""

    async def process(self, delivery: Delivery) -> None: ...


class Receive(Protocol):
    """One feed of one queue."""

    def __call__(self, *, limit: int, lease: timedelta, wait: timedelta) -> Awaitable[Sequence[Delivery]]: ...


class PumpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`lease`: how long a delivery stays hidden after its process died. `control_batch`,
    `work_batch`: deliveries of one receive. `control_room`: messages of one control queue held at once; a session
    mostly waits, so many fit. `work_room`: work items held at once; more than run here would keep them
    from other processes. `start_room`: instances started here that may begin here without a queue. `work_tags`: which
    work items are received; `default` are those without a tag.
    """

    lease: timedelta = timedelta(seconds=30)
    control_batch: int = 16
    work_batch: int = 4
    control_room: int = 128
    start_room: int = 128
    work_room: int = 40
    work_tags: tuple[str, ...] = (DEFAULT_TAG,)

    def __post_init__(self) -> None:
        if self.lease < timedelta(seconds=1):
            raise ConfigurationError("a lease is at least one second")


class Room:
    """How many messages of a queue may be held. The last delivery taken in may overfill it."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = asyncio.Event()

    async def free(self) -> int:
        """How many more fit, once that is at least one."""
        while self._free < 1:
            self._changed.clear()
            await self._changed.wait()
        return self._free

    @property
    def taken(self) -> int:
        """How many messages are held."""
        return self._size - self._free

    @property
    def has_free(self) -> bool:
        """Whether one more fits."""
        return self._free > 0

    def take(self, count: int) -> None:
        """So many came in."""
        self._free -= count

    def give_back(self, count: int) -> None:
        """So many are dealt with."""
        self._free += count
        self._changed.set()


class Pump:
    """Feeds one worker from all queues of the hub."""

    def __init__(
        self,
        worker: Processor,
        provider: Provider,
        feed: Feed,
        settings: PumpSettings = PumpSettings(),  # noqa: B008 - frozen
        outage: Outage | None = None,
    ) -> None:
        self._worker = worker
        self._provider = provider
        self._feed = feed
        self._settings = settings
        self._outage = outage or Outage()
        self._keeper = LeaseKeeper(provider, settings.lease, self._outage)
        self._starts = Room(settings.start_room)
        self._control_rooms = [Room(settings.control_room) for _ in range(provider.partitions)]
        self._work_room = Room(settings.work_room)
        self._is_polling = False
        self._handling: set[asyncio.Task[None]] = set()
        self._working: set[asyncio.Task[None]] = set()

    async def keep_leases(self) -> None:
        """Renew the leases of what is held, until cancelled. Runs longer than `poll`: what is held still ends."""
        await self._keeper.run()

    async def poll(self) -> None:
        """Receive and hand on, until cancelled. Errors of the provider slow it down and never end it."""
        self._is_polling = True
        try:
            await self._poll_all()
        finally:
            self._is_polling = False

    async def _poll_all(self) -> None:
        async with asyncio.TaskGroup() as pollers:
            for partition in range(self._provider.partitions):
                receive, room = self._control(partition), self._control_rooms[partition]
                pollers.create_task(self._poll(receive, room, self._settings.control_batch))
            for tag in self._settings.work_tags:
                work = self._work(check_tag(tag))
                pollers.create_task(self._poll(work, self._work_room, self._settings.work_batch))

    def readings(self) -> list[Reading]:
        """How many messages of each kind of queue are held here."""
        control = sum(room.taken for room in self._control_rooms)
        held = {"control": control, "work": self._work_room.taken, "start": self._starts.taken}
        return [Reading(Level.QUEUE_ROOM, count, {"durable.queue.kind": kind}) for kind, count in held.items()]

    @property
    def lease(self) -> timedelta:
        """How long a message reserved for this pump is hidden at first."""
        return self._settings.lease

    def has_room(self) -> bool:
        """Whether one more instance may begin here: the pump runs and is not full (S4)."""
        return self._is_polling and self._starts.has_free

    def adopt(self, delivery: Delivery) -> None:
        """Deal with a delivery that was reserved in this process, as with one received (S4)."""
        self._take(delivery, self._starts)

    async def settle_work(self, grace: timedelta) -> None:
        """Let the work items being run end; what has not ended after `grace` is given back for others to take."""
        await self._settle(self._working, grace)

    async def settle(self, grace: timedelta) -> None:
        """The same for all that is being handled."""
        await self._settle(self._handling, grace)

    async def _settle(self, handling: set[asyncio.Task[None]], grace: timedelta) -> None:
        if handling:
            await asyncio.wait(handling, timeout=grace.total_seconds())
        rest = list(handling)
        for task in rest:
            task.cancel()
        if rest:
            logger.warning("%d deliveries were not done in time and are given back", len(rest))
            await asyncio.wait(rest, timeout=max(grace.total_seconds(), 1))

    def _control(self, partition: int) -> Receive:
        def receive(*, limit: int, lease: timedelta, wait: timedelta) -> Awaitable[Sequence[Delivery]]:
            return self._feed.receive_control(partition, limit=limit, lease=lease, wait=wait)

        return receive

    def _work(self, tag: str) -> Receive:
        return partial(self._feed.receive_work, tag=tag) if tag else self._feed.receive_work

    async def _poll(self, receive: Receive, room: Room, batch: int) -> None:
        backoff = Backoff()
        while True:
            limit = min(await room.free(), batch)
            try:
                deliveries = await receive(limit=limit, lease=self._settings.lease, wait=_LONGEST_WAIT)
            except Exception as error:  # noqa: BLE001 - one queue that cannot be read must not end the host
                self._outage.noticed(error, "receive")
                await backoff.pause()
                continue
            self._outage.over()
            backoff.reset()
            for delivery in deliveries:
                self._take(delivery, room)

    def _take(self, delivery: Delivery, room: Room) -> None:
        weight = max(1, len(delivery.messages))
        room.take(weight)
        task = asyncio.create_task(self._handle(delivery))
        for group in (self._handling, self._working)[: 1 + any(message.is_work_item for message in delivery.messages)]:
            group.add(task)
            task.add_done_callback(group.discard)
        task.add_done_callback(lambda _: room.give_back(weight))

    async def _handle(self, delivery: Delivery) -> None:
        task = asyncio.current_task()
        if task is None:
            raise LookupError("a delivery is handled in a task")
        held = self._keeper.hold(delivery, task.cancel)
        try:
            await self._worker.process(delivery)
        except asyncio.CancelledError:
            if not held.lost:
                await self._give_back(held, timedelta(0))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the delivery comes back and is tried again (F2)
            self._say(delivery, error)
            await self._give_back(held, retry_delay(delivery.dequeue_count))
        else:
            await self._complete(held)
        finally:
            self._keeper.let_go(held)

    async def _complete(self, held: Held) -> None:
        # If this fails the delivery comes back, is known, and is completed then (P7).
        self._keeper.let_go(held)
        async with held.receipt:
            try:
                await self._provider.complete(held.delivery)
            except Exception as error:  # noqa: BLE001 - whatever it was, the delivery comes back
                self._outage.noticed(error, "complete")

    async def _give_back(self, held: Held, delay: timedelta) -> None:
        # If this fails the delivery comes back when its lease is over.
        self._keeper.let_go(held)
        async with held.receipt:
            try:
                await self._provider.abandon(held.delivery, delay)
            except Exception as error:  # noqa: BLE001 - whatever it was, the delivery comes back
                self._outage.noticed(error, "abandon")

    def _say(self, delivery: Delivery, error: Exception) -> None:
        if isinstance(error, StorageError) and error.retryable:
            self._outage.noticed(error, "process")
            return
        logger.warning(
            "delivery %s of %s, handed out %d times, comes back: %s: %s",
            delivery.id,
            delivery.queue,
            delivery.dequeue_count,
            type(error).__name__,
            error,
            exc_info=None if isinstance(error, DurableError) else error,
        )


def retry_delay(dequeue_count: int) -> timedelta:
    """How long a failed delivery stays hidden before its next attempt: 1, 2, 4 ... 30 seconds."""
    return min(timedelta(seconds=1 << min(max(dequeue_count - 1, 0), 10)), _LONGEST_RETRY)
