"""Operations a second on one entity: signals from a client, and calls from many orchestrations at once, in batches.

Beside each, how many operations a commit took together, which is what makes the difference, and on the emulator how
many storage calls an operation cost, polls apart; those of the orchestrations that call are among them.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.counting import Counts, counting
from benchmarks.engine import Engine, Store, running
from benchmarks.replay import Figure
from benchmarks.workloads import Scale
from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.entity_events import OperationEnded
from durable_ext.records.entity_id import EntityId
from durable_ext.worker.client import Client

COUNTER = EntityId("counter", "one")
_LIMIT = timedelta(minutes=5)
_CALLERS = 32
_SENDERS = 32


def counter(context: EntityContext) -> int:
    """Counts."""
    count: int = context.get_state(lambda: 0) + 1
    context.set_state(count)
    return count


async def caller(ctx: OrchestrationContext, times: int) -> None:
    """Calls one after the other."""
    for _ in range(times):
        await ctx.call_entity(COUNTER, "add")


async def all_calls(ctx: OrchestrationContext, times: int) -> None:
    """Children that call the same entity side by side."""
    await asyncio.gather(*[ctx.call_sub_orchestrator(caller, times) for _ in range(_CALLERS)])


def registry() -> Registry:
    """The entity and those who call it."""
    found = Registry()
    found.add_entity(counter)
    found.add_orchestrator(caller)
    found.add_orchestrator(all_calls)
    return found


def figures(connection: str, scale: Scale) -> list[Figure]:
    """All of them; `connection` is the emulator's."""
    count = 2 * scale.steps
    counts = Counts()
    client = counting(HttpClient(parse_connection_string(connection)), counts)
    with tempfile.TemporaryDirectory() as folder:
        sqlite = SqliteProvider(Path(folder) / "entities.sqlite")
        azure = AzureStorageProvider(connection, "BenchEntities", client=client)
        watcher = AzureStorageProvider(connection, "BenchEntities")
        return [
            *asyncio.run(_Bench("SQLite file", None, None).figures(sqlite, count)),
            *asyncio.run(_Bench("Azurite", counts, watcher).figures(azure, count)),
        ]


class _Bench:
    """The entity on one store. `counts` are the calls of that store, where they are counted; `watcher` looks at the
    same hub, and is not."""

    def __init__(self, name: str, counts: Counts | None, watcher: Store | None) -> None:
        self._name = name
        self._counts = counts
        self._watcher = watcher

    async def figures(self, store: Store, count: int) -> list[Figure]:
        async with running(store, registry()) as engine:
            found = [*await self._signals(engine, count), *await self._calls(engine, count)]
        if self._watcher is not None:
            await self._watcher.close()
        return found

    async def _signals(self, engine: Engine, count: int) -> list[Figure]:
        client = engine.worker.client
        gate = asyncio.Semaphore(_SENDERS)

        async def send() -> None:
            async with gate:
                await client.signal_entity(COUNTER, "add")

        async def send_all() -> None:
            await asyncio.gather(*[send() for _ in range(count)])
            await _until(engine.worker.client if self._watcher is None else Client(self._watcher, self._watcher), count)

        return await self._measured(engine, "signals of a client", count, send_all())

    async def _calls(self, engine: Engine, count: int) -> list[Figure]:
        times = max(1, count // _CALLERS)

        async def call_all() -> None:
            run = await engine.worker.client.start("all_calls", times)
            await engine.worker.client.wait_for_completion(run, _LIMIT)

        return await self._measured(engine, f"calls of {_CALLERS} orchestrations", times * _CALLERS, call_all())

    async def _measured(self, engine: Engine, what: str, count: int, work: Awaitable[None]) -> list[Figure]:
        skipped = await _turns(engine)
        if self._counts is not None:
            self._counts.clear()
        began = time.perf_counter()
        await work
        spent = time.perf_counter() - began
        # Before the batches are read, which takes calls itself.
        calls = None if self._counts is None else sum(self._counts.calls.values())
        found = [
            Figure(f"{self._name}: {what}", count / spent, "operations/s"),
            Figure(f"{self._name}: operations of a commit", await _batch(engine, skipped), ""),
        ]
        if calls is not None:
            found.append(Figure(f"{self._name}: storage calls of an operation", calls / count, ""))
        return found


async def _until(client: Client, count: int) -> None:
    async with asyncio.timeout(_LIMIT.total_seconds()):
        while True:
            found = await client.read_entity(COUNTER)
            if found is not None and found.state is not None and found.state >= count:
                return
            await asyncio.sleep(0.02)


async def _turns(engine: Engine) -> int:
    return len([turn for turns in await _executions(engine) for turn in turns])


async def _batch(engine: Engine, skipped: int) -> float:
    """Operations of a commit, those of the first turns left out."""
    turns = [turn for turns in await _executions(engine) for turn in turns][skipped:]
    counts = [sum(isinstance(event, OperationEnded) for event in turn.events) for turn in turns]
    worked = [count for count in counts if count]
    return sum(worked) / max(1, len(worked))


async def _executions(engine: Engine) -> list[Any]:
    """The turns of all executions of the entity, oldest first."""
    found: list[Any] = []
    turns = await engine.worker.client.history(str(COUNTER))
    while turns:
        found.append(turns)
        previous = getattr(turns[0].events[0], "previous", None)
        turns = () if previous is None else await engine.worker.client.history(str(COUNTER), previous)
    return found[::-1]
