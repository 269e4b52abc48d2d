"""Debts: what a committed turn has to send is sent by who gets its trigger again, and nobody forgets it (P5, P6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.records.events import TaskScheduled
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Delivery, FireTimer, Message, RaiseEvent, StartExecution
from durable_ext.testing.faults import Fault
from durable_ext.worker.settings import WorkerSettings

from .debtors import App
from .hub import Gate, Hub, failing, run

_TIMERS_BY_QUEUE = WorkerSettings(local_timer=timedelta(0))


def test_start_that_continued_as_new_repairs_the_next_execution() -> None:
    """Hole 1: the trigger belongs to generation 0, the debt under it to generation 1."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gate = Gate()
        first = hub.process(app.registry)
        await first.client.start("renew", 1, instance_id="x")
        first.begin(*await hub.take())
        await hub.until(lambda: app.ran == ["renewed"])
        await first.kill()
        app.gate = None
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == "renewed"
        assert app.ran == ["renewed", "renewed"]
        await hub.check("x")

    run(test)


def test_timer_that_continued_as_new_repairs_the_next_timer() -> None:
    """Hole 1: every eternal loop of timers passes here; the crash is before the next timer is sent."""

    async def test(hub: Hub) -> None:
        app = App()
        first = hub.process(app.registry, settings=_TIMERS_BY_QUEUE, plan=failing("send", after=2))
        await first.client.start("eternal", 2, instance_id="x")
        await hub.settle(first)
        await hub.clock.sleep(5.1)
        (timer,) = await hub.take()
        assert isinstance(timer.messages[0].body, FireTimer)
        await first.handle(timer)
        assert (await hub.store.load("x")).turns[0].execution.generation == 1
        await first.kill()
        second = hub.process(app.registry, settings=_TIMERS_BY_QUEUE)
        for _ in range(4):
            await hub.clock.sleep(6)
            await hub.settle(second)
        assert await hub.output("x") == "over"
        await hub.check("x")

    run(test)


def test_repair_of_a_message_that_is_not_the_trigger_outlives_a_second_crash() -> None:
    """Hole 2: what is owed under a joined delivery is not guarded by the session's trigger."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gate = Gate()
        first = hub.process(app.registry)
        await first.client.start("both", instance_id="x")
        first.begin(*await hub.take())
        await hub.until(lambda: app.ran == ["once"])
        await first.kill()
        await hub.leases_run_out()
        second = hub.process(app.registry)
        await second.client.raise_event("x", "x", 1)
        event, start = sorted(await hub.take(), key=lambda delivery: delivery.dequeue_count)
        assert isinstance(event.messages[0].body, RaiseEvent)
        assert isinstance(start.messages[0].body, StartExecution)
        second.begin(event, start)
        await hub.clock.sleep(0.5)
        await second.kill()
        app.gate = None
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == ["once", 1]
        await hub.check("x")

    run(test)


def test_debt_of_an_execution_that_another_process_ended_is_paid() -> None:
    """Hole 3: process one owes an event under its trigger; process two continues the instance as new meanwhile."""

    async def test(hub: Hub) -> None:
        app = App()
        first = hub.process(app.registry, plan=failing("send", after=2))
        second = hub.process(app.registry)
        await second.client.start("listen", instance_id="listener")
        await hub.settle(second)
        await first.client.start("tell", False, instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go")
        (go,) = await hub.take()
        await first.handle(go)
        await first.kill()
        await second.client.raise_event("x", "renew")
        event = next(item for item in await hub.take() if item.id != go.id)
        await second.handle(event)
        assert (await hub.row("x")).execution.generation == 1
        await hub.leases_run_out()
        await hub.settle(second)
        assert await hub.output("listener") == 1
        assert await hub.output("x") == "told"

    run(test)


def test_debt_of_an_execution_long_past_is_paid() -> None:
    """Hole 3: the walk goes back over `previous` to the execution that knew the message."""

    async def test(hub: Hub) -> None:
        app = App()
        first = hub.process(app.registry, plan=failing("send", after=2))
        second = hub.process(app.registry)
        await second.client.start("listen", instance_id="listener")
        await hub.settle(second)
        await first.client.start("tell_and_go_on", 0, instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go")
        (go,) = await hub.take()
        await first.handle(go)
        await first.kill()
        held = await hub.store.extend(await _again(hub), timedelta(hours=1))
        for _ in range(5):
            await second.client.raise_event("x", "go")
            await hub.settle(second)
        assert (await hub.row("x")).execution.generation == 6
        assert not (await hub.status("listener")).is_terminal
        await second.handle(held)
        await hub.settle(second)
        assert await hub.output("listener") == 0
        assert await hub.left() == []
        await hub.check("x")

    run(test)


async def _again(hub: Hub) -> Delivery:
    await hub.clock.sleep(2)
    (delivery,) = await hub.take()
    return delivery


def test_report_of_a_child_that_was_replaced_is_still_sent() -> None:
    """Hole 3: the child ended, its report was not sent, the janitor wrote its row, and a client took its id."""

    async def test(hub: Hub) -> None:
        app = App()
        second = hub.process(app.registry)
        await second.client.start("mother", "child", instance_id="x")
        await _begin_mother_without_room_for_the_child(hub, app, await hub.take_one(StartExecution))
        dying = hub.process(app.registry, plan=failing("send"))
        await dying.handle(await hub.take_one(StartExecution))
        await dying.kill()
        await hub.clock.sleep(2)
        held = await hub.store.extend(await hub.take_one(StartExecution), timedelta(minutes=10))
        await hub.clock.sleep(90)
        await second.worker.tidy()
        assert await hub.status("child") is RuntimeStatus.COMPLETED
        await second.client.start("listen", instance_id="child")
        await hub.settle(second)
        await second.handle(held)
        await hub.settle(second)
        assert await hub.output("x") == "of the child"
        assert await hub.status("child") is RuntimeStatus.RUNNING

    run(test)


async def _begin_mother_without_room_for_the_child(hub: Hub, app: App, start: Any) -> None:
    """The mother's turn 0, its child's start in the queue: a process that winds down places nothing here (S5)."""
    process = hub.process(app.registry)
    await process.worker.drain(timedelta(0))
    await process.handle(start)


@pytest.mark.parametrize("renews", [False, True])
def test_activity_nobody_awaits_survives_a_crash(renews: bool) -> None:
    """Hole 10: it was asked for and committed, so it runs, also when its execution is over before it."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gate = Gate()
        first = hub.process(app.registry)
        await first.client.start("fire_and_forget", renews, instance_id="x")
        first.begin(*await hub.take())
        await hub.until(lambda: bool(app.ran))
        await hub.clock.sleep(5)
        await first.kill()
        app.gate = None
        app.ran.clear()
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert "forgotten" in app.ran
        assert await hub.output("x") == "gone"
        await hub.check("x")

    run(test)


