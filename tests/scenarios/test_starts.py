"""Starts: never lost, never doubled, and one id belongs to one execution at a time (P9, P10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError
from durable_ext.records.events import EventRaised, ExecutionStarted, ExecutionTerminated
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import StartExecution, Terminate
from durable_ext.testing.crash_points import Plans, try_points
from durable_ext.worker.client import StartOptions, start_message

from .hub import Hub, run
from .two_stores import AnyHub, StoreName, on_both, run_on
from .workloads import SCENARIOS


class App:
    """Parents that start children under ids of their own."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.ran: list[Any] = []
        self.registry.add_activity(self.act, name="act")
        self.registry.add_activity(self.count, name="count")
        for orchestrator in (child, third_time_lucky, twice, persistent, collide, twins, listen, once):
            self.registry.add_orchestrator(orchestrator)

    async def act(self, value: Any) -> Any:
        self.ran.append(value)
        return value

    async def count(self) -> int:
        self.ran.append("counted")
        return len(self.ran)


async def child(ctx: OrchestrationContext, value: int) -> int:
    return value


async def third_time_lucky(ctx: OrchestrationContext) -> str:
    if await ctx.call_activity("count") < 3:
        raise ValueError("not yet")
    return "good"


async def persistent(ctx: OrchestrationContext) -> str:
    policy = RetryPolicy(first_interval=timedelta(seconds=5), max_attempts=3)
    return await ctx.call_sub_orchestrator(third_time_lucky, instance_id="kid", retry=policy)


async def twice(ctx: OrchestrationContext) -> list[int]:
    first = await ctx.call_sub_orchestrator(child, 1, instance_id="kid")
    return [first, await ctx.call_sub_orchestrator(child, 2, instance_id="kid")]


async def collide(ctx: OrchestrationContext) -> str:
    try:
        return str(await ctx.call_sub_orchestrator(listen, instance_id="busy"))
    except TaskFailedError as error:
        return f"{error.failure.type}: {error.failure.message}"


