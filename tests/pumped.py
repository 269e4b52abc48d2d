"""A worker fed by the self-host's pump, for tests that need a running engine and no host around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from durable_ext.authoring.registry import Registry
from durable_ext.host.pump import Pump
from durable_ext.providers.contract import Clock
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.worker.client import utc_now
from durable_ext.worker.worker import Worker


@asynccontextmanager
async def pumped(registry: Registry, clock: Clock = utc_now) -> AsyncGenerator[Worker]:
    """A worker over a store in memory, from the first message to the end of the block."""
    store = SqliteProvider(":memory:", partitions=1, clock=clock)
    await store.create_hub()
    worker = Worker(store, store, registry, clock=clock)
    pump = Pump(worker, store, store)
    tasks = [asyncio.create_task(pump.keep_leases()), asyncio.create_task(pump.poll())]
    try:
        yield worker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await worker.drain(timedelta(seconds=5))
        await pump.settle(timedelta(seconds=1))
        await store.close()
