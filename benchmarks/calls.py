"""How many storage calls an orchestration costs, from the start call to the end of its last delivery.

Counted where the provider meets the storage client, on the emulator. Polls depend on time and are listed apart; the
rest is the same at every run, so a count over its bar fails a build.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from benchmarks import entities, purging, workloads
from benchmarks.counting import Counts, counting
from benchmarks.engine import Engine, running
from durable_ext.authoring.registry import Registry
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.records.instance import InstanceRow
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from examples import order_approval

HELLO, CHAIN, LONGER_CHAIN, EVENT, PURGED = "hello", "chain of 5", "chain of 10", "event", "chain purged"
FIRST_ENTITY, ENTITY, LONGER_ENTITY = "new entity", "entity 5 times", "entity 10 times"
_WIDTH = 500
_LIMIT = timedelta(seconds=60)
# By the clock a slow machine would write the status of a session under way now and then, a fast one never.
_SETTINGS = WorkerSettings(status_interval=timedelta(hours=1))


@dataclass(frozen=True)
class Bar:
    """What was promised, and what came out."""

    what: str
    count: float
    most: float

    @property
    def is_broken(self) -> bool:
        return self.count > self.most


@dataclass(frozen=True)
class Tally:
    """The calls of one scenario by verb, and its polls."""

    scenario: str
    calls: Mapping[str, int] = field(default_factory=dict[str, int])
    polls: int = 0

    @property
    def total(self) -> int:
        return sum(self.calls.values())


@dataclass(frozen=True)
class _Bench:
    """`client` starts and commands, and is counted; `watcher` waits for what happens, and is not."""

    client: Client
    watcher: Client

    async def run(self, name: str, value: int) -> None:
        await self._ended(await self.client.start(name, value))

    async def run_and_purge(self, name: str, value: int) -> None:
        instance_id = await self.client.start(name, value)
        await self._ended(instance_id)
        await self.client.purge(instance_id)

    async def approve(self) -> None:
        line = order_approval.Line("book", 1, Decimal(10))
        instance_id = await self.client.start("order_approval", order_approval.Order("A-1", [line]))
        await self.watcher.wait_until(instance_id, _waits, _LIMIT)
        await self.client.raise_event(instance_id, "approval", order_approval.Approval(True, "Ada"))
        await self._ended(instance_id)

    async def raise_event(self) -> None:
        instance_id = await self.client.start("waiting", 0)
        await self.watcher.wait_for_start(instance_id, _LIMIT)
        await self.client.raise_event(instance_id, "go", 1)
        await self._ended(instance_id)

    async def _ended(self, instance_id: str) -> None:
        status = await self.watcher.wait_for_completion(instance_id, _LIMIT)
        if status.failure is not None:
            raise RuntimeError(f"{status.name} failed: {status.failure.message}")


_SCENARIOS: dict[str, Callable[[_Bench], Awaitable[None]]] = {
    HELLO: lambda bench: bench.run("hello", 1),
    CHAIN: lambda bench: bench.run("chain", 5),
    LONGER_CHAIN: lambda bench: bench.run("chain", 10),
    EVENT: lambda bench: bench.raise_event(),
    PURGED: lambda bench: bench.run_and_purge("chain", 5),
    "approval": lambda bench: bench.approve(),
    "child": lambda bench: bench.run("parent", 1),
    "timer 0.1 s": lambda bench: bench.run("timer", 100),
    FIRST_ENTITY: lambda bench: bench.run("caller", 1),
    ENTITY: lambda bench: bench.run("caller", 5),
    LONGER_ENTITY: lambda bench: bench.run("caller", 10),
    "fan-out local": lambda bench: bench.run("fan_out", _WIDTH),
    "fan-out queue": lambda bench: bench.run("fan_out_queued", _WIDTH),
}


async def count_all(connection: str, hub: str) -> list[Tally]:
    """Run every scenario once on a hub of its own and count."""
    counts = Counts()
    client = counting(HttpClient(parse_connection_string(connection)), counts)
    store = AzureStorageProvider(connection, hub, client=client)
    unwatched = AzureStorageProvider(connection, hub)
    try:
        async with running(store, _registry(), _SETTINGS) as engine:
            bench = _Bench(engine.worker.client, Client(unwatched, unwatched))
            return [await _count(name, counts, engine, bench) for name in _SCENARIOS]
    finally:
        await unwatched.delete_hub()
        await unwatched.close()


def bars_of(tallies: Sequence[Tally]) -> list[Bar]:
    """The promises about these counts."""
    total = {tally.scenario: tally.total for tally in tallies}
    return [
        Bar("hello, all calls", total[HELLO], 5),
        Bar("chain of 5, all calls", total[CHAIN], 12),
        Bar("one more step in a session", (total[LONGER_CHAIN] - total[CHAIN]) / 5, 1),
        Bar("an event, to the end of its instance", total[EVENT] - total[HELLO], 4),
        Bar("purge of a chain of 5", total[PURGED] - total[CHAIN], purging.MOST_CALLS),
        Bar("one more call of an entity", (total[LONGER_ENTITY] - total[ENTITY]) / 5, 3),
    ]


def table(tallies: Sequence[Tally]) -> str:
    """Verbs down, scenarios across."""
    verbs = sorted({verb for tally in tallies for verb in tally.calls})
    lines = [f"{'storage calls':26}" + "".join(f"{tally.scenario:>15}" for tally in tallies)]
    lines += [f"{verb:26}" + "".join(f"{tally.calls.get(verb) or '':>15}" for tally in tallies) for verb in verbs]
    lines.append(f"{'all calls':26}" + "".join(f"{tally.total:>15}" for tally in tallies))
    lines.append(f"{'polls, empty or not':26}" + "".join(f"{tally.polls:>15}" for tally in tallies))
    return "\n".join(lines)


def verdict(bars: Sequence[Bar]) -> str:
    """One line a bar."""
    return "\n".join(
        f"{bar.what:38}{bar.count:6g}, at most {bar.most:g}{'   BROKEN' if bar.is_broken else ''}" for bar in bars
    )


async def _count(name: str, counts: Counts, engine: Engine, bench: _Bench) -> Tally:
    counts.clear()
    await _SCENARIOS[name](bench)
    await engine.settle()
    return Tally(name, counts.calls, counts.polls)


def _registry() -> Registry:
    everything = workloads.registry()
    everything.include(order_approval.bp.registry)
    everything.include(entities.registry())
    return everything


def _waits(row: InstanceRow) -> bool:
    return row.custom_status is not None and json.loads(row.custom_status.data) == "waiting for approval"
