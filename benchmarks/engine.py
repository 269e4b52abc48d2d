"""A worker fed by the self-host's pump, put together as the host does it, over any store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.host.pump import Pump, PumpSettings
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

# Each is provider, feed and catalog in one.
Store = AzureStorageProvider | SqliteProvider

_GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class Engine:
    """A running worker and its pump."""

    worker: Worker
    pump: Pump

    async def settle(self) -> None:
        """Wait until every delivery that is held is completed."""
        await self.pump.settle(_GRACE)


@asynccontextmanager
async def running(
    store: Store,
    registry: Registry,
    settings: WorkerSettings = WorkerSettings(),  # noqa: B008 - frozen
) -> AsyncGenerator[Engine]:
    """An engine on this store until the block ends; the store is then closed."""
    await store.create_hub()
    worker = Worker(store, store, registry, settings=settings)
    pump = Pump(worker, store, store, msgspec.structs.replace(PumpSettings(), work_room=2 * settings.activity_slots))
    worker.client.local = pump
    tasks = [asyncio.create_task(pump.keep_leases()), asyncio.create_task(pump.poll())]
    try:
        yield Engine(worker, pump)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await pump.settle_work(_GRACE)
        await worker.drain(_GRACE)
        await pump.settle(timedelta(seconds=1))
        await store.close()
