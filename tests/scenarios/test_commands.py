"""Commands from outside: terminate, suspend, resume and events, whatever they race with (P7, P12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceNotFoundError, InstanceStateError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Message, RaiseEvent, StartExecution, Terminate

from .hub import Hub, run

_MINUTE = timedelta(minutes=1)


def app() -> Registry:
    registry = Registry()
    for orchestrator in (eternal, listen, grandmother, mother, renewing_child, mother_of_renewing, timed, collect):
        registry.add_orchestrator(orchestrator)
    return registry


async def eternal(ctx: OrchestrationContext, seen: list[Any]) -> Any:
    seen.append(await ctx.wait_for_external_event("tick"))
    if len(seen) == 12:
        return seen
    ctx.continue_as_new(seen)
    return None


async def collect(ctx: OrchestrationContext, count: int) -> list[Any]:
    return [await ctx.wait_for_external_event("tick") for _ in range(count)]


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def mother(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator(listen, instance_id="child")


async def grandmother(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator(mother, instance_id="mother")


async def renewing_child(ctx: OrchestrationContext, round_: int) -> Any:
    await ctx.wait_for_external_event("renew")
    ctx.continue_as_new(round_ + 1)


async def mother_of_renewing(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator(renewing_child, 0, instance_id="child")


async def timed(ctx: OrchestrationContext) -> Any:
    await ctx.create_timer(timedelta(minutes=10))
    return "late"


@pytest.mark.parametrize("doubled", [False, True])
def test_events_are_handed_out_once_and_in_order_over_continue_as_new(doubled: bool) -> None:
    """P7: every message comes twice, every event begins a new execution."""

    async def test(hub: Hub) -> None:
        process = hub.process(app(), doubled=doubled)
        process.start()
        await process.client.start("eternal", [], instance_id="x")
        for tick in range(12):
            await process.client.raise_event("x", "tick", tick)
            if tick % 3 == 0:
                await hub.clock.sleep(1)
        await process.client.wait_for_completion("x", _MINUTE)
        assert await hub.output("x") == list(range(12))
        await hub.clock.sleep(300)
        await hub.check("x")

    run(test)


def test_event_with_one_message_id_is_one_event() -> None:
    """P7: a client repeats what it does not know to have worked, also after the execution that took it has ended."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("eternal", [], instance_id="x")
        for tick in range(12):
            for _ in range(2 if tick < 11 else 1):
                await process.client.raise_event("x", "tick", tick, message_id=f"tick-{tick}")
                await hub.clock.sleep(1)
        await process.client.wait_for_completion("x", _MINUTE)
        assert await hub.output("x") == list(range(12))

    run(test)


def test_event_that_comes_back_much_later_is_known() -> None:
    """P7: by a process that has nothing in memory."""

    async def test(hub: Hub) -> None:
        first = hub.process(app())
        await first.client.start("eternal", [], instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "tick", 0)
        event = await hub.take_one(RaiseEvent)
        await first.worker.process(event)
        await first.client.raise_event("x", "tick", 1)
        await hub.settle(first)
        second = hub.process(app())
        for count in (2, 3):
            await second.worker.process(msgspec.structs.replace(event, dequeue_count=count))
        for tick in range(2, 12):
            await second.client.raise_event("x", "tick", tick)
            await hub.settle(second)
        assert await hub.output("x") == list(range(12))
        assert len({turn.execution for turn in await hub.store.history("x")}) == 1

    run(test)


def test_suspend_keeps_events_back_until_resume() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("collect", 2, instance_id="x")
        await hub.settle(process)
        await process.client.suspend("x", "a pause")
        await hub.settle(process)
        assert await hub.status("x") is RuntimeStatus.SUSPENDED
        for tick in range(2):
            await process.client.raise_event("x", "tick", tick)
        await hub.settle(process)
        assert await hub.status("x") is RuntimeStatus.SUSPENDED
        other = hub.process(app())
        await other.client.resume("x")
        await hub.settle(other)
        assert await hub.output("x") == [0, 1]
        await hub.check("x")

    run(test)


def test_suspend_survives_continue_as_new_in_one_batch() -> None:
    """An event that continues as new and a suspension arrive together: the next execution is suspended."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("eternal", [], instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "tick", 0)
        await process.client.suspend("x")
        await process.client.raise_event("x", "tick", 1)
        await process.handle(*await hub.take())
        await hub.settle(process)
        assert await hub.status("x") is RuntimeStatus.SUSPENDED
        await process.client.resume("x")
        for tick in range(2, 12):
            await process.client.raise_event("x", "tick", tick)
        await hub.settle(process)
        assert await hub.output("x") == list(range(12))
        await hub.check("x")

    run(test)


def test_suspended_timer_fires_after_resume() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("timed", instance_id="x")
        await hub.clock.sleep(1)
        await process.client.suspend("x")
        await hub.clock.sleep(1200)
        assert await hub.status("x") is RuntimeStatus.SUSPENDED
        await process.client.resume("x")
        await process.client.wait_for_completion("x", _MINUTE)
        assert await hub.output("x") == "late"

    run(test)


def test_termination_in_one_batch_with_an_event_ends_the_instance_before_its_code_sees_the_event() -> None:
    """The code, which would continue as new, may be what cannot be run any more."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("eternal", [], instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "tick", 0)
        await process.client.terminate("x", "enough")
        await process.handle(*await hub.take())
        await hub.settle(process)
        row = await hub.row("x")
        assert row.status is RuntimeStatus.TERMINATED
        assert row.execution.generation == 0
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_late_timer_of_a_terminated_instance_is_dropped() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("timed", instance_id="x")
        await hub.clock.sleep(1)
        await process.client.terminate("x", "enough")
        await hub.clock.sleep(700)
        assert await hub.status("x") is RuntimeStatus.TERMINATED
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_terminate_reaches_grandchildren() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("grandmother", instance_id="x")
        await hub.clock.sleep(1)
        assert await hub.status("child") is RuntimeStatus.RUNNING
        await process.client.terminate("x", "enough")
        await hub.clock.sleep(5)
        for instance_id in ("x", "mother", "child"):
            assert await hub.status(instance_id) is RuntimeStatus.TERMINATED
            await hub.check(instance_id)
        assert process.worker.open_sessions == 0

    run(test)


