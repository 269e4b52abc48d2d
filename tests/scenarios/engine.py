"""The whole engine in one process on virtual time: workers, pumps and a store, with crashes on demand (T3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageError
from durable_ext.providers.contract import Catalog, Clock, Feed, Provider
from durable_ext.records.messages import Delivery
from durable_ext.testing.faults import Fault, FaultyProvider, Plan
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

LEASE = timedelta(seconds=30)
_WAIT = timedelta(seconds=5)
_BATCH = 16
_MOST_ATTEMPTS = 50


class Store(Provider, Feed, Catalog):
    """A provider that is feed and catalog too, as ours are."""


def no_faults(_verb: str, _number: int) -> Fault:
    return Fault.NONE


class Process:
    """One worker process: takes deliveries and deals with them, until it is stopped or killed."""

    def __init__(self, store: Store, worker: Worker, provider: FaultyProvider, *, doubled: bool) -> None:
        self.worker = worker
        self.provider = provider
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
        keeper = asyncio.create_task(self._keep(delivery))
        try:
            if delivery.dequeue_count > _MOST_ATTEMPTS:
                await self.worker.process_poison(delivery)
            else:
                await self.worker.process(delivery)
            await self.provider.complete(delivery)
        except StorageError:
            if not self.provider.is_cut:
                await self._store.abandon(delivery, timedelta(seconds=1))
        finally:
            keeper.cancel()

    async def _keep(self, delivery: Delivery) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 2)
            delivery = await self._store.extend(delivery, LEASE)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(60)
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
    sessions: bool = True,
    doubled: bool = False,
) -> Process:
    """A process over a store. `sessions` False: every turn replays from scratch; `doubled`: every message comes twice."""
    provider = FaultyProvider(store, plan)
    worker = Worker(
        provider, store, registry, settings=WorkerSettings(sessions=sessions, activity_slots=8), clock=clock
    )
    return Process(store, worker, provider, doubled=doubled)
