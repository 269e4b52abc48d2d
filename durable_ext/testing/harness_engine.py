"""The engine of a harness: one process at a time over a hub in memory, and the passing of time.

The janitor runs only after a fault: nothing else leaves anything for it to mend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

from durable_ext.errors import StorageError
from durable_ext.testing.harness_loop import HarnessLoop
from durable_ext.testing.harness_waits import open_waits
from durable_ext.testing.injection import Fault, Plan
from durable_ext.testing.memory_hub import AzureHub, MemoryHub, SqliteHub
from durable_ext.testing.mocking import MockedRegistry
from durable_ext.testing.processes import Process, ProcessSettings
from durable_ext.testing.scenario import StoreName
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings

# When a call for messages comes back empty, and when the janitor of a process comes by: not in the life of a test.
_NEVER = timedelta(days=100 * 365)
_TIDY_EVERY = timedelta(minutes=1)
_TIDY_ROUNDS = 15
# How long a client may go on looking although nothing happens any more.
_PATIENCE = timedelta(minutes=2)
# Some seconds of real time: an orchestration that takes more goes round in circles.
_MOST_MOVES = 50_000
When = Literal["before", "after"]
Done = Callable[[], Awaitable[bool]]


class WaitsForeverError(AssertionError):
    """What is waited for will not happen: nothing is under way, or far too much. The message says who waits for it."""


class HarnessEngine:
    """Everything of a harness that happens on its loop. `processes` are all that there were; the last one lives."""

    def __init__(
        self, loop: HarnessLoop, registry: MockedRegistry, store: StoreName, settings: ProcessSettings
    ) -> None:
        self.clock = VirtualClock(loop)
        self.hub: MemoryHub = AzureHub(self.clock) if store == "azure" else SqliteHub(self.clock)
        self.registry = registry
        self.client = Client(self.hub.store, self.hub.store, converter=registry.converter, clock=self.clock)
        self.client.check_orchestrator = registry.check_orchestrator
        self.client.check_entity = registry.check_entity
        self.client.naming = registry
        self.processes: list[Process] = []
        self.replaced: Callable[[Process], None] = lambda _: None
        self._loop = loop
        self._settings = settings
        self._crashes: dict[int, When] = {}
        self._calls = 0
        self._mending: set[asyncio.Task[None]] = set()

    @property
    def process(self) -> Process:
        """The process that lives."""
        return self.processes[-1]

    @property
    def storage_calls(self) -> int:
        """How many calls the processes made to storage: single calls on "azure", the provider's verbs on "sqlite"."""
        return self._calls

    async def open(self) -> None:
        """Create the hub and start a process."""
        await self.hub.store.create_hub()
        self._start_process()

    async def close(self) -> None:
        """End everything."""
        for task in self._mending:
            task.cancel()
        await asyncio.gather(*self._mending, return_exceptions=True)
        for process in self.processes:
            await process.kill()
        await self.hub.store.close()

    async def restart(self) -> None:
        """As kill -9, and another process begins: it knows what is in storage."""
        await self._replace(self.process)

    def crash_at(self, call: int, when: When) -> None:
        """Have the process die at a storage call from here on, the next one being 0."""
        self._crashes[self._calls + call] = when

    async def pass_time(self, until: datetime) -> None:
        """Let time pass up to a moment; what is due on the way happens in order."""
        await self._loop.rest()
        await asyncio.sleep(max(0.0, (until - self.clock()).total_seconds()))
        await self._loop.rest()

    async def drive(self, done: Done, until: datetime | None = None, *, for_others: bool = False) -> None:
        """Let time pass for as long as it takes until `done`, or to a moment. Raises WaitsForeverError.

        `for_others`: what is waited for is no instance, and may look again after a while.
        """
        patience = _PATIENCE if for_others else timedelta(0)
        busy_at = self.clock()
        for _ in range(_MOST_MOVES):
            await self._loop.rest()
            if await done() or (until is not None and self.clock() >= until):
                return
            if not await self.is_over():
                busy_at = self.clock()
            elif self.clock() - busy_at >= patience:
                raise WaitsForeverError(await self._complaint("nothing is left to do, and no timer is set"))
            await self._loop.move()
        raise WaitsForeverError(await self._complaint(f"it goes on and on, at {self.clock().isoformat()} still"))

    async def is_over(self) -> bool:
        """Whether nothing will happen any more until somebody outside does something."""
        return self.process.is_idle and not self._mending and await self.hub.next_visible() is None

    async def _complaint(self, head: str) -> str:
        waits = await open_waits(self.hub.store, self.client, self.registry)
        return "\n    ".join([f"{head}:", *(waits or ["no instance is running"])])

    def _start_process(self) -> None:
        settings = ProcessSettings(
            worker=self._settings.worker,
            doubled=self._settings.doubled,
            plan=self._plan_of(len(self.processes)),
            tidy_every=_NEVER,
            wait=_NEVER,
        )
        process = self.hub.process(self.registry, settings)
        self.processes.append(process)
        process.start()
        self.replaced(process)

    def _plan_of(self, number: int) -> Plan:
        def plan(_call: str, _number: int) -> Fault:
            when = self._crashes.pop(self._calls, None)
            self._calls += 1
            if when is None:
                return Fault.NONE
            process = self.processes[number]
            process.gate.cut()
            self._mend(self._replace(process))
            return Fault.BEFORE if when == "before" else Fault.AFTER

        return plan

    async def _replace(self, process: Process) -> None:
        await process.kill()
        self._start_process()
        self._mend(self._tidy(self.process))

    async def _tidy(self, process: Process) -> None:
        for _ in range(_TIDY_ROUNDS):
            await asyncio.sleep(_TIDY_EVERY.total_seconds())
            if process.gate.is_cut:
                return
            try:
                await process.worker.tidy()
            except StorageError:
                continue

    def _mend(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)


def process_settings(settings: WorkerSettings | None, *, doubled: bool, from_scratch: bool) -> ProcessSettings:
    """How processes of a harness run. `from_scratch`: every turn replays from the beginning."""
    worker = settings or WorkerSettings(activity_slots=8, status_interval=timedelta(0), sessions=not from_scratch)
    return ProcessSettings(worker=worker, doubled=doubled)
