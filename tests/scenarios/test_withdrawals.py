"""Activities nobody waits for any more: withdrawn from the queue, or stopped where they run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.options import Placement
from durable_ext.authoring.registry import Registry
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RunActivity
from durable_ext.testing.faults import Fault
from durable_ext.worker.settings import WorkerSettings

from .hub import Hub, run

_SLOW = 3600.0
_INTERVAL = WorkerSettings().own_lease.total_seconds() / 2


class App:
    """Orchestrations that give up an activity. `begun` and `stopped` name what became of its runs."""

    def __init__(self, hub: Hub) -> None:
        self.registry = Registry()
        self.begun: list[str] = []
        self.stopped: list[str] = []
        self.ended: list[str] = []
        self._hub = hub
        self.registry.add_activity(self.slow, name="slow")
        self.registry.add_orchestrator(self.limited, name="limited")
        self.registry.add_orchestrator(self.raced, name="raced")
        self.registry.add_orchestrator(self.patient, name="patient")
        self.registry.add_orchestrator(careless, name="careless")

    async def slow(self, name: str) -> str:
        self.begun.append(name)
        try:
            await self._hub.clock.sleep(_SLOW)
        except asyncio.CancelledError:
            self.stopped.append(name)
            raise
        self.ended.append(name)
        return name

    async def limited(self, ctx: OrchestrationContext, placement: Placement) -> str:
        try:
            async with asyncio.timeout(60):
                return str(await ctx.call_activity("slow", ctx.instance_id, placement=placement))
        except TimeoutError:
            return "late"

    async def raced(self, ctx: OrchestrationContext, placement: Placement) -> str:
        """The event wins; the loser is cancelled."""
        loser = ctx.call_activity("slow", ctx.instance_id, placement=placement)
        event = ctx.wait_for_external_event("go")
        await asyncio.wait([loser, event], return_when=asyncio.FIRST_COMPLETED)
        loser.cancel()
        return str(await event)

    async def patient(self, ctx: OrchestrationContext, placement: Placement) -> Any:
        return await ctx.call_activity("slow", ctx.instance_id, placement=placement)


async def careless(ctx: OrchestrationContext, placement: Placement) -> str:
    ctx.call_activity("slow", ctx.instance_id, placement=placement)
    await asyncio.sleep(1)
    return "done"


def test_an_activity_of_the_session_stops_at_once() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        process.start()
        await process.client.start("limited", "local", instance_id="it")
        await hub.clock.sleep(61)
        assert app.stopped == ["it"]
        assert await hub.output("it") == "late"
        assert "withdraw" not in process.provider.calls, "nobody else could have had it"
        assert process.worker.open_sessions == 0

    run(test)


def test_a_work_item_that_waits_is_withdrawn() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("limited", "queue", instance_id="it")
        await hub.settle_control(process)
        await hub.clock.sleep(61)
        await hub.settle_control(process)
        assert await hub.output("it") == "late"
        await hub.settle(hub.process(app.registry))
        assert app.begun == []
        assert await hub.left() == []

    run(test)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_work_item_that_runs_is_stopped_within_the_interval(processes: int) -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        control = hub.process(app.registry)
        other = control if processes == 1 else hub.process(app.registry)
        await control.client.start("raced", "queue", instance_id="it")
        await hub.settle_control(control)
        other.begin(await hub.take_one(RunActivity))
        await hub.clock.sleep(20)
        assert app.begun == ["it"]
        await control.client.raise_event("it", "go", "won")
        await hub.settle_control(control)
        assert await hub.output("it") == "won"
        await hub.clock.sleep(_INTERVAL + 1)
        assert app.stopped == ["it"]
        assert await hub.left() == []
        await hub.check("it")

    run(test)


@pytest.mark.parametrize("placement", ["local", "queue"])
def test_termination_stops_what_runs(placement: Placement) -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        process.start()
        await process.client.start("patient", placement, instance_id="it")
        await hub.clock.sleep(20)
        assert app.begun == ["it"]
        await process.client.terminate("it", "enough")
        await hub.clock.sleep(_INTERVAL + 2)
        assert app.stopped == ["it"]
        assert await hub.status("it") is RuntimeStatus.TERMINATED
        assert await hub.left() == []
        assert app.begun == ["it"]

    run(test)


def test_termination_withdraws_what_waits() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("patient", "queue", instance_id="it")
        await hub.settle_control(process)
        await hub.clock.sleep(5)
        await process.client.terminate("it", "enough")
        await hub.settle_control(process)
        await hub.settle(hub.process(app.registry))
        assert app.begun == []

    run(test)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_a_withdrawal_that_was_not_made_is_made_when_the_trigger_comes_back(fault: Fault) -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        faults = iter([fault])

        def plan(verb: str, _number: int) -> Fault:
            return next(faults, Fault.NONE) if verb == "withdraw" else Fault.NONE

        process = hub.process(app.registry, plan=plan)
        await process.client.start("patient", "queue", instance_id="it")
        await hub.settle_control(process)
        await process.client.terminate("it", "enough")
        await hub.settle_control(process)
        assert await hub.store.history("it")
        await process.kill()
        await hub.leases_run_out()
        other = hub.process(app.registry)
        await hub.settle_control(other)
        assert other.provider.calls.count("withdraw") == 1
        await hub.settle(hub.process(app.registry))
        assert app.begun == []
        assert await hub.left() == []

    run(test)


@pytest.mark.parametrize("placement", ["local", "queue"])
def test_an_activity_nobody_awaited_goes_on_when_its_orchestration_ends(placement: Placement) -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        process.start()
        await process.client.start("careless", placement, instance_id="it")
        await hub.clock.sleep(_SLOW + 60)
        assert await hub.output("it") == "done"
        assert app.ended == ["it"]

    run(test)


def test_looking_for_withdrawals_costs_the_same_however_much_runs() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry, settings=WorkerSettings(activity_slots=500))
        for number in range(200):
            await process.client.start("patient", "queue", instance_id=f"it-{number}")
        await hub.settle_control(process)
        await hub.clock.sleep(5)
        process.begin(*await hub.take())
        await hub.clock.sleep(2)
        assert len(app.begun) == 200
        assert process.provider.calls.count("withdrawn") == 1
        await hub.clock.sleep(10 * _INTERVAL)
        assert 9 <= process.provider.calls.count("withdrawn") - 1 <= 10

    run(test)


def test_a_work_item_begun_at_once_costs_no_look() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("patient", "queue", instance_id="it")
        await hub.settle_control(process)
        process.begin(*await hub.take())
        await hub.clock.sleep(1)
        assert app.begun == ["it"]
        assert "withdrawn" not in process.provider.calls

    run(test)