async def twins(ctx: OrchestrationContext) -> list[str]:
    calls = [ctx.call_sub_orchestrator(listen, instance_id="kid") for _ in range(2)]
    return [str(outcome) for outcome in await asyncio.gather(*calls, return_exceptions=True)]


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def once(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("act", "once")


def test_two_children_may_have_one_id_one_after_the_other() -> None:
    """Hole 4: the id of a child that has ended may be used again."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("twice", instance_id="x")
        await process.client.wait_for_completion("x", timedelta(minutes=1))
        assert await hub.output("x") == [1, 2]
        await hub.check("x")
        await hub.check("kid")

    run(test)


def test_child_with_an_id_of_its_own_is_retried() -> None:
    """Hole 4: every attempt of a retry has the same instance id."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("persistent", instance_id="x")
        await process.client.wait_for_completion("x", timedelta(minutes=1))
        assert await hub.output("x") == "good"
        assert (await hub.row("kid")).execution.generation == 2

    run(test)


def test_child_with_the_id_of_a_running_instance_is_refused() -> None:
    """Hole 4: the parent gets an error it can act on, and the other instance is left alone."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("listen", instance_id="busy")
        await hub.clock.sleep(1)
        await process.client.start("collide", instance_id="x")
        await process.client.wait_for_completion("x", timedelta(minutes=1))
        output = await hub.output("x")
        assert "InstanceExistsError" in output
        assert "'busy'" in output
        await process.client.raise_event("busy", "go", "unharmed")
        await process.client.wait_for_completion("busy", timedelta(minutes=1))
        assert await hub.output("busy") == "unharmed"

    run(test)


@on_both
def test_a_refused_child_does_not_run_when_its_id_comes_free(store: StoreName) -> None:
    """Its parent was told; then the start comes again after a crash, and whoever had the id is over."""
    report = try_points(SCENARIOS["child refused"], Plans(store=store, worlds=("scratch",), ways=("before", "lost")))
    assert report.all_survived, str(report)
    assert report.points > 40


@on_both
@pytest.mark.parametrize("drained", [False, True])
def test_two_children_of_one_id_at_once(store: StoreName, drained: bool) -> None:
    """One of them runs, and the parent hears that the other one does not: it must not wait for it for ever."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        if drained:
            await process.worker.drain(timedelta(0))
        await process.client.start("twins", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("kid", "go", "hello")
        await hub.settle(process)
        refused, answered = sorted(await hub.output("x"), key=lambda text: text == "hello")
        assert answered == "hello"
        assert "InstanceExistsError" in refused
        await hub.check("x")
        await hub.check("kid")
        assert await hub.left() == []

    run_on(store, test)


@on_both
@pytest.mark.parametrize("order", [1, -1])
def test_a_child_beside_a_start_of_its_id(store: StoreName, order: int) -> None:
    """The start of a client needs no look at storage; a child's that came with it has to be refused all the same."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        await process.worker.drain(timedelta(0))
        await process.client.start("listen", instance_id="busy")
        theirs = await hub.take_one(StartExecution)
        await process.client.start("collide", instance_id="x")
        await process.handle(await hub.take_one(StartExecution))
        ours = await hub.take_one(StartExecution)
        await process.handle(*[theirs, ours][::order])
        await hub.settle(process)
        assert "InstanceExistsError" in await hub.output("x")
        assert await hub.status("busy") is RuntimeStatus.RUNNING
        await process.client.raise_event("busy", "go", "unharmed")
        await hub.settle(process)
        assert await hub.output("busy") == "unharmed"

    run_on(store, test)


def test_start_comes_first_whatever_overtook_it() -> None:
    """Hole 7: a termination and an event overtake the start; turn 0 begins with the start all the same."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        await process.client.start("listen", instance_id="x")
        await process.client.terminate("x", "too late")
        start, end = await hub.take()
        await process.handle(end, start)
        await hub.settle(process)
        (turn,) = await hub.store.history("x")
        assert [type(event) for event in turn.events] == [ExecutionStarted, ExecutionTerminated]
        assert await hub.status("x") is RuntimeStatus.TERMINATED

    run(test)


def test_first_event_comes_with_a_start_sent_again_and_before_what_overtook_it() -> None:
    """P9: the row holds the first event; the janitor's start has it, and the client's own start does not repeat it."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        options = StartOptions(first_event=("go", {"n": 1}))
        await process.client.start("listen", instance_id="x", options=options)
        await process.client.raise_event("x", "go", "second")
        start, event = await hub.take()
        again = await hub.store.read_row("x")
        assert again is not None
        await process.handle(event, start)
        resent = start_message(again.row, again.etag, resent=True)
        assert isinstance(resent.body, StartExecution)
        await hub.store.send([resent])
        await hub.settle(process)
        (turn,) = await hub.store.history("x")
        raised = [event for event in turn.events if isinstance(event, EventRaised)]
        assert raised[0].input.data == b'{"n":1}'
        assert await hub.output("x") == {"n": 1}
        assert (await hub.row("x")).first_event is None

    run(test)


def test_parent_hears_of_a_child_that_was_terminated_before_it_began() -> None:
    """Hole 7: the report needs the start that names the parent."""

    async def test(hub: Hub) -> None:
        app = App()
        first = hub.process(app.registry)
        await first.client.start("collide", instance_id="x")
        await first.worker.drain(timedelta(0))
        await first.handle(await hub.take_one(StartExecution))
        (start,) = await hub.take()
        second = hub.process(app.registry)
        assert start.messages[0].instance_id == "busy"
        stop = msgspec.structs.replace(start.messages[0], id="stop", execution_id=None, body=Terminate(reason="no"))
        await hub.store.send([stop])
        (end,) = await hub.take()
        await second.handle(end, start)
        await hub.settle(second)
        assert (await hub.output("x")).startswith("Terminated")

    run(test)


def test_second_copy_of_a_start_is_looked_up_after_one_lost_turn() -> None:
    """Hole 16: a start put twice, the second copy in another process, which believes it fresh."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("listen", instance_id="x")
        start = await hub.take_one(StartExecution)
        await hub.store.send(start.messages)
        await first.handle(start)
        await second.handle(await hub.take_one(StartExecution))
        assert second.provider.calls.count("append") == 1
        assert await hub.left() == []
        assert len(await hub.store.history("x")) == 1

    run(test)


@on_both
def test_second_copy_of_a_start_does_not_run_after_a_purge(store: str) -> None:
    """Hole 17: within a minute, executed and purged meanwhile."""

    async def test(hub: AnyHub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("once", instance_id="x")
        start = await hub.take_one(StartExecution)
        await hub.store.send(start.messages)
        await first.handle(start)
        assert await first.client.purge("x")
        await second.handle(await hub.take_one(StartExecution))
        assert app.ran == ["once"]
        assert await hub.store.history("x") == ()
        assert await hub.store.read_row("x") is None
        assert await hub.left() == []

    run_on(store, test)


def test_two_deliveries_of_one_child_start_begin_one_child() -> None:
    """Hole 19: both find no row; the loser of the insert must not tell the parent that the id is taken."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second, third = (hub.process(app.registry) for _ in range(3))
        await first.client.start("twice", instance_id="x")
        await first.worker.drain(timedelta(0))
        await first.handle(await hub.take_one(StartExecution))
        (start,) = await hub.take()
        await hub.store.send(start.messages)
        (copy,) = await hub.take()
        await asyncio.gather(second.handle(start), third.handle(copy))
        await hub.settle(second)
        await hub.settle(second)
        assert await hub.output("x") == [1, 2]

    run(test)


def test_late_start_of_a_replaced_execution_does_not_run() -> None:
    """P9: the row names another execution."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("listen", instance_id="x")
        old = await hub.take_one(StartExecution)
        await process.client.start("once", instance_id="x", options=StartOptions(replace=frozenset(RuntimeStatus)))
        await hub.settle(process)
        await process.handle(msgspec.structs.replace(old, dequeue_count=2))
        assert await hub.output("x") == "once"
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_id_is_used_again_after_a_purge() -> None:
    """P10: restart, purge and creation anew, while another process keeps the instance in memory."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("listen", instance_id="x")
        await hub.settle(first)
        await second.client.terminate("x")
        await hub.settle(second)
        assert await second.client.purge("x")
        assert await second.client.purge("x") is False
        await second.client.start("listen", instance_id="x")
        await hub.settle(second)
        await first.client.raise_event("x", "go", "anew")
        await hub.settle(first)
        assert await hub.output("x") == "anew"
        await hub.check("x")

    run(test)


def test_restart_under_the_same_id_and_under_a_new_one() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("child", 5, instance_id="x")
        await process.client.wait_for_completion("x", timedelta(minutes=1))
        other = await process.client.restart("x")
        await process.client.wait_for_completion(other, timedelta(minutes=1))
        assert other != "x"
        assert await process.client.restart("x", new_instance_id=False) == "x"
        await hub.clock.sleep(1)
        assert [await hub.output(other), await hub.output("x")] == [5, 5]
        assert (await hub.row("x")).execution.generation == 1
        await hub.check("x")

    run(test)


def test_kept_state_is_younger_than_a_tombstone() -> None:
    """Hole 18: the tombstone is swept, so the dead log would take a turn of who still remembers it."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("listen", instance_id="x")
        await hub.settle(first)
        await second.client.terminate("x")
        await hub.settle(second)
        await second.client.purge("x")
        await second.client.start("listen", instance_id="x")
        await hub.settle(second)
        await hub.clock.sleep(timedelta(hours=25).total_seconds())
        assert await hub.store.sweep(hub.clock() - timedelta(hours=24)) > 0
        await first.client.raise_event("x", "go", "seen")
        await hub.settle(first)
        assert await hub.output("x") == "seen"

    run(test)
