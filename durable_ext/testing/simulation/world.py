"""One run: storage, processes that come and go, the load, everything that goes wrong, and the quiet afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from durable_ext.providers.contract import Clock
from durable_ext.records.ids import DEFAULT_TAG, is_entity
from durable_ext.records.payloads import Payload
from durable_ext.testing import determinism
from durable_ext.testing.simulation.case import CallFault, Case, Disturbance, ProcessPlan
from durable_ext.testing.simulation.invariants import Remains, wrong
from durable_ext.testing.simulation.ledger import Runs, Trace
from durable_ext.testing.simulation.lines import Line
from durable_ext.testing.simulation.loop import SimulationLoop
from durable_ext.testing.simulation.outside import Outside
from durable_ext.testing.simulation.process import LEASE, Process
from durable_ext.testing.simulation.programme import RUNS, pause, registry
from durable_ext.testing.simulation.storage import AzureStore, Queue, SqliteStore, Store, rows_of
from durable_ext.testing.simulation.weather import OUTSIDE, Weather
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.testing.waits import Waits
from durable_ext.worker.client import Client

# Nothing of a load takes longer than its days and this.
_LONGEST = timedelta(days=40).total_seconds()
_LONGEST_GAP = 6 * 3600.0
# After so long a janitor has taken every tombstone.
_UNTIL_SWEPT = timedelta(hours=50).total_seconds()
# Calls of one janitor's round in a hub at rest, and of those for an entity, of which each is looked at now and then.
_MOST_IDLE_CALLS = 12
_MOST_PER_ENTITY = 8
# What waits for nothing is looked for so often, and for so long after things went wrong.
_LOOKS_EVERY = 20.0
_WATCHED_AFTERWARDS = 1200.0
# More than where one thing goes wrong: here who finds a lost message may die of the next fault with what it sends.
_LONGEST_WAIT = timedelta(minutes=5)
# Of one run.
_MOST_CALLS = 30_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went. `wrong` is empty when all held; `drawn` are the faults it had, `digest` that of its trace.

    `waited`: for how many seconds an instance waited for nothing at worst.
    """

    wrong: tuple[str, ...]
    drawn: tuple[CallFault, ...]
    digest: str
    faults: dict[str, int]
    instances: int
    calls: int
    seconds: float
    waited: float = 0.0
    trace: tuple[str, ...] = ()


