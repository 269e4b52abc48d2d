"""Repeats: what comes twice counts once, and what was done before its answer was lost is not undone (P7, P13)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.messages import FinishTask, RaiseEvent, RunActivity, StartExecution
from durable_ext.testing.faults import Fault

from .engine import LEASE
from .hub import Gate, Hub, failing, run
from .meetings import App


def test_second_copy_of_an_event_is_known_after_continue_as_new() -> None:
    """Hole 14: the copy that was put off is marked, so it is looked up across executions."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("eternal", [], instance_id="x")
        start = await hub.take_one(StartExecution)
        await process.client.raise_event("x", "tick", "a")
        early = await hub.take_one(RaiseEvent)
        other = hub.process(app.registry)
        await other.worker.process(early)  # put off, and its first copy not completed
        await process.handle(start)
        await process.handle(msgspec.structs.replace(early, dequeue_count=2))
        await hub.clock.sleep(10)
        await hub.settle(process)
        await process.client.raise_event("x", "tick", "end")
        await hub.settle(process)
        assert await hub.output("x") == ["a", "end"]

    run(test)


def test_second_result_of_one_work_item_is_dropped() -> None:
    """P7: a work item that ran twice answers once; its second answer does not wait for a cause."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("queued_then_waits", instance_id="x")
        await first.handle(await hub.take_one(StartExecution))
        item = await hub.take_one(RunActivity)
        await second.worker.process(item)
        answer = await hub.take_one(FinishTask)
        await first.handle(answer)
        late = msgspec.structs.replace(answer.messages[0], id="another")
        await hub.store.send([late])
        await first.handle(*await hub.take())
        await hub.store.complete(item)
        assert await hub.left() == []
        await first.client.raise_event("x", "go", 1)
        await hub.settle(first)
        assert await hub.output("x") == ["queued", 1]
        await hub.check("x")

    run(test)


def test_second_copy_of_an_event_is_known_though_nothing_marks_it() -> None:
    """P7: within an execution every message is compared by its id."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("two_events", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go", 1)
        event = await hub.take_one(RaiseEvent)
        await hub.store.send(event.messages)
        await process.handle(event)
        await hub.settle(process)
        assert not (await hub.status("x")).is_terminal
        await process.client.raise_event("x", "go", 2)
        await hub.settle(process)
        assert await hub.output("x") == [1, 2]

    run(test)


def test_lost_answers_of_every_kind_change_nothing() -> None:
    """P13: a send and a row whose answers are lost."""

    async def test(hub: Hub) -> None:
        for number, verb in enumerate(["append", "update_row", "send", "create_row", "complete"]):
            app = App()
            first = hub.process(app.registry)
            await first.client.start("mother", instance_id=f"x{number}")
            other = hub.process(app.registry, plan=failing(verb, fault=Fault.AFTER))
            await other.handle(*await hub.take())
            await other.kill()
            await hub.leases_run_out()
            await hub.settle(first)
            assert await hub.output(f"x{number}") == ["mother", 1]
            await hub.check(f"x{number}")

    run(test)


def test_a_late_copy_of_an_at_most_once_activity_does_not_run_after_a_purge() -> None:
    """The purge took the claim with it; nothing marks the copy."""

    async def test(hub: Hub) -> None:
        ran: list[int] = []
        registry = Registry()

        async def charge(amount: int) -> int:
            ran.append(amount)
            return amount

        async def once(ctx: OrchestrationContext) -> Any:
            return await ctx.call_activity("charge", 5, placement="queue")

        registry.add_activity(charge, at_most_once=True)
        registry.add_orchestrator(once)
        process = hub.process(registry)
        await process.client.start("once", instance_id="x")
        await hub.settle_control(process)
        work = await hub.take_one(RunActivity)
        await hub.store.send(work.messages)
        await process.handle(work)
        await hub.settle_control(process)
        assert await process.client.purge("x")
        await hub.settle(hub.process(registry))
        await hub.clock.sleep(2)
        await hub.settle(hub.process(registry))
        assert ran == [5]
        assert await hub.left() == []

    run(test)


def test_second_copy_of_a_message_that_was_repaired_is_dealt_with() -> None:
    """While the session goes on: nobody may hold it until the session ends."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        process = hub.process(app.registry)
        await process.client.start("queues_then_holds", instance_id="x")
        await hub.settle_control(process)
        await process.client.raise_event("x", "go")
        go = await hub.take_one(RaiseEvent)
        await process.handle(go)
        await process.client.raise_event("x", "more")
        process.begin(*await hub.store.receive_control(0, limit=1, lease=LEASE, wait=LEASE * 0))
        await hub.until(lambda: app.ran == ["held"])
        for attempt in (2, 3):
            async with asyncio.timeout(60):
                await process.worker.process(msgspec.structs.replace(go, dequeue_count=attempt))
        assert process.worker.open_sessions == 1
        app.gates["held"].open()
        await hub.clock.sleep(60)
        await hub.settle(process)
        assert await hub.output("x") == ["held", "queued"]

    run(test)
