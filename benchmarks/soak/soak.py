"""One soak from start to account."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.account import Finding, account
from benchmarks.soak.chaos import Chaos, Record
from benchmarks.soak.effects import FOLDER, TIDY, read_effects
from benchmarks.soak.evidence import Evidence, Store
from benchmarks.soak.figures import Figures, figures, settings_of
from benchmarks.soak.hosts import Host, environment
from benchmarks.soak.load import Load
from benchmarks.soak.plan import Settings, orders
from benchmarks.soak.waits import LONGEST_WAIT
from durable_ext.host.azurite import Azurite
from durable_ext.worker.client import Client

logger = logging.getLogger("soak")

_START_SECONDS = 60.0
_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """What a soak came to."""

    figures: Figures
    findings: Sequence[Finding]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost or doubled, everything came to rest, no process ended but by being killed, and
        nobody waited for nothing for long."""
        figures = self.figures
        in_time = figures["longest_wait"] <= LONGEST_WAIT
        return not self.findings and in_time and figures["rests"] and not figures["hosts_ended_by_themselves"]


async def soak(settings: Settings, folder: Path) -> Outcome:
    """Run it in a folder of its own, which has the logs, the data and the effects afterwards."""
    effects = folder / "effects"
    effects.mkdir(parents=True)
    server = Azurite(folder / "azurite")
    await asyncio.to_thread(server.start)
    try:
        hub = f"Soak{time.strftime('%H%M%S')}"
        environ = environment(server.connection_string, hub, {FOLDER: str(effects), TIDY: settings.tidy})
        arguments = ("--lease", f"{settings.lease:g}", "--max-attempts", str(settings.max_attempts))
        hosts = [Host(number, folder, environ, arguments) for number in range(settings.hosts)]
        async with _running(hosts), _store(server.connection_string, hub) as store:
            return await _run(settings, effects, hosts, Parts(server, store))
    finally:
        await asyncio.to_thread(server.stop)


@dataclass(frozen=True)
class Parts:
    """Storage, and the hub in it."""

    server: Azurite
    store: Store


async def _run(settings: Settings, effects: Path, hosts: Sequence[Host], parts: Parts) -> Outcome:
    store = parts.store
    chance = random.Random(f"{settings.seed} choices")  # noqa: S311 - no secret
    load = Load(hosts, Client(store.provider, store.provider), chance)
    chaos = Chaos(settings, hosts, parts.server)
    watching = asyncio.create_task(chaos.watch())
    telling = asyncio.create_task(_tell(load, chaos.record))
    try:
        async with asyncio.timeout(settings.seconds + settings.patience):
            async with asyncio.TaskGroup() as group:
                group.create_task(chaos.run())
                group.create_task(load.run(orders(settings.seed), settings.rate, settings.seconds))
    except TimeoutError:
        logger.error("the load did not come to its end in time")
    telling.cancel()
    ended = time.monotonic()
    rests = await store.rests(settings.patience)
    seconds_to_rest = time.monotonic() - ended
    chaos.take_samples()
    watching.cancel()
    # An account of what still moves would find what is only under way; the last word is storage's, not a process's.
    await asyncio.gather(*[host.stop() for host in hosts])
    evidence = await store.gather(load.started, read_effects(effects))
    figures, findings = _judged(evidence, hosts, chaos.record)
    rest = {"rests": rests, "seconds_to_rest": round(seconds_to_rest, 1)}
    return Outcome({"settings": settings_of(settings), **figures, **rest}, findings)


def _judged(evidence: Evidence, hosts: Sequence[Host], record: Record) -> tuple[Figures, Sequence[Finding]]:
    findings = account(evidence)
    return figures(evidence, findings, hosts, record), findings


async def _tell(load: Load, record: Record) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        seconds = time.monotonic() - began
        logger.info(
            "%4.0f s: %d starts, %d kills, %d outages", seconds, len(load.started), record.kills, len(record.outages)
        )


@asynccontextmanager
async def _running(hosts: Sequence[Host]) -> AsyncGenerator[None]:
    for host in hosts:
        host.start()
    try:
        for host in hosts:
            await host.serves(_START_SECONDS)
        yield
    finally:
        await asyncio.gather(*[host.stop(5) for host in hosts])


@asynccontextmanager
async def _store(connection: str, hub: str) -> AsyncGenerator[Store]:
    store = Store(connection, hub)
    try:
        await store.provider.create_hub()
        yield store
    finally:
        await store.close()
