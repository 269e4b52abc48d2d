"""Messages that are gone altogether: what the janitor sends again, and what it leaves alone (P6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.entity_id import EntityId
from durable_ext.records.events import ContinuedAsNew
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import (
    Body,
    FinishChild,
    FinishOperation,
    FinishTask,
    FireTimer,
    GrantLock,
    RequestLock,
    RunActivity,
    RunOperation,
    StartExecution,
)
from durable_ext.worker.settings import WorkerSettings

from .engine import Process
from .hub import Hub, failing, run

_NOT_IN_HASTE = 45
# A minute until it is missed, another one until the next round.
_WAITED_FOR = timedelta(minutes=2, seconds=15).total_seconds()


class App:
    """An activity by queue, a long timer, a child; `runs` counts the activity's."""

    def __init__(self, hub: Hub, *, seconds: float = 0) -> None:
        self.registry = Registry()
        self.runs = 0
        self._hub = hub
        self._seconds = seconds
        self.registry.add_activity(self.work, name="work")
        for each in (calls, calls_two, hears, renews, sleeps, asks_child, child, asks_entity, locks_entity):
            self.registry.add_orchestrator(each, name=each.__name__)
        self.registry.add_entity(counter)

    async def work(self) -> str:
        self.runs += 1
        await self._hub.clock.sleep(self._seconds)
        return "worked"


async def calls(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("work", placement="queue")


async def ready() -> str:
    return "ready"


async def calls_two(ctx: OrchestrationContext) -> Any:
    await ctx.call_activity(ready, placement="queue")
    return await ctx.call_activity("work", placement="local")


async def hears(ctx: OrchestrationContext) -> str:
    await ctx.wait_for_external_event("first", timeout=timedelta(minutes=1))
    await ctx.wait_for_external_event("second")
    return "heard"


async def renews(ctx: OrchestrationContext, rounds: int) -> str | None:
    if rounds == 0:
        return "renewed"
    await ctx.wait_for_external_event("go")
    ctx.continue_as_new(rounds - 1)
    return None


async def sleeps(ctx: OrchestrationContext) -> str:
    await asyncio.sleep(60)
    return "slept"


async def asks_child(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator("child", instance_id="the-child")


def counter(context: EntityContext) -> None:
    context.set_state(context.get_state(lambda: 0) + 1)
    context.set_result(context.get_state())


async def asks_entity(ctx: OrchestrationContext) -> Any:
    return await ctx.call_entity(EntityId("counter", "one"), "add")


async def locks_entity(ctx: OrchestrationContext) -> Any:
    async with ctx.lock_entities([EntityId("counter", "one")]):
        return "locked"


async def child(ctx: OrchestrationContext) -> str:
    await asyncio.sleep(5)
    return "grown"


async def lose(hub: Hub, process: Process, kind: type[Body]) -> None:
    """Let things go on until there is a message of the kind, and delete that one."""
    for _ in range(200):
        for delivery in await hub.take():
            message = delivery.messages[0]
            if isinstance(message.body, kind) and (kind is not StartExecution or message.instance_id != "it"):
                await hub.store.complete(delivery)
                return
            await process.handle(delivery)
        await hub.clock.sleep(1)
    raise AssertionError(f"there never was a {kind.__name__}")


@pytest.mark.parametrize(
    ("name", "kind", "output"),
    [
        ("calls", RunActivity, "worked"),
        ("calls", FinishTask, "worked"),
        ("sleeps", FireTimer, "slept"),
        ("asks_child", StartExecution, "grown"),
        ("asks_child", FinishChild, "grown"),
        ("asks_entity", RunOperation, 1),
        ("asks_entity", FinishOperation, 1),
        ("locks_entity", RequestLock, "locked"),
        ("locks_entity", GrantLock, "locked"),
    ],
)
def test_a_message_that_is_gone_is_sent_again(name: str, kind: type[Body], output: Any) -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        everything_by_queue = WorkerSettings(session_budget=timedelta(0), cached_instances=0)
        first = hub.process(app.registry, settings=everything_by_queue)
        await first.client.start(name, instance_id="it")
        await lose(hub, first, kind)
        process = hub.process(app.registry)
        process.start()
        await hub.clock.sleep(_NOT_IN_HASTE)
        assert await hub.status("it") is RuntimeStatus.RUNNING, "it is not done in haste"
        await hub.clock.sleep(_WAITED_FOR - _NOT_IN_HASTE)
        assert await hub.output("it") == output
        await hub.check("it")
        assert await hub.left() == []

    run(test)


def test_a_work_item_that_waits_in_its_queue_is_not_sent_again() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("calls", instance_id="it")
        await hub.settle_control(process)
        for _ in range(60):
            await process.worker.tidy()
            await hub.clock.sleep(60)
        assert len(await hub.take()) == 1

    run(test)


def test_a_work_item_that_runs_somewhere_is_not_sent_again() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=7200)
        process = hub.process(app.registry)
        await process.client.start("calls", instance_id="it")
        await hub.settle_control(process)
        process.begin(*await hub.store.receive_work(limit=1, lease=timedelta(hours=3), wait=timedelta(0)))
        janitor = hub.process(app.registry)
        for _ in range(60):
            await janitor.worker.tidy()
            await hub.clock.sleep(60)
        assert await hub.take() == []
        await hub.clock.sleep(7200)
        assert app.runs == 1

    run(test)


def test_a_message_that_stays_lost_is_sent_ever_less_often() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("calls", instance_id="it")
        await hub.settle_control(process)
        sent = 0
        for _ in range(24 * 60):
            for delivery in await hub.take():
                sent += 1
                await hub.store.complete(delivery)
            await process.worker.tidy()
            await hub.clock.sleep(60)
        assert 24 <= sent <= 32

    run(test)


def test_an_activity_guarded_by_the_work_item_before_it_is_not_sent_again() -> None:
    """Its turn names the outcome of that work item, which never was in a queue."""

    async def test(hub: Hub) -> None:
        app = App(hub, seconds=7200)
        app.registry.add_activity(ready)
        process = hub.process(app.registry)
        await process.client.start("calls_two", instance_id="it")
        await hub.settle_control(process)
        process.begin(*await hub.store.receive_work(limit=1, lease=timedelta(hours=3), wait=timedelta(0)))
        janitor = hub.process(app.registry)
        for _ in range(60):
            await janitor.worker.tidy()
            await hub.clock.sleep(60)
        assert await hub.take() == []
        await hub.clock.sleep(7200)
        assert app.runs == 1

    run(test)


def test_a_timer_that_was_cancelled_is_missed_once() -> None:
    """History does not say that the code gave it up, until it comes again."""

    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        process.start()
        await process.client.start("hears", instance_id="it")
        await hub.clock.sleep(10)
        await process.client.raise_event("it", "first")
        await hub.clock.sleep(24 * 3600)
        sent = process.provider.calls.count("send")
        assert sent <= 4
        await process.client.raise_event("it", "second")
        await hub.clock.sleep(1)
        assert await hub.output("it") == "heard"
        await hub.check("it")

    run(test)


def test_an_execution_that_continued_as_new_under_a_trigger_that_is_gone_is_continued() -> None:
    """Its last turn was committed late, by a request that was given up, when the trigger had been dealt with (P13)."""

    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry, plan=failing("append", after=2))
        await process.client.start("renews", 1, instance_id="it")
        await hub.settle(process)
        await process.client.raise_event("it", "go")
        await process.handle(*await hub.take())
        assert isinstance((await hub.store.history("it"))[-1].events[-1], ContinuedAsNew)
        await process.kill()
        await hub.clock.sleep(2)
        (trigger,) = await hub.take()
        await hub.store.complete(trigger)
        other = hub.process(app.registry)
        other.start()
        await hub.clock.sleep(_NOT_IN_HASTE)
        assert (await hub.row("it")).execution.generation == 0
        await hub.clock.sleep(_WAITED_FOR - _NOT_IN_HASTE)
        assert await hub.output("it") == "renewed"
        assert await hub.left() == []

    run(test)


