"""One run of a scenario on virtual time, with a fault at one call of its first process, and what is wrong after it."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from durable_ext.authoring.payload import decode, encode
from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import DurableError
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Delivery
from durable_ext.testing import determinism, virtual_time
from durable_ext.testing.aftermath import (
    NotingProvider,
    executions,
    rows,
    stranded,
    wrong_instances,
    wrong_runs,
)
from durable_ext.testing.counted_activities import Call, CountedRegistry
from durable_ext.testing.injection import Fault, Plan
from durable_ext.testing.memory_hub import AzureHub, MemoryHub, SqliteHub
from durable_ext.testing.processes import LEASE, Process, ProcessSettings, in_background
from durable_ext.testing.scenario import EVENT_PAUSE, WAYS, Played, Scenario, StoreName, WayName, World
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.testing.waits import LONGEST_WAIT, Waits
from durable_ext.worker.client import Client, StartOptions
from durable_ext.worker.session import ATTEMPTS_HERE
from durable_ext.worker.settings import WorkerSettings

_STALL = 1.5 * LEASE.total_seconds()
# So often, in virtual time, the hub is looked at after the fault.
_LOOKS_EVERY = 10.0
# Who settles what a sleeping process held is given so long for it.
_SETTLED_WITHIN = LEASE.total_seconds()
# What dead and sleeping processes held has come back by then, and the janitor has had a look.
_AFTERWARDS = 6 * LEASE
# The janitor looks at rows that have lagged for a minute, and at those of entities after five.
_MENDED_WITHIN = timedelta(minutes=10)
_LOOK_AGAIN = timedelta(minutes=1)
_LONGEST_PAUSE = 60.0
# What is done at intervals is the same ever after: its calls are points in the first rounds only.
_INTERVALS_UNTIL = timedelta(seconds=90)
_MOST_ROUNDS = 60
# A run that fails for ever, and grows with it, is given up.
_MOST_CALLS = 20_000
_MOST_CALLS_UNDISTURBED = 200_000


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run takes place, and the fault it meets: at no call when `call` is -1."""

    store: StoreName
    world: World
    way: WayName = "lost"
    call: int = -1

    @property
    def point(self) -> str:
        """How a report names it, and `only` takes it."""
        return f"{self.store} {self.world} {self.way} {self.call}"


