"""Operations a second on one entity: signals from a client, and calls from many orchestrations at once, in batches.

Beside each, how many operations a commit took together, which is what makes the difference.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.engine import Engine, Store, running
from benchmarks.replay import Figure
from benchmarks.workloads import Scale
from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.entity_events import OperationEnded
from durable_ext.records.entity_id import EntityId

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
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Store] = {
            "SQLite file": SqliteProvider(Path(folder) / "entities.sqlite"),
            "Azurite": AzureStorageProvider(connection, "BenchEntities"),
        }
        return [figure for name, store in stores.items() for figure in asyncio.run(_both(name, store, count))]


async def _both(name: str, store: Store, count: int) -> list[Figure]:
    async with running(store, registry()) as engine:
        return [*await _signals(name, engine, count), *await _calls(name, engine, count)]


async def _signals(name: str, engine: Engine, count: int) -> list[Figure]:
    client = engine.worker.client
    gate = asyncio.Semaphore(_SENDERS)

    async def send() -> None:
        async with gate:
            await client.signal_entity(COUNTER, "add")

    began = time.perf_counter()
    await asyncio.gather(*[send() for _ in range(count)])
    await _until(engine, count)
    return [_rate(f"{name}: signals of a client", count, began), await _batch(name, engine, 0)]


async def _calls(name: str, engine: Engine, count: int) -> list[Figure]:
    turns = await _turns(engine)
    times = max(1, count // _CALLERS)
    client = engine.worker.client
    began = time.perf_counter()
    run = await client.start("all_calls", times)
    await client.wait_for_completion(run, _LIMIT)
    made = _rate(f"{name}: calls of {_CALLERS} orchestrations", times * _CALLERS, began)
    return [made, await _batch(name, engine, turns)]


async def _until(engine: Engine, count: int) -> None:
    async with asyncio.timeout(_LIMIT.total_seconds()):
        while True:
            found = await engine.worker.client.read_entity(COUNTER)
            if found is not None and found.state is not None and found.state >= count:
                return
            await asyncio.sleep(0.02)


def _rate(what: str, count: int, began: float) -> Figure:
    return Figure(what, count / (time.perf_counter() - began), "operations/s")


async def _turns(engine: Engine) -> int:
    return len([turn for turns in await _executions(engine) for turn in turns])


async def _batch(name: str, engine: Engine, skipped: int) -> Figure:
    """Operations of a commit since so many turns ago."""
    turns = [turn for turns in await _executions(engine) for turn in turns][skipped:]
    counts = [sum(isinstance(event, OperationEnded) for event in turn.events) for turn in turns]
    worked = [count for count in counts if count]
    return Figure(f"{name}: operations of a commit", sum(worked) / max(1, len(worked)), "")


async def _executions(engine: Engine) -> list[Any]:
    """The turns of all executions of the entity, oldest first."""
    found: list[Any] = []
    turns = await engine.worker.client.history(str(COUNTER))
    while turns:
        found.append(turns)
        previous = getattr(turns[0].events[0], "previous", None)
        turns = () if previous is None else await engine.worker.client.history(str(COUNTER), previous)
    return found[::-1]