def test_parent_hears_after_all_else_is_sent() -> None:
    """Hole 11: once the parent has the outcome nothing would make the child repair its event."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await second.client.start("listen", instance_id="listener")
        await hub.settle(second)
        await first.client.start("mother", "tell_and_end", instance_id="x")
        stuck, send = Gate(), first.provider.send

        async def send_no_event(messages: Sequence[Message]) -> None:
            if any(isinstance(message.body, RaiseEvent) for message in messages):
                await stuck.wait()
            await send(messages)

        setattr(first.provider, "send", send_no_event)  # noqa: B010 - a verb of this very object
        first.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: stuck.entered == 1)
        await hub.clock.sleep(1)
        await first.kill()
        await hub.leases_run_out()
        await hub.settle(second)
        assert await hub.output("x") == "reported"
        assert await hub.output("listener") == 1

    run(test)


def test_what_has_its_outcome_is_not_owed() -> None:
    """P6: a repair runs again what has no outcome, and nothing else."""

    async def test(hub: Hub) -> None:
        app = App()
        first = hub.process(app.registry)
        await first.client.start("two_steps", instance_id="x")
        app.gate = Gate()
        first.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: app.ran == ["one", "two"])
        await first.kill()
        app.gate.open()
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert app.ran == ["one", "two", "two"]
        assert await hub.output("x") == "two"
        await hub.check("x")

    run(test)


def test_event_that_waited_too_often_may_be_replayed() -> None:
    """Holes 8, 33: quarantined with the queue it came from, and its deferrals forgotten."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("listen", instance_id="listener")
        (start,) = await hub.take()
        await process.client.raise_event("listener", "hello", 7)
        for _ in range(130):
            await process.handle(*[item for item in await hub.take() if item.id != start.id])
            await hub.clock.sleep(61)
            if await hub.store.list_quarantined():
                break
        (kept,) = await hub.store.list_quarantined()
        assert kept.queue == start.queue
        assert await hub.store.release_quarantined(kept.id, replay=True)
        (event,) = [item for item in await hub.take() if item.id != start.id]
        await process.handle(event)
        assert await hub.store.list_quarantined() == []
        await process.handle(start)
        await hub.clock.sleep(5)
        await hub.settle(process)
        assert await hub.output("listener") == 7

    run(test)


def test_row_of_a_child_is_over_only_when_its_debts_are_sent() -> None:
    """Hole 28: a finished row may be purged; the history with the debts goes with it."""

    async def test(hub: Hub) -> None:
        app = App()
        sent: list[str] = []

        def plan(verb: str, _number: int) -> Fault:
            sent.append(verb)
            return Fault.NONE

        process = hub.process(app.registry, plan=plan)
        await process.client.start("listen", instance_id="listener")
        await hub.settle(process)
        await process.client.start("tell_and_end", instance_id="x")
        sent.clear()
        other = hub.process(app.registry, plan=plan)
        await other.handle(await hub.take_one(StartExecution))
        assert sent.index("send") < sent.index("update_row")

    run(test)


def test_debts_name_the_trigger_they_are_owed_under() -> None:
    """P5: the turn of a local result names the trigger of its session."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("renew", 1, instance_id="x")
        start = await hub.take_one(StartExecution)
        await process.handle(start)
        turns = (await hub.store.load("x")).turns
        assert {turn.trigger_id for turn in turns} == {start.messages[0].id}
        assert any(isinstance(event, TaskScheduled) for turn in turns for event in turn.events)

    run(test)