class Expected(msgspec.Struct, frozen=True):
    """How the instance has to end: the status (None: purged), the output as plain JSON value, and after how long."""

    status: RuntimeStatus | None
    output: Any
    after: timedelta = timedelta(0)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. `points`: number and name of the calls that were made, those at intervals left out after the
    first rounds. `reached`: the call with the fault was made. `runs` of each call of an activity. `waited`: how long an
    instance waited for nothing after the fault."""

    expected: Expected
    points: tuple[tuple[int, str], ...]
    reached: bool
    wrong: tuple[str, ...]
    runs: Mapping[Call, int]
    waited: timedelta

    def later_than(self, expected: Expected | None) -> timedelta:
        """How much later the instance ended than expected."""
        return timedelta(0) if expected is None else max(self.expected.after - expected.after, timedelta(0))


class Run:
    """One run. `expected` None: as the run itself ends, within what the scenario says."""

    def __init__(
        self, scenario: Scenario, setting: Setting, clock: VirtualClock, expected: Expected | None = None
    ) -> None:
        self._scenario = scenario
        self._setting = setting
        self._clock = clock
        self._expected = expected
        self._way = WAYS[setting.way]
        self._registry = CountedRegistry(scenario.registry, scenario.mocks)
        self._neighbours = [(CountedRegistry(one.registry), one.settings) for one in scenario.neighbours]
        self._hub: MemoryHub = AzureHub(clock) if setting.store == "azure" else SqliteHub(clock)
        self._outside = NotingProvider(self._hub)  # pyright: ignore[reportAbstractUsage] - its verbs are made at run time
        self._client = Client(self._outside, self._hub.store, converter=self._registry.converter, clock=clock)
        self._client.naming = self._registry
        self._processes: list[Process] = []
        self._points: list[tuple[int, str]] = []
        self._reached = asyncio.Event()
        self._waits = Waits(self._hub.store, self._hub.store, self._registry)
        self._calls = self._verbs = 0
        self._most_calls = _MOST_CALLS_UNDISTURBED if setting.call < 0 else _MOST_CALLS + 10 * setting.call

    async def play(self) -> Outcome:
        """From the empty hub to the look at what is left."""
        await self._hub.store.create_hub()
        self._start_process(faulty=True)
        for registry, settings in self._neighbours:
            self._start(registry, settings, self._plan_of_others)
        successor, watching = asyncio.create_task(self._succeed()), asyncio.create_task(self._watch())
        wrong = await self._from_outside()
        await self._until_over()
        if self._is_given_up:
            wrong.append(f"given up after {self._calls} storage calls, {self._verbs} verbs of the provider")
        wrong += await self._once_mended()
        for process in self._busy():
            wrong.append(f"still busy: {process.worker.open_sessions} sessions, {process.in_hand} deliveries in hand")
        successor.cancel()
        watching.cancel()
        for process in self._processes:
            await process.kill()
        await self._clock.sleep(2 * LEASE.total_seconds())
        wrong += await stranded(self._hub)
        status = await self._client.get(self._scenario.instance_id)
        wrong += await self._checked(status)
        await self._hub.store.close()
        return Outcome(
            expected=self._ended(status),
            points=tuple(self._points),
            reached=self._reached.is_set(),
            wrong=tuple(dict.fromkeys(wrong)),
            runs=self._runs,
            waited=self._waits.longest,
        )

    def _start_process(self, *, faulty: bool = False) -> None:
        self._start(self._registry, self._scenario.settings, self._plan if faulty else self._plan_of_others)

    def _start(self, registry: CountedRegistry, settings: WorkerSettings, plan: Plan) -> None:
        self._add(registry, settings, plan).start()

    def _add(self, registry: CountedRegistry, settings: WorkerSettings, plan: Plan) -> Process:
        sessions = self._setting.world != "scratch" and settings.sessions
        process = self._hub.process(
            registry,
            ProcessSettings(
                worker=msgspec.structs.replace(settings, sessions=sessions),
                plan=plan,
                repeats=self._way.repeats,
                doubled=self._setting.world == "doubled",
                tidy_every=max(timedelta(minutes=1), self._scenario.within / _MOST_ROUNDS),
                in_company=bool(self._neighbours or self._processes),
            ),
        )
        self._processes.append(process)
        for each in self._processes[:-1]:
            each.in_company = True
        return process

    @property
    def _runs(self) -> Counter[Call]:
        """Of each call of an activity, in all processes."""
        return sum((registry.runs for registry, _ in self._neighbours), Counter(self._registry.runs))

    @property
    def _is_given_up(self) -> bool:
        return self._calls + self._verbs > self._most_calls

    def _count(self) -> None:
        # The verbs too: one storage call may send a thousand messages.
        self._calls += 1
        self._verbs = sum(len(process.provider.calls) for process in self._processes)
        if self._is_given_up:
            for process in self._processes:
                process.gate.cut()

    def _plan_of_others(self, _call: str, _number: int) -> Fault:
        self._count()
        return Fault.NONE

    def _plan(self, call: str, number: int) -> Fault:
        self._count()
        late = self._clock() - virtual_time.START > _INTERVALS_UNTIL
        if not (late and in_background()):
            self._points.append((number, call))
        if number != self._setting.call:
            return Fault.NONE
        self._reached.set()
        gate = self._processes[0].gate
        if self._way.stalls:
            gate.stall()
            return Fault.NONE if self._way.fault is Fault.BEFORE else self._way.fault
        if self._way.dies:
            gate.cut()
        return self._way.fault

    async def _succeed(self) -> None:
        """When the first process dies another takes its place; beside one that sleeps another works."""
        await self._reached.wait()
        first = self._processes[0]
        if self._way.settles:
            await self._overtake(first)
        elif self._way.stalls:
            self._start_process()
            await self._clock.sleep(_STALL)
            first.gate.resume()
        elif self._way.dies:
            await first.kill()
            self._start_process()

    async def _watch(self) -> None:
        """See what waits for nothing, from the fault on."""
        await self._reached.wait()
        while True:
            await self._clock.sleep(_LOOKS_EVERY)
            living = [process.worker for process in self._processes if process.lives]
            await self._waits.look(self._clock(), await self._hub.queued(), living)

    async def _overtake(self, first: Process) -> None:
        """Another process settles what the sleeping one held, and does nothing more until that has gone on, or died."""
        await self._clock.sleep(_STALL)
        other = self._add(self._registry, self._scenario.settings, self._plan_of_others)
        left = await self._what_is_left()
        if self._way.fault is Fault.STRAGGLING:
            await self._settle(other, left[:1])
            await first.gate.come_through()
            left = left[1:]
        await self._settle(other, left)
        first.gate.resume(last=self._setting.call if self._way.dies else None)
        await self._clock.sleep(1)
        if self._way.dies:
            await first.kill()
        other.start()

    async def _settle(self, process: Process, found: Sequence[Delivery]) -> None:
        settling = [asyncio.create_task(process.handle(delivery)) for delivery in found]
        if settling:
            await asyncio.wait(settling, timeout=_SETTLED_WITHIN)

    async def _what_is_left(self) -> list[Delivery]:
        """What nobody holds any more, as often received as makes a holder leave all work to queues; oldest first."""
        left = [
            found if found.dequeue_count == 1 else msgspec.structs.replace(found, dequeue_count=ATTEMPTS_HERE + 1)
            for found in await self._hub.receive_some(LEASE)
        ]
        return sorted(left, key=lambda found: found.messages[0].sent_at)

    async def _from_outside(self) -> list[str]:
        """Everything that comes from outside; what was refused is wrong."""
        scenario = self._scenario
        later = None if scenario.starts_after is None else self._clock() + scenario.starts_after
        try:
            await scenario.first(self._client)
            await self._client.start(
                scenario.orchestrator,
                scenario.input,
                instance_id=scenario.instance_id,
                options=StartOptions(start_at=later),
            )
            for name, data, *pause in scenario.events:
                await self._clock.sleep((pause[0] if pause else EVENT_PAUSE).total_seconds())
                await self._client.raise_event(scenario.instance_id, name, data)
            async with asyncio.timeout(scenario.within.total_seconds()):
                await scenario.then(self._client)
        except (DurableError, TimeoutError, AssertionError) as error:
            return [f"from outside: {type(error).__name__}: {error}"]
        return []

    def _busy(self) -> list[Process]:
        return [process for process in self._processes if not process.gate.is_cut and not process.is_idle]

    async def _until_over(self) -> None:
        """Until every instance has ended and nothing is under way, nor has come back; as long as it may take."""
        ends = self._clock() + self._scenario.within
        while True:
            await self._until_at_rest(ends)
            await self._clock.sleep(_AFTERWARDS.total_seconds())
            if not self._busy() or self._clock() >= ends or self._is_given_up:
                return

    async def _until_at_rest(self, ends: datetime) -> None:
        pause, longest = 1.0, max(_LONGEST_PAUSE, self._scenario.within.total_seconds() / _MOST_ROUNDS)
        while self._clock() < ends and not self._is_given_up:
            if not self._busy() and await self._is_at_rest():
                return
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, longest)

    async def _is_at_rest(self) -> bool:
        """Every instance has ended; entities never do, so where there are some, no message may be left either."""
        found = await rows(self._hub.store)
        if all(row.status.is_terminal for row in found):
            return True
        open_rows = [row for row in found if not row.status.is_terminal]
        return all(is_entity(row.instance_id) for row in open_rows) and await self._hub.next_visible() is None

    async def _once_mended(self) -> list[str]:
        """What is wrong with instances and their logs, once the janitor has had its time."""
        disturbed = self._setting.call >= 0 or self._setting.world == "doubled"
        ends = self._clock() + _MENDED_WITHIN
        while True:
            wrong = await wrong_instances(
                self._hub.store,
                self._outside.sent,
                disturbed=disturbed,
            )
            if not wrong or self._clock() >= ends or self._is_given_up:
                return wrong
            await self._clock.sleep(_LOOK_AGAIN.total_seconds())

    async def _checked(self, status: InstanceStatus | None) -> list[str]:
        """How the instance has ended, how often its activities ran, and what the scenario's own check says."""
        scenario, runs = self._scenario, self._runs
        wrong = wrong_runs(runs, scenario.once, self._most_runs())
        ended = self._ended(status)
        if ended.status is not scenario.status:
            wrong.append(f"it ended {_named(ended.status)} ({ended.output!r}), not {_named(scenario.status)}")
        elif not self._is_expected(ended.output):
            wanted = self._expected.output if scenario.expect is msgspec.UNSET and self._expected else scenario.expect
            wrong.append(f"the output is {ended.output!r}, not {wanted!r}")
        wrong += self._too_late(ended)
        if self._waits.longest > LONGEST_WAIT:
            wrong.append(f"for {self._waits.longest} this waited for nothing: {self._waits.what}")
        logs = await executions(self._hub.store, scenario.instance_id)
        totals: Counter[str] = Counter()
        for call, count in runs.items():
            totals[call.activity] += count
        try:
            scenario.check(Played(status=status, history=tuple(turn for turns in logs for turn in turns), runs=totals))
        except AssertionError as error:
            wrong.append(f"check: {str(error) or traceback.extract_tb(error.__traceback__)[-1].line}")
        return wrong

    def _too_late(self, ended: Expected) -> list[str]:
        """What was under way may be done once more, and the fault has to be noticed; not more."""
        expected = self._expected
        if expected is None or ended.after <= 2 * expected.after + self._scenario.recovers_within:
            return []
        return [f"it ended after {ended.after}, without the fault after {expected.after}"]

    def _ended(self, status: InstanceStatus | None) -> Expected:
        if status is None:
            return Expected(None, None)
        ended = status.row.completed_at or virtual_time.START
        return Expected(status.runtime_status, status.output, ended - virtual_time.START)

    def _is_expected(self, output: Any) -> bool:
        wanted = self._scenario.expect
        if wanted is msgspec.UNSET:
            return self._expected is None or bool(self._expected.output == output)
        if wanted == output:
            return True
        converter = self._registry.converter
        return bool(decode(converter, encode(converter, wanted), Any) == output)

    def _most_runs(self) -> int:
        """One delivery; with a fault it comes back, and its trigger may send a copy (P6); and each of them twice."""
        once = 1 if self._setting.call < 0 else 3
        return 2 * once if self._setting.world == "doubled" else once


def _named(status: RuntimeStatus | None) -> str:
    return "purged" if status is None else status.value


def play(scenario: Scenario, setting: Setting, expected: Expected | None = None) -> Outcome:
    """One run, from an empty hub. Raises what the scenario's own functions raise, but AssertionError of its check."""

    async def main(clock: VirtualClock) -> Outcome:
        return await Run(scenario, setting, clock, expected).play()

    scenario.fresh()
    # The run without faults tells which calls there are: the others have to make the same ones.
    return determinism.run(f"{setting.store} {setting.world}", main)
