"""Scenarios on the Azure provider, stopped at every storage call: finer than the provider's verbs (T3).

Besides the ways of `tests/scenarios/test_crash_points.py`: *throttled*: the call fails without effect, as after too
many 503, and the process goes on; *repeated*: the answer is lost and the client makes the call again, so that an insert
meets its own row, an etag or a receipt is no longer the one that was read, and a message is there twice; *stalled*: the
process sleeps before the call for longer than its leases hold, while another one works, and then goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.messages import Delivery
from durable_ext.testing import virtual_time
from durable_ext.testing.faults import Fault, Plan
from durable_ext.testing.storage_double import FaultyStorageClient, StorageDouble
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from tests.scenarios import orchestrations
from tests.scenarios.engine import LEASE, Process, make_process, no_faults, pause
from tests.scenarios.test_crash_points import SCENARIOS, Run, Scenario


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, and whether the process dies of it, makes the call again, or sleeps before it."""

    fault: Fault
    dies: bool = False
    repeats: bool = False
    stalls: bool = False


WAYS = {
    "before": Way(fault=Fault.BEFORE, dies=True),
    "after": Way(fault=Fault.AFTER, dies=True),
    "lost": Way(fault=Fault.AFTER),
    "throttled": Way(fault=Fault.BEFORE),
    "repeated": Way(fault=Fault.AFTER, repeats=True),
    "stalled": Way(fault=Fault.BEFORE, stalls=True),
}
_STALL = 1.5 * LEASE.total_seconds()
_TICKS = (("tick", "a" * 20_000), ("tick", "b" * 40_000), ("tick", "c" * 20_000))
# Long values: payloads, messages and turns that are blobs.
TRIED = SCENARIOS | {
    "long values": Scenario(name="eternal", input=[], events=_TICKS, output=[value for _, value in _TICKS]),
    "long turns": Scenario(name="approval", input=None, events=(("approval", "y" * 20_000),), output="y" * 20_000),
}
WORLDS = ("cached", "scratch", "doubled")
# The janitor has had a look by then; its queries, once a minute ever after, are the same.
_QUERIES_UNTIL = timedelta(seconds=90)


class Waiting(AzureStorageProvider):
    """Asks for messages when there are some, and asks again when storage fails."""

    def __init__(self, double: StorageDouble, client: FaultyStorageClient, clock: VirtualClock) -> None:
        super().__init__("", "Hub", 1, clock=clock, client=client)
        self._double = double

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        receive = super().receive_control
        return await self._receive(
            self.names.control[partition], lambda: receive(partition, limit=limit, lease=lease, wait=timedelta(0))
        )

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta) -> Sequence[Delivery]:
        receive = super().receive_work
        return await self._receive(self.names.work, lambda: receive(limit=limit, lease=lease, wait=timedelta(0)))

    async def _receive(self, queue: str, receive: Callable[[], Awaitable[Sequence[Delivery]]]) -> Sequence[Delivery]:
        while True:
            await self._double.arrival(queue)
            try:
                found = await receive()
            except StorageError:
                await pause(1)
                continue
            if found:
                return found


class CallRun(Run):
    """A run over the double, with a fault at one storage call of the first process."""

    def __init__(self, scenario: Scenario, world: str, clock: VirtualClock, way: Way) -> None:
        super().__init__(scenario, world, clock)
        self._double = StorageDouble(clock, page_rows=2, page_blobs=1)
        self.store = AzureStorageProvider("", "Hub", 1, clock=clock, client=self._double)
        self.client = Client(self.store, self.store, clock=clock)
        self.points: list[tuple[int, str]] = []
        self._way = way

    def _process(self, plan: Plan) -> Process:
        begun = self._clock()

        def noted(call: str, number: int) -> Fault:
            is_new = call != "query_entities" or self._clock() - begun < _QUERIES_UNTIL
            if plan is not no_faults and is_new:
                self.points.append((number, call))
            fault = plan(call, number)
            if fault is Fault.NONE:
                return fault
            if self._way.stalls:
                client.stall()
                asyncio.get_running_loop().call_later(_STALL, client.resume)
                self._dead.set()
                return Fault.NONE
            if self._way.dies:
                client.cut()
            return fault

        double = self._double
        client = FaultyStorageClient(double, noted, repeats=self._way.repeats)  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
        return make_process(
            Waiting(double, client, self._clock),
            orchestrations.registry(),
            self._clock,
            settings=WorkerSettings(sessions=self._world != "scratch", activity_slots=8),
            doubled=self._world == "doubled",
        )

    async def _succeed(self, process: Process) -> None:
        """A process that sleeps is not killed: another one works beside it."""
        if not self._way.stalls:
            await super()._succeed(process)
            return
        processes = [process]
        try:
            await self._dead.wait()
            processes.append(self._process(no_faults))
            processes[-1].start()
            await asyncio.Event().wait()
        finally:
            self._open_sessions = sum(one.worker.open_sessions for one in processes)
            for one in processes:
                await one.kill()


def play(scenario: str, world: str, way: str = "lost", call: int = -1) -> tuple[CallRun, list[str]]:
    """One run, with a fault at a call of that number."""
    chosen = WAYS[way]

    async def main(clock: VirtualClock) -> tuple[CallRun, list[str]]:
        run = CallRun(TRIED[scenario], world, clock, chosen)
        wrong = await run.play(lambda _call, number: chosen.fault if number == call else Fault.NONE, dies=chosen.dies)
        return run, wrong

    return virtual_time.run(main)


# Storage is the same before a call as after the one that went before it, so one world will do for what fails before.
WORLDS_AND_WAYS = [
    (world, way)
    for way, one in WAYS.items()
    for world in WORLDS
    if world == "cached" or one.fault is Fault.AFTER or one.stalls
]


@pytest.mark.parametrize(("world", "way"), WORLDS_AND_WAYS)
@pytest.mark.parametrize("scenario", TRIED)
def test_every_crash_point(scenario: str, world: str, way: str, record_property: Any) -> None:
    run, wrong = play(scenario, world)
    assert not wrong, f"without faults: {wrong}"
    assert not run.reached
    points = run.points
    assert len(points) >= 10, "a scenario has more storage calls than that"
    failed: list[str] = []
    for number, call in points:
        run, wrong = play(scenario, world, way, number)
        if wrong or not run.reached:
            failed.append(f"{call}, call {number}: {wrong or 'not reached'}")
    record_property("crash_points", len(points))
    assert not failed, "\n".join(failed)
