"""Every scenario, stopped at every storage call, in three ways (T3).

*before*: the process dies before the call; *after*: it dies after the effect of the call; *lost*: the effect is there,
the answer is lost, and the process goes on. Each in three worlds: instances kept in memory, every turn replayed from
scratch, every message delivered twice. Afterwards the output is right, each outcome stands once in history, the row
equals history, no message is stranded and no session is left open.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from durable_ext.providers.contract import InstanceFilter
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.replay.fold import project
from durable_ext.testing import virtual_time
from durable_ext.testing.faults import Fault, Plan
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from tests.scenarios import orchestrations
from tests.scenarios.engine import LEASE, Process, Store, make_process, no_faults


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What is started, what happens to it (event names and values, some seconds apart), and how it ends."""

    name: str
    input: Any
    events: tuple[tuple[str, str], ...] = ()
    beside: str = ""
    output: Any


SCENARIOS = {
    "chain": Scenario(name="chain", input=0, output=3),
    "fan_out": Scenario(name="fan_out", input=6, output=21),
    "retries": Scenario(name="retries", input=1, output="no 1"),
    "children": Scenario(name="parent", input=2, output=[3, 4]),
    "approval": Scenario(name="approval", input=None, events=(("approval", "yes"),), output="yes"),
    "timeout": Scenario(name="approval", input=None, output="late"),
    "eternal": Scenario(name="eternal", input=[], events=tuple(("tick", t) for t in "abc"), output=["a", "b", "c"]),
    "events": Scenario(name="talker", input="beside", beside="approval", output="sent"),
    "forgetful": Scenario(name="forgetful", input=None, output="done"),
}
WORLDS = ("cached", "scratch", "doubled")
_ID = "it"
_MOST_CALLS = 400


class Run:
    """One run of a scenario, with a fault at one call."""

    def __init__(self, scenario: Scenario, world: str, clock: VirtualClock) -> None:
        self.store: Store = SqliteProvider(":memory:", partitions=1, clock=clock)
        self.client = Client(self.store, self.store, clock=clock)
        self.reached = False
        self._scenario = scenario
        self._world = world
        self._clock = clock
        self._dead = asyncio.Event()
        self._dies = False
        self._open_sessions = 0

    async def play(self, plan: Plan, *, dies: bool) -> list[str]:
        """Play it and return what is wrong afterwards."""
        await self.store.create_hub()
        self._dies = dies
        first = self._process(self._watched(plan))
        first.start()
        successor = asyncio.create_task(self._succeed(first))
        scenario = self._scenario
        if scenario.beside:
            await self.client.start(scenario.beside, instance_id="beside")
        await self.client.start(scenario.name, scenario.input, instance_id=_ID)
        for number, (name, value) in enumerate(scenario.events):
            await self._clock.sleep(3)
            await self.client.raise_event(_ID, name, value, message_id=f"event-{number}")
        await self._clock.sleep(3600)
        successor.cancel()
        await asyncio.gather(successor, return_exceptions=True)
        await self._clock.sleep(2 * LEASE.total_seconds())
        wrong = await self._wrong()
        await self.store.close()
        return wrong

    def _process(self, plan: Plan) -> Process:
        settings = WorkerSettings(sessions=self._world != "scratch", activity_slots=8)
        doubled = self._world == "doubled"
        registry = orchestrations.registry()
        return make_process(self.store, registry, self._clock, plan=plan, settings=settings, doubled=doubled)

    def _watched(self, plan: Plan) -> Plan:
        def watched(verb: str, number: int) -> Fault:
            fault = plan(verb, number)
            if fault is not Fault.NONE:
                self.reached = True
                if self._dies:
                    self._dead.set()
            return fault

        return watched

    async def _succeed(self, process: Process) -> None:
        """When the first process dies, another one takes its place."""
        try:
            await self._dead.wait()
            await process.kill()
            process = self._process(no_faults)
            process.start()
            await asyncio.Event().wait()
        finally:
            self._open_sessions = process.worker.open_sessions
            await process.kill()

    async def _wrong(self) -> list[str]:
        found: list[str] = []
        page = await self.store.query(InstanceFilter(), limit=1000)
        for row in page.rows:
            if not row.status.is_terminal:
                found.append(f"{row.instance_id} is {row.status}")
            turns = await self.store.history(row.instance_id)
            answers = Counter(getattr(event, "task_id", None) for turn in turns for event in turn.events)
            answers.pop(None, None)
            found += [
                f"{row.instance_id}: {count} outcomes of task {task}" for task, count in answers.items() if count > 1
            ]
            folded = project(None, turns)
            if folded is None or (folded.status, folded.turn) != (row.status, row.turn):
                found.append(f"{row.instance_id}: the row says {row.status} after turn {row.turn}, history {folded}")
        status = await self.client.get(_ID)
        if status is None or status.output != self._scenario.output:
            found.append(f"the output is {None if status is None else status.output!r}")
        left = await self.store.receive_work(limit=100, lease=LEASE, wait=LEASE * 0)
        left = [*left, *await self.store.receive_control(0, limit=100, lease=LEASE, wait=LEASE * 0)]
        found += [f"stranded: {type(delivery.messages[0].body).__name__}" for delivery in left]
        found += [f"quarantined: {message.reason}" for message in await self.store.list_quarantined()]
        if self._open_sessions:
            found.append(f"{self._open_sessions} sessions are still open")
        return found


def _play(scenario: str, world: str, plan: Plan, *, dies: bool) -> tuple[bool, list[str]]:
    async def main(clock: VirtualClock) -> tuple[bool, list[str]]:
        run = Run(SCENARIOS[scenario], world, clock)
        wrong = await run.play(plan, dies=dies)
        return run.reached, wrong

    return virtual_time.run(main)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_without_faults(scenario: str, world: str) -> None:
    assert _play(scenario, world, no_faults, dies=False) == (False, [])


@pytest.mark.parametrize("way", ["before", "after", "lost"])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_crash_point(scenario: str, world: str, way: str, record_property: Any) -> None:
    fault = Fault.BEFORE if way == "before" else Fault.AFTER
    for call in range(_MOST_CALLS):
        reached, wrong = _play(
            scenario,
            world,
            lambda _verb, number, call=call: fault if number == call else Fault.NONE,
            dies=way != "lost",
        )
        assert not wrong, f"call {call}: {wrong}"
        if not reached:
            record_property("crash_points", call)
            assert call >= 4, "a scenario has more storage calls than that"
            return
    pytest.fail("the scenario never ended")
