"""What a long history costs: the pause between steps late in a session, and loading and replaying it in a new process.

And what the engine itself costs an activity: the same chain with nothing written.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.engine import Store, running
from benchmarks.workloads import EngineRunner, Scale, registry, run_one, w4, warm_up
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.instance import InstanceRow
from durable_ext.records.turns import Turn
from durable_ext.worker.client import utc_now
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.state import Loader, SessionState

_LIMIT = timedelta(minutes=5)
_AT_ONCE = 32
_NAME = "chain"


@dataclass(frozen=True)
class Figure:
    """One measured value, and the most it is promised to be, if anything is."""

    what: str
    value: float
    unit: str
    most: float | None = None

    def __str__(self) -> str:
        promise = "" if self.most is None else f", promised {self.most:g}"
        over = "   OVER" if self.most is not None and self.value > self.most else ""
        return f"{self.what:52}{self.value:9.3g} {self.unit}{promise}{over}"


class Unwritten(SqliteProvider):
    """A store that keeps everything but turns. Nobody reads the turns of a session that goes on."""

    async def append(self, turn: Turn) -> None:
        await asyncio.sleep(0)


def figures(connection: str, scale: Scale) -> list[Figure]:
    """All of them; `connection` is the emulator's."""
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Store] = {
            "SQLite file": SqliteProvider(Path(folder) / "growth.sqlite"),
            "Azurite": AzureStorageProvider(connection, "BenchGrowth"),
        }
        found = [asyncio.run(_growth(name, store, scale)) for name, store in stores.items()]
        found += asyncio.run(_histories(connection, Path(folder), events=20 * scale.steps))
    found.append(asyncio.run(_engine_alone(scale)))
    return found


async def _growth(name: str, store: Store, scale: Scale) -> Figure:
    async with running(store, registry()) as engine:
        runner = EngineRunner(engine.worker.client)
        await warm_up(runner, scale)
        metrics = await w4(runner, scale)
    return Figure(f"{name}: last 20 of {scale.steps} steps / steps 40 to 60", metrics["growth"], "", 1.2)


async def _engine_alone(scale: Scale) -> Figure:
    async with running(Unwritten(":memory:"), registry()) as engine:
        runner = EngineRunner(engine.worker.client)
        await run_one(runner, _NAME, scale.steps, scale.steps)
        began = time.process_time()
        await run_one(runner, _NAME, scale.steps, scale.steps)
        spent = time.process_time() - began
    return Figure("engine alone: processor time of an activity", spent / scale.steps * 1e3, "ms")


async def _histories(connection: str, folder: Path, events: int) -> list[Figure]:
    row, turns = await _recorded(events // 2)
    stores: dict[str, Store] = {
        "SQLite file": SqliteProvider(folder / "history.sqlite"),
        "Azurite": AzureStorageProvider(connection, "BenchHistory"),
    }
    found: list[Figure] = []
    for name, store in stores.items():
        await store.create_hub()
        await _copy(store, row, turns)
        found += await _load_and_replay(name, store, row.instance_id)
        await store.close()
    return found


async def _recorded(steps: int) -> tuple[InstanceRow, Sequence[Turn]]:
    """The row and the turns of a chain; each step is two events."""
    settings = WorkerSettings(session_budget=_LIMIT)
    async with running(SqliteProvider(":memory:"), registry(), settings) as engine:
        client = engine.worker.client
        instance_id = await client.start(_NAME, steps)
        status = await client.wait_for_completion(instance_id, _LIMIT)
        # Without its end, as a session finds it that goes on with it.
        return status.row, (await client.history(instance_id))[:-1]


async def _copy(store: Store, row: InstanceRow, turns: Sequence[Turn]) -> None:
    await store.create_row(row)
    rest = iter(turns)

    async def append() -> None:
        for turn in rest:
            await store.append(turn)

    await asyncio.gather(*[append() for _ in range(_AT_ONCE)])


async def _load_and_replay(name: str, store: Store, instance_id: str) -> list[Figure]:
    loader = Loader(store, registry(), utc_now, PayloadStore(store))
    began = time.perf_counter()
    state = await loader.load(instance_id)
    loaded = time.perf_counter()
    if not isinstance(state, SessionState):
        raise TypeError(f"the history of {instance_id} is not there")
    recorded = state.ledger.recorded
    live = await loader.revive(state, recorded)
    replayed = time.perf_counter()
    live.drop()
    count = sum(len(turn.events) for turn in recorded)
    return [
        Figure(f"{name}: load {count} events of {len(recorded)} turns", loaded - began, "s"),
        Figure(f"{name}: replay them", replayed - loaded, "s"),
        Figure(f"{name}: both", replayed - began, "s", 1.0),
    ]