def test_a_message_hidden_by_a_process_that_died_at_once_is_sent_again() -> None:
    """As the Functions host hides it, for ten minutes; no journal says who had it."""

    async def test(hub: Hub) -> None:
        app = App(hub)
        first = hub.process(app.registry)
        await first.client.start("calls", instance_id="it")
        await hub.settle_control(first)
        hidden = await hub.store.receive_work(limit=1, lease=timedelta(minutes=10), wait=timedelta(0))
        process = hub.process(app.registry)
        process.start()
        await hub.clock.sleep(_WAITED_FOR)
        assert await hub.output("it") == "worked"
        await hub.clock.sleep(600)
        assert len(hidden) == app.runs == 1, "its outcome is known when the hidden one comes back"
        assert await hub.left() == []

    run(test)


def test_what_is_sent_again_each_time_its_process_ends_is_given_up() -> None:
    """Too soon for a journal: each copy says how many there were before it, so that it is tried under a note (P11)."""

    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("calls", instance_id="it")
        await hub.settle_control(process)
        await hub.store.receive_work(limit=1, lease=timedelta(hours=3), wait=timedelta(0))
        found: list[int] = []
        for _ in range(20):
            await hub.clock.sleep(60)
            await process.worker.tidy()
            for delivery in await hub.store.receive_work(limit=1, lease=timedelta(hours=3), wait=timedelta(0)):
                found.append(delivery.messages[0].recoveries)
        assert found == [1, 2, 3, 4, 5][: len(found)]
        assert len(found) >= 4

    run(test)


def test_an_activity_whose_answer_waits_is_not_sent_again() -> None:
    """The control queue is behind: nobody has received from it for minutes."""

    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("calls", instance_id="it")
        await hub.settle_control(process)
        other = hub.process(app.registry)
        await other.handle(*await hub.store.receive_work(limit=1, lease=timedelta(minutes=10), wait=timedelta(0)))
        for _ in range(5):
            await hub.clock.sleep(60)
            await process.worker.tidy()
        assert not await hub.store.receive_work(limit=1, lease=timedelta(minutes=10), wait=timedelta(0))
        await hub.settle_control(process)
        assert await hub.output("it") == "worked"
        assert app.runs == 1

    run(test)
