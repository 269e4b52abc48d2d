"""One process of a simulation: takes what it is dealt through the worker, as the pump of a host does, until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import copy_context
from datetime import timedelta
from typing import Any

from durable_ext.authoring.registry import Registry
from durable_ext.errors import LeaseLostError, StorageError
from durable_ext.providers.contract import Clock
from durable_ext.records.messages import Delivery
from durable_ext.testing.simulation.case import ProcessPlan
from durable_ext.testing.simulation.programme import TAKEN, pause
from durable_ext.testing.simulation.storage import Queue, Reach
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

LEASE = timedelta(seconds=30)
# Faults come in numbers that would be an outage; what is lost here is not the message but this simulation's patience.
_MOST_ATTEMPTS = 60
_LONGEST_RETRY = 30
_GRACE = timedelta(seconds=5)
_BATCH = 16
_SHORTEST_GAP = 60.0
_LONGEST_GAP = 12 * 3600.0
# A janitor is as busy as a real one until so many of its rounds went well and met nothing that stirs.
_QUIET_ROUNDS = 10


class Process:
    """One process, from its start to its end. Also what its client hands new instances to (S4)."""

    lease = LEASE

    def __init__(self, plan: ProcessPlan, reach: Reach, registry: Registry, clock: Clock) -> None:
        self.line = reach.line
        self.ended = asyncio.Event()
        self.is_open = True
        self._stirred = asyncio.Event()
        self._reach = reach
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._held: dict[str, Delivery] = {}
        self._context = copy_context()
        self._context.run(TAKEN.set, plan.work_tags)
        self._settings = WorkerSettings(
            sessions=plan.sessions,
            activity_slots=plan.slots,
            local_timer=_seconds(plan),
            work_tags=plan.work_tags,
            most_attempts=_MOST_ATTEMPTS,
        )
        self.worker = Worker(reach.provider, reach.catalog, registry, settings=self._settings, clock=clock)
        if plan.adopts:
            self.worker.client.local = self
        self.spawn(self._tidy())

    @property
    def takes(self) -> bool:
        """Whether it can be dealt something."""
        return self.is_open and not self.line.is_stalled

    def has_room(self) -> bool:
        """Whether one more instance may begin here."""
        return self.takes

    def adopt(self, delivery: Delivery) -> None:
        """Take a delivery that was reserved here."""
        self._stirred.set()
        self.spawn(self._handle(delivery))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something that ends with the process."""
        task = asyncio.create_task(work, context=self._context.copy())
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._tasks.pop(task, None))
        return task

    def serves(self, queue: Queue) -> bool:
        """Whether it receives from a queue."""
        return isinstance(queue, int) or self._settings.serves(queue)

    async def receive(self, queue: Queue) -> None:
        """Take what a queue has now."""
        try:
            found = await self._receive(queue)
        except StorageError:
            await pause(0.5)
            return
        for delivery in found:
            self.adopt(delivery)

    async def _receive(self, queue: Queue) -> Sequence[Delivery]:
        feed, at_once = self._reach.feed, timedelta(0)
        if isinstance(queue, str):
            return await feed.receive_work(limit=_BATCH, lease=LEASE, wait=at_once, tag=queue)
        return await feed.receive_control(queue, limit=_BATCH, lease=LEASE, wait=at_once)

    def kill(self) -> None:
        """As kill -9: nothing is given back, and storage hears nothing more from it."""
        if self.line.is_cut:
            return
        self.is_open = False
        self.line.cut()
        for task in list(self._tasks):
            task.cancel()
        # What the worker has under way ends too; in a task of its own, because a dead process waits for nothing.
        self._ending = asyncio.create_task(self._let_go(timedelta(0)))

    async def stop(self) -> None:
        """As Ctrl-C: it takes nothing more, and gives what it holds to the queues."""
        self.is_open = False
        handling = [task for task in self._tasks if task is not asyncio.current_task()]
        if handling:
            await asyncio.wait(handling, timeout=_GRACE.total_seconds())
        await self.worker.drain(_GRACE)
        self.kill()

    async def _let_go(self, grace: timedelta) -> None:
        await self.worker.drain(grace)
        self.ended.set()

    async def _handle(self, delivery: Delivery) -> None:
        held = [delivery]
        task = asyncio.current_task()
        keeper = self.spawn(self._keep(held, task))
        try:
            if delivery.dequeue_count > _MOST_ATTEMPTS:
                await self.worker.process_poison(delivery)
            else:
                await self.worker.process(delivery)
        except asyncio.CancelledError:
            if not keeper.done():
                await self._end(self._reach.provider.abandon(held[-1], timedelta(0)))
        except Exception:  # noqa: BLE001 - as the pump does: whatever went wrong, the delivery comes back
            keeper.cancel()
            delay = timedelta(seconds=min(1 << min(delivery.dequeue_count - 1, 10), _LONGEST_RETRY))
            await self._end(self._reach.provider.abandon(held[-1], delay))
        else:
            keeper.cancel()
            await self._end(self._reach.provider.complete(held[-1]))
        finally:
            keeper.cancel()

    async def _end(self, call: Coroutine[Any, Any, None]) -> None:
        try:
            await call
        except StorageError:
            return  # it comes back when its lease ends

    async def _keep(self, held: list[Delivery], handling: asyncio.Task[Any] | None) -> None:
        while True:
            await pause(LEASE.total_seconds() / 2)
            try:
                held.append(await self._reach.provider.extend(held[-1], LEASE))
            except LeaseLostError:
                if handling is not None:
                    handling.cancel()
                return
            except StorageError:
                continue

    async def _tidy(self) -> None:
        """The janitor, each minute while there is something to do; the longer all is quiet, the less often."""
        gap, quiet = _SHORTEST_GAP, 0
        while True:
            self._stirred.clear()
            await pause(_SHORTEST_GAP)
            try:
                async with asyncio.timeout(gap - _SHORTEST_GAP):
                    await self._stirred.wait()
                gap, quiet = _SHORTEST_GAP, 0
            except TimeoutError:
                quiet += 1
                gap = min(gap * 1.2, _LONGEST_GAP) if quiet > _QUIET_ROUNDS else _SHORTEST_GAP
            if self.line.is_stalled:
                continue
            try:
                await self.worker.tidy()
            except StorageError:
                gap, quiet = _SHORTEST_GAP, 0


def _seconds(plan: ProcessPlan) -> timedelta:
    return timedelta(seconds=plan.local_timer)