def test_terminate_without_children_leaves_them_alone() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("mother", instance_id="x")
        await hub.clock.sleep(1)
        await process.client.terminate("x", "enough", recursive=False)
        await hub.clock.sleep(5)
        assert await hub.status("child") is RuntimeStatus.RUNNING
        await process.client.raise_event("child", "go", 1)
        await hub.clock.sleep(5)
        assert await hub.output("child") == 1
        assert await hub.left() == []

    run(test)


def test_terminate_reaches_a_child_that_continued_as_new() -> None:
    """Hole 9: the parent knows the child's first execution only."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("mother_of_renewing", instance_id="x")
        await hub.clock.sleep(1)
        await process.client.raise_event("child", "renew")
        await hub.clock.sleep(1)
        assert (await hub.row("child")).execution.generation == 1
        await process.client.terminate("x", "enough")
        await hub.clock.sleep(5)
        assert await hub.status("child") is RuntimeStatus.TERMINATED
        await hub.check("child")

    run(test)


def test_termination_that_overtakes_the_start_of_the_child_waits_for_it() -> None:
    """Hole 9: no row of the child yet; the termination is put off, a bounded number of times."""

    async def test(hub: Hub) -> None:
        first = hub.process(app())
        await first.client.start("mother", instance_id="x")
        await first.worker.drain(timedelta(0))
        await first.handle(await hub.take_one(StartExecution))
        child_start = await hub.take_one(StartExecution)
        second = hub.process(app())
        await second.client.terminate("x", "enough")
        await second.handle(await hub.take_one(Terminate))
        await second.handle(await hub.take_one(Terminate))
        assert await hub.store.read_row("child") is None
        await second.handle(child_start)
        for _ in range(3):
            await hub.clock.sleep(2)
            await hub.settle(second)
        assert await hub.status("child") is RuntimeStatus.TERMINATED
        assert await hub.left() == []

    run(test)


def test_termination_of_a_child_that_never_comes_is_given_up() -> None:
    """P12: bounded; then dropped, not quarantined: there is nothing to terminate."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        body = Terminate(by_parent="the-parent")
        await hub.store.send([Message(id="m", instance_id="nobody", body=body, sent_at=hub.clock())])
        await hub.clock.sleep(10_000)
        assert await hub.left() == []
        assert await hub.store.list_quarantined() == []

    run(test)


def test_commands_tell_what_is_wrong() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        client = process.client
        for call in (client.terminate, client.suspend, client.resume):
            with pytest.raises(InstanceNotFoundError):
                await call("nobody")
        await client.start("listen", instance_id="x")
        await client.terminate("x")
        await hub.settle(process)
        for call in (client.terminate, client.suspend, client.resume):
            with pytest.raises(InstanceStateError):
                await call("x")
        with pytest.raises(InstanceStateError):
            await client.raise_event("x", "go")

    run(test)


def test_late_message_of_an_instance_that_is_gone_is_dropped() -> None:
    """P12: purged meanwhile; nothing loops, nothing is made of it."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("listen", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go", 1)
        await process.client.raise_event("x", "go", 2)
        first, second = await hub.take()
        await process.handle(first)
        assert await process.client.purge("x")
        await hub.process(app()).handle(second)
        assert await hub.left() == []
        assert await hub.store.read_row("x") is None
        assert await hub.store.history("x") == ()

    run(test)


def test_termination_by_an_old_parent_does_not_end_the_child_of_a_new_one() -> None:
    """An explicit id, used again: the late command is meant for the instance that had it before."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("mother", instance_id="x")
        await hub.clock.sleep(5)
        assert await hub.status("child") is RuntimeStatus.RUNNING
        late = Terminate(reason="late", by_parent="an execution long over")
        await hub.store.send([Message(id="m", instance_id="child", body=late, sent_at=hub.clock())])
        await hub.clock.sleep(600)
        assert await hub.status("child") is RuntimeStatus.RUNNING
        await process.client.terminate("x", "now")
        await hub.clock.sleep(600)
        assert await hub.status("child") is RuntimeStatus.TERMINATED
        assert await hub.left() == []

    run(test)