class World:
    """Everything of one run."""

    def __init__(self, case: Case, clock: VirtualClock, *, keep_trace: bool = False) -> None:
        self.case = case
        self.processes: list[Process | None] = [None] * len(case.places)
        self.errors: list[str] = []
        self._clock = clock
        self._begin = clock()
        self._trace = Trace(clock, keep=keep_trace)
        self._runs = Runs(clock)
        self._weather = Weather(case, self._passed)
        self._random = Random(f"{case.seed}/dealing")  # noqa: S311 - has to be the same in each run
        self._store = _store(case, clock, self._random)
        self._registry = registry()
        self._lives: Counter[int] = Counter()
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._lines: list[Line] = []
        calm = Weather(msgspec.structs.replace(case, window=0, noise=0), self._passed)
        self._peek = self._store.reach(Line("peek", calm, Trace(clock)), clock)
        reach = self._store.reach(self._line(OUTSIDE), clock)
        self._client = Client(reach.provider, reach.catalog, clock=clock)
        self._waits = Waits(self._peek.provider, self._peek.catalog, self._registry)
        self._outside = Outside(self._client, self._any_client, self._peek, clock, self._runs)

    async def play(self) -> Outcome:
        """From the first call to the last check."""
        RUNS.set(self._runs)
        await self._peek.provider.create_hub()
        for place in range(len(self.case.places)):
            self._begin_process(place)
        tags = {tag for place in self.case.places for tag in place.work_tags} - {DEFAULT_TAG}
        for queue in (*range(self.case.partitions), "", *sorted(tags)):
            self._spawn(self._deal(queue))
        for disturbance in self.case.disturbances:
            self._spawn(self._disturb(disturbance))
        self._spawn(self._watch())
        await asyncio.gather(*[self._outside.attend(planned) for planned in self.case.load])
        await pause(max(0.0, self.case.window - self._passed()) + 1)
        found = await self._come_to_rest()
        if not found:
            found = await self._look()
        return await self._outcome(found)

    @property
    def _calls(self) -> int:
        return sum(line.calls for line in self._lines)

    def _passed(self) -> float:
        return (self._clock() - self._begin).total_seconds()

    async def _look(self) -> list[str]:
        """What is wrong now that all is quiet; then again once the janitor has taken what is left of purges."""
        found = await wrong(self._remains())
        if self._waits.longest > _LONGEST_WAIT:
            found.append(f"for {self._waits.longest} this waited for nothing: {self._waits.what}")
        await pause(_UNTIL_SWEPT)
        entities = sum(is_entity(row.instance_id) for row in await rows_of(self._peek.catalog))
        most = _MOST_IDLE_CALLS + _MOST_PER_ENTITY * entities
        for process in self._open():
            before = process.line.calls
            await process.worker.tidy()
            if process.line.calls - before > most:
                found.append(f"the janitor made {process.line.calls - before} calls in a hub at rest")
        return found + await wrong(self._remains(swept=True))

    def _remains(self, *, swept: bool = False) -> Remains:
        return Remains(
            case=self.case,
            reach=self._peek,
            store=self._store,
            outside=self._outside,
            runs=self._runs,
            open_sessions=sum(process.worker.open_sessions for process in self._open()),
            swept=swept,
        )

    async def _outcome(self, found: list[str]) -> Outcome:
        self._trace.note("end", *sorted(found))
        seconds = self._passed()
        rows = await rows_of(self._peek.catalog)
        for row in rows:
            self._trace.note(row.instance_id, row.status, row.position, _content(row.output))
        for process in self._open():
            process.kill()
        for task in list(self._tasks):
            task.cancel()
        await pause(3)
        await self._peek.provider.close()
        return Outcome(
            wrong=tuple(found + self.errors),
            drawn=tuple(self._weather.drawn),
            digest=self._trace.digest,
            faults=dict(self._weather.counts),
            instances=len(rows),
            calls=self._calls,
            seconds=seconds,
            waited=self._waits.longest.total_seconds(),
            trace=tuple(self._trace.lines),
        )

    # Processes.

    def _open(self) -> list[Process]:
        return [process for process in self.processes if process is not None and process.is_open]

    def _any_client(self) -> Client:
        takers = [process for process in self._open() if process.takes]
        return self._random.choice(takers).worker.client if takers else self._client

    def _line(self, name: str) -> Line:
        line = Line(name, self._weather, self._trace)
        self._lines.append(line)
        return line

    def _begin_process(self, place: int) -> None:
        plan = self.case.places[place]
        line = self._line(f"{place}.{self._lives[place]}")
        self._lives[place] += 1
        line.die = lambda: self._kill(place, 5)
        # The processes of an SQLite file run on one machine, and have its clock.
        clock = _skewed(self._clock, plan) if self.case.store == "azure" else self._clock
        self.processes[place] = Process(plan, self._store.reach(line, clock), self._registry, clock)
        self._trace.note("process", line.name)

    def _kill(self, place: int, seconds: float) -> None:
        process = self.processes[place]
        if process is None or process.line.is_cut or not process.is_open:
            return
        self._trace.note("kill", process.line.name)
        process.kill()
        self._spawn(self._follow(place, seconds))

    async def _follow(self, place: int, seconds: float) -> None:
        """Another process starts where one ended."""
        await pause(seconds)
        self._begin_process(place)

    async def _disturb(self, disturbance: Disturbance) -> None:
        await pause(disturbance.at)
        place = disturbance.place % len(self.processes)
        process = self.processes[place]
        if process is None or not process.takes:
            return
        self._weather.counts[disturbance.kind] += 1
        self._trace.note(disturbance.kind, process.line.name)
        match disturbance.kind:
            case "kill":
                self._kill(place, disturbance.seconds)
            case "stop":
                await process.stop()
                await self._follow(place, disturbance.seconds)
            case "stall" | "pause":
                process.line.stall()
                await pause(disturbance.seconds)
                process.line.resume()
            case _:
                pass

    async def _deal(self, queue: Queue) -> None:
        """Which process takes what a queue has."""
        while True:
            await self._store.wait_for(queue)
            takers = [process for process in self._open() if process.takes and process.serves(queue)]
            if not takers:
                await pause(1)
                continue
            process = self._random.choice(takers)
            await asyncio.wait([process.spawn(process.receive(queue))], timeout=5)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(f"the simulation itself failed: {type(error).__name__}: {error}")

    # Rest.

    async def _come_to_rest(self) -> list[str]:
        """Wait until nothing is under way; what is wrong when that never comes."""
        begun, gap = self._passed(), 5.0
        left = ""
        while self._passed() - begun < _LONGEST:
            left = await self._under_way()
            if self._calls > _MOST_CALLS:
                return [f"it makes calls without end: {left}"]
            if not left:
                await pause(2 * LEASE.total_seconds())
                if not await self._under_way():
                    return []
            await pause(gap)
            gap = min(gap * 1.2, _LONGEST_GAP)
        return [f"it never comes to rest: {left}"]

    async def _watch(self) -> None:
        """See what waits for nothing, while things go wrong and for as long again, and some minutes."""
        while self._passed() < 2 * self.case.window + _WATCHED_AFTERWARDS:
            await pause(_LOOKS_EVERY)
            living = [process.worker for process in self._open() if process.takes]
            await self._waits.look(
                self._clock(), await self._store.queued_messages(), living, outage=self._weather.is_out
            )

    async def _under_way(self) -> str:
        await self._outside.resume_all()
        rows = await rows_of(self._peek.catalog)
        unfinished = [row.instance_id for row in rows if not (row.status.is_terminal or is_entity(row.instance_id))]
        if unfinished:
            return f"unfinished: {', '.join(unfinished)}"
        queued = await self._store.queued()
        if queued:
            return f"{queued} messages in the queues"
        sessions = sum(process.worker.open_sessions for process in self._open())
        return f"{sessions} sessions are open" if sessions else ""


def play(case: Case, *, keep_trace: bool = False) -> Outcome:
    """Play a case to its end; the same each time."""

    async def main(clock: VirtualClock) -> Outcome:
        return await World(case, clock, keep_trace=keep_trace).play()

    return determinism.run(str(case.seed), main, SimulationLoop)


def _store(case: Case, clock: Clock, random: Random) -> Store:
    if case.store == "azure":
        return AzureStore(clock, random, partitions=case.partitions, page_rows=case.page_rows)
    return SqliteStore(clock, partitions=case.partitions)


def _content(payload: Payload | None) -> object:
    return None if payload is None else payload.blob or payload.data


def _skewed(clock: VirtualClock, plan: ProcessPlan) -> Clock:
    skew = timedelta(seconds=plan.skew)

    def now() -> datetime:
        return clock() + skew

    return now
