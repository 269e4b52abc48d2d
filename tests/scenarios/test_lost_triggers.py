"""A turn that is committed although the lease of its trigger is lost: what joined it comes back (P5, P6)."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from durable_ext.records.messages import RunOperation
from durable_ext.testing.injection import Fault

from . import entity_orchestrations
from .hub import Hub, run


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
