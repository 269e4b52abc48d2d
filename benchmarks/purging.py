"""What it takes to delete instances that have ended: seconds for many, and the storage calls of one among them."""

from __future__ import annotations

import asyncio
import time

from benchmarks.counting import Counts, counting
from benchmarks.engine import Engine, running
from benchmarks.replay import Figure
from benchmarks.workloads import STEPS, EngineRunner, Scale, registry, run_one
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.contract import InstanceFilter

# Storage calls of one purge, as docs/providers.md promises them.
MOST_CALLS = 5
# DurableTask's own engine took so long for 300 chains on the same emulator.
_PROMISED_SECONDS = 3.6


def figures(connection: str, scale: Scale) -> list[Figure]:
    """All of them; `connection` is the emulator's."""
    return asyncio.run(_purged(connection, scale))


async def _purged(connection: str, scale: Scale) -> list[Figure]:
    """One and a half times the chains of the workloads, run and then purged by a filter."""
    count = scale.chains * 3 // 2
    counts = Counts()
    client = counting(HttpClient(parse_connection_string(connection)), counts)
    store = AzureStorageProvider(connection, "BenchPurges", client=client)
    async with running(store, registry()) as engine:
        await _chains(engine, count, scale.chain_loops)
        counts.clear()
        began = time.perf_counter()
        purged = await engine.worker.client.purge_matching(InstanceFilter())
        seconds = time.perf_counter() - began
        calls = sum(counts.calls.values())
        await store.delete_hub()
    if purged != count:
        raise RuntimeError(f"{purged} of {count} chains were purged")
    return [
        Figure(f"Azurite: {count} chains of {STEPS} purged", seconds, "s", _PROMISED_SECONDS * count / 300),
        Figure("Azurite: storage calls of a purge", calls / count, "", MOST_CALLS),
    ]


async def _chains(engine: Engine, count: int, in_flight: int) -> None:
    runner = EngineRunner(engine.worker.client)
    numbers = iter(range(count))

    async def loop() -> None:
        for _ in numbers:
            await run_one(runner, "chain", STEPS, STEPS)

    await asyncio.gather(*[loop() for _ in range(in_flight)])
    await engine.settle()
