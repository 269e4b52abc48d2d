"""The example of docs/routing.md runs as it stands there, on workers over SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from durable_ext import Worker
from durable_ext.host.pump import Pump, PumpSettings

from .pages import fences
from .stores import memory_store
from .test_orchestrations import IMPORTS, compiled, run_block


@asynccontextmanager
async def receiving(worker: Worker, *tags: str) -> AsyncGenerator[None]:
    store: Any = worker.provider
    pump = Pump(worker, store, store, PumpSettings(work_tags=tags))
    tasks = [asyncio.create_task(pump.poll()), asyncio.create_task(pump.keep_leases())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_the_example_runs() -> None:
    async def run() -> None:
        store = memory_store()
        await store.create_hub()
        names = IMPORTS | {"__name__": __name__, "store": store, "receiving": receiving}
        async with asyncio.timeout(60):
            for block in fences("routing.md"):
                if block.language == "python":
                    await run_block(compiled(block), names)
        await store.close()

    asyncio.run(run())
