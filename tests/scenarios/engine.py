"""The whole engine in one process on virtual time: workers, pumps and a store, with crashes on demand (T3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageError
from durable_ext.providers.contract import Clock
from durable_ext.records.messages import Delivery
from durable_ext.testing.faults import Fault, FaultyProvider, Plan
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

if TYPE_CHECKING:
    from durable_ext.providers.azure_storage.provider import AzureStorageProvider
    from durable_ext.providers.sqlite import SqliteProvider

LEASE = timedelta(seconds=30)
# A store in memory wakes who waits.
_WAIT = timedelta(minutes=10)
_BATCH = 16
_MOST_ATTEMPTS = 50


# A provider that is feed and catalog too, as ours are.
Store: TypeAlias = "SqliteProvider | AzureStorageProvider"


def no_faults(_verb: str, _number: int) -> Fault:
    return Fault.NONE


async def pause(seconds: float) -> None:
    """Let virtual time pass."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


class Process:
    """One worker process: takes deliveries and deals with them, until it is stopped or killed."""

    def __init__(self, store: Store, worker: Worker, provider: FaultyProvider, *, doubled: bool) -> None:
        self.worker = worker
        self.provider = provider
        self.most_attempts = _MOST_ATTEMPTS
        self._store = store
        self._doubled = doubled
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> Client:
        return self.worker.client

    def start(self) -> None:
        for partition in range(self._store.partitions):
            self._spawn(self._pump(lambda partition=partition: self._receive_control(partition)))
        self._spawn(self._pump(self._receive_work))
        self._spawn(self._tidy())

    async def handle(self, *deliveries: Delivery) -> None:
        """Deal with deliveries that the test received, together; returns when all are completed or given back."""
        await asyncio.gather(*[self._handle(delivery) for delivery in deliveries])

    def begin(self, *deliveries: Delivery) -> None:
        """The same in the background."""
        for delivery in deliveries:
            self._spawn(self._handle(delivery))

    async def kill(self) -> None:
        """As kill -9: nothing is given back, and the store hears nothing more from it."""
        self.provider.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.worker.drain(timedelta(0))

    async def stop(self) -> None:
        """As Ctrl-C: the pumps end, the worker drains."""
        await self.worker.drain(timedelta(seconds=5))
        await self.kill()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive_control(self, partition: int) -> Sequence[Delivery]:
        return await self._store.receive_control(partition, limit=_BATCH, lease=LEASE, wait=_WAIT)

    async def _receive_work(self) -> Sequence[Delivery]:
        return await self._store.receive_work(limit=_BATCH, lease=LEASE, wait=_WAIT)

    async def _pump(self, receive: Callable[[], Coroutine[Any, Any, Sequence[Delivery]]]) -> None:
        while True:
            for delivery in await receive():
                self._spawn(self._handle(delivery))
                if self._doubled:
                    self._spawn(self._handle_again(delivery))

    async def _handle_again(self, delivery: Delivery) -> None:
        """The same delivery once more, as after a lease that ran out."""
        again = Delivery(
            queue=delivery.queue,
            id=delivery.id,
            receipt=delivery.receipt,
            dequeue_count=delivery.dequeue_count + 1,
            messages=delivery.messages,
        )
        await self._handle(again)

    async def _handle(self, delivery: Delivery) -> None:
        held = [delivery]
        keeper = asyncio.create_task(self._keep(held))
        try:
            if delivery.dequeue_count > self.most_attempts:
                await self.worker.process_poison(delivery)
            else:
                await self.worker.process(delivery)
            await self.provider.complete(held[-1])
        except Exception:  # noqa: BLE001 - as the pump does: whatever went wrong, the delivery comes back
            if not self.provider.is_cut:
                await self._store.abandon(held[-1], timedelta(seconds=1))
        finally:
            keeper.cancel()

    async def _keep(self, held: list[Delivery]) -> None:
        while True:
            await pause(LEASE.total_seconds() / 2)
            held.append(await self._store.extend(held[-1], LEASE))

    async def _tidy(self) -> None:
        while True:
            await pause(60)
            try:
                await self.worker.tidy()
            except StorageError:
                continue


def make_process(
    store: Store,
    registry: Registry,
    clock: Clock,
    *,
    plan: Plan = no_faults,
    settings: WorkerSettings | None = None,
    sessions: bool = True,
    doubled: bool = False,
) -> Process:
    """A process over a store. `sessions` False: every turn replays from scratch; `doubled`: all messages come twice."""
    provider = FaultyProvider(store, plan)  # pyright: ignore[reportAbstractUsage] - its verbs are made at run time
    settings = settings or WorkerSettings(sessions=sessions, activity_slots=8)
    worker = Worker(provider, store, registry, settings=settings, clock=clock)
    return Process(store, worker, provider, doubled=doubled)
