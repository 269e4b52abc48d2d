"""How long an event takes to end an instance that waits for it, one after the other, in the process that runs it."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta

from benchmarks import workloads
from benchmarks.engine import running
from benchmarks.replay import Figure
from benchmarks.workloads import Scale
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.worker.client import Client

_LIMIT = timedelta(seconds=60)


def figures(connection: str, scale: Scale) -> list[Figure]:
    """The median and the worst; `connection` is the emulator's."""
    seconds = asyncio.run(_seconds(connection, scale.alone))
    return [
        Figure("event to end, alone: p50", statistics.median(seconds), "s"),
        Figure("event to end, alone: worst", max(seconds), "s"),
    ]


async def _seconds(connection: str, count: int) -> list[float]:
    async with running(AzureStorageProvider(connection, "BenchEvents"), workloads.registry()) as engine:
        await _ended(engine.worker.client)  # the first pays for connections
        return [await _ended(engine.worker.client) for _ in range(count)]


async def _ended(client: Client) -> float:
    instance_id = await client.start("waiting", 0)
    await client.wait_for_start(instance_id, _LIMIT)
    began = time.perf_counter()
    await client.raise_event(instance_id, "go", 7)
    status = await client.wait_for_completion(instance_id, _LIMIT)
    if status.output != 7:
        raise RuntimeError(f"an event came to {status.output!r}")
    return time.perf_counter() - began
