"""A turn that is committed although its trigger is lost, or settled: what it owes is sent all the same (P5, P6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageUnavailableError, TurnLostError
from durable_ext.records.messages import RaiseEvent, RunOperation, StartExecution
from durable_ext.records.turns import Turn
from durable_ext.testing.injection import Fault

from . import entity_orchestrations
from .hub import Gate, Hub, run


def test_who_called_an_entity_that_lost_its_trigger_hears_all_the_same() -> None:
    """Its process sleeps in a commit; another one gets the trigger, sends what was owed so far, and completes it. Then
    the commit comes through, with a call of somebody in this process, whom nobody would answer any more."""

    async def test(hub: Hub) -> None:
        appends = 0

        def plan(call: str, _number: int) -> Fault:
            nonlocal appends
            appends += call == "append"
            if appends == 4 and call == "append":
                sleepy.gate.stall()
            return Fault.NONE

        app = entity_orchestrations.registry()
        sleepy, other = hub.process(app, plan=plan), hub.process(app)
        await sleepy.client.start("calls", 2, instance_id="it")
        await sleepy.handle(*await hub.take())
        called = await hub.take_one(RunOperation)
        sleepy.begin(called)
        await hub.clock.sleep(1)
        assert appends == 4, "the second operation is being committed"
        taken_over = await hub.store.extend(called, timedelta(minutes=10))
        await hub.clock.sleep(20)
        await other.handle(msgspec.structs.replace(taken_over, dequeue_count=2))
        sleepy.begin(*await hub.take())
        await hub.clock.sleep(1)
        sleepy.gate.resume()
        await hub.clock.sleep(1)
        for process in (sleepy, other):
            process.start()
        status = await other.client.wait_for_completion("it", timedelta(minutes=5))
        assert status.output == 4
        await hub.check("it")

    run(test)


async def relays(ctx: OrchestrationContext) -> None:
    """Tells somebody else what it hears, while an activity runs."""
    work = ctx.call_activity("work", None)
    ctx.send_event("y", "news", await ctx.wait_for_external_event("go"))
    await work


async def listens(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("news")


def test_an_event_of_a_turn_that_comes_through_late_is_sent() -> None:
    """An insert is given up, its trigger goes to another process, which settles it: all it owes is in the queue. Then
    the insert comes through, and takes the message that came back along: nobody would ever send what that turn owes."""

    async def test(hub: Hub) -> None:
        app, gate = Registry(), Gate()
        app.add_orchestrator(relays)
        app.add_orchestrator(listens)

        async def work(_: None) -> None:
            await gate.wait()

        app.add_activity(work)
        first, second = hub.process(app), hub.process(app)
        await first.client.start("listens", instance_id="y")
        await hub.settle(second)
        await first.client.start("relays", instance_id="x")
        start = await hub.take_one(StartExecution)
        first.begin(start)
        await hub.clock.sleep(1)
        given_up: list[Turn] = []

        async def gives_up(turn: Turn) -> None:
            given_up.append(turn)
            raise StorageUnavailableError("no answer, however often it was asked")

        setattr(first.provider, "append", gives_up)  # noqa: B010 - a verb of this very object
        await first.client.raise_event("x", "go", "tell them")
        event = await hub.take_one(RaiseEvent)
        await first.handle(event)
        assert len(given_up) == 1
        await first.kill()
        await hub.leases_run_out()
        taken = {type(delivery.messages[0].body): delivery for delivery in await hub.take()}
        await second.handle(msgspec.structs.replace(taken[StartExecution], dequeue_count=3))
        with pytest.raises(TurnLostError):
            await hub.store.append(given_up[0])
        gate.open()
        await second.handle(msgspec.structs.replace(taken[RaiseEvent], dequeue_count=2))
        await hub.settle(second)
        assert await hub.output("y") == "tell them"
        await hub.check("x")

    run(test)


def test_what_joined_a_turn_comes_back_when_the_trigger_is_lost_while_it_is_committed() -> None:
    """The trigger's new holder may have looked before this turn was there: whatever joined it makes it repaired."""

    async def test(hub: Hub) -> None:
        app, gate = Registry(), Gate()
        app.add_orchestrator(relays)

        async def work(_: None) -> None:
            await gate.wait()

        app.add_activity(work)
        process = hub.process(app)
        await process.client.start("relays", instance_id="x")
        start = await hub.take_one(StartExecution)
        trigger = asyncio.create_task(process.handle(start))
        await hub.clock.sleep(1)
        append = process.provider.append

        async def loses_its_trigger(turn: Turn) -> None:
            await append(turn)
            trigger.cancel()
            await hub.clock.sleep(0.1)

        setattr(process.provider, "append", loses_its_trigger)  # noqa: B010 - a verb of this very object
        await process.client.raise_event("x", "noise")
        event = await hub.take_one(RaiseEvent)
        await process.handle(event)
        await hub.leases_run_out()
        assert event.messages[0] in [delivery.messages[0] for delivery in await hub.take()]

    run(test)
