"""A worker over a store of its own, fed by a plain pump, for the examples of the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from durable_ext import Registry, Worker, WorkerSettings
from durable_ext.errors import StorageError
from durable_ext.providers.contract import Catalog, Feed, Provider
from durable_ext.records.messages import Delivery

_LEASE = timedelta(seconds=60)
_WAIT = timedelta(milliseconds=500)


class Store(Provider, Feed, Catalog):
    """A provider that is feed and catalog too, as ours are."""


@asynccontextmanager
async def running(store: Store, registry: Registry, settings: WorkerSettings | None = None) -> AsyncGenerator[Worker]:
    """A worker that gets what comes to the store's queues."""
    worker = Worker(store, store, registry, settings=settings)

    def control(partition: int) -> Callable[[], Coroutine[Any, Any, Sequence[Delivery]]]:
        return lambda: store.receive_control(partition, limit=16, lease=_LEASE, wait=_WAIT)

    pumps = [asyncio.create_task(_pump(worker, control(partition))) for partition in range(store.partitions)]
    pumps.append(asyncio.create_task(_pump(worker, lambda: store.receive_work(limit=16, lease=_LEASE, wait=_WAIT))))
    try:
        yield worker
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await worker.drain(timedelta(seconds=1))


@asynccontextmanager
async def in_memory(store: Any, registry: Registry, settings: WorkerSettings) -> AsyncGenerator[Worker]:
    """The same for a store of the example's own, which is closed in the end."""
    await store.create_hub()
    async with running(store, registry, settings) as worker:
        yield worker
    await store.close()


async def _pump(worker: Worker, receive: Callable[[], Coroutine[Any, Any, Sequence[Delivery]]]) -> None:
    async with asyncio.TaskGroup() as group:
        while True:
            for delivery in await receive():
                group.create_task(_handle(worker, delivery))


async def _handle(worker: Worker, delivery: Delivery) -> None:
    try:
        await worker.process(delivery)
    except StorageError:
        await worker.provider.abandon(delivery)
    else:
        await worker.provider.complete(delivery)
