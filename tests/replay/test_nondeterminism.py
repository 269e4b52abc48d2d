"""Code that decides differently at a replay is found, named, and does no harm to the instance (R3)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import AnyFunction
from durable_ext.errors import NonDeterminismError
from durable_ext.replay.turn import replay

from .events import answer, child_answer, completed, facts, fired, raised
from .situation import Situation, fresh, registry_of


async def original(ctx: OrchestrationContext) -> str:
    await ctx.call_activity("reserve")
    await ctx.call_activity("charge")
    await asyncio.sleep(60)
    await ctx.call_sub_orchestrator("ship", instance_id="parcel")
    ctx.send_event("other", "shipped")
    return "done"


async def added(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.call_activity("charge")
    ctx.call_activity("log")
    await asyncio.sleep(60)


async def added_behind_an_input(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    ctx.call_activity("charge")
    ctx.call_activity("log")
    await asyncio.sleep(0)
    await ctx.wait_for_external_event("never")


async def removed(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await asyncio.sleep(60)


async def returns_early(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")


async def waits_instead(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.wait_for_external_event("approval")


async def reordered(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("charge")
    await ctx.call_activity("reserve")


async def renamed(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.call_activity("charge_card")


async def kind_changed(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.call_sub_orchestrator("charge")


async def timer_changed(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.call_activity("charge")
    await ctx.call_activity("pause")


async def another_child(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.call_activity("charge")
    await asyncio.sleep(60)
    await ctx.call_sub_orchestrator("ship", instance_id="other parcel")


async def another_event(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    await ctx.call_activity("charge")
    await asyncio.sleep(60)
    await ctx.call_sub_orchestrator("ship", instance_id="parcel")
    ctx.send_event("other", "sent")


async def raises(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    raise ValueError("new check")


async def continues(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("reserve")
    ctx.continue_as_new()


async def sets_status(ctx: OrchestrationContext) -> None:
    ctx.set_custom_status("reserving")
    await ctx.call_activity("reserve")


def history_of(code: AnyFunction) -> Situation:
    situation = Situation(registry_of(code))
    situation.start()
    situation.turn(answer(0))
    situation.turn(answer(1))
    situation.turn(fired(2), seconds=62)
    situation.turn(child_answer(3), seconds=63)
    assert facts(situation.turns[-1].events)[-1] == facts([completed("done")])[0]
    return situation


@pytest.mark.parametrize(
    ("code", "turn", "event", "recorded", "asked"),
    [
        (added, 2, 1, "TimerCreated(2)", "TaskScheduled(2, log)"),
        (added_behind_an_input, 1, 2, "nothing at this point", "TaskScheduled(2, log)"),
        (removed, 1, 1, "TaskScheduled(1, charge)", "TimerCreated(1)"),
        (returns_early, 1, 1, "TaskScheduled(1, charge)", "ExecutionCompleted()"),
        (waits_instead, 1, 1, "TaskScheduled(1, charge)", "nothing at this point"),
        (reordered, 0, 1, "TaskScheduled(0, reserve)", "TaskScheduled(0, charge)"),
        (renamed, 1, 1, "TaskScheduled(1, charge)", "TaskScheduled(1, charge_card)"),
        (kind_changed, 1, 1, "TaskScheduled(1, charge)", "ChildScheduled(1, charge, e1:1)"),
        (timer_changed, 2, 1, "TimerCreated(2)", "TaskScheduled(2, pause)"),
        (another_child, 3, 1, "ChildScheduled(3, ship, parcel)", "ChildScheduled(3, ship, other parcel)"),
        (another_event, 4, 1, "EventSent(4, shipped, other)", "EventSent(4, sent, other)"),
        (raises, 1, 1, "TaskScheduled(1, charge)", "ExecutionFailed()"),
        (continues, 1, 1, "TaskScheduled(1, charge)", "ContinuedAsNew()"),
        (sets_status, 0, 1, "TaskScheduled(0, reserve)", "CustomStatusSet()"),
    ],
)
def test_a_change_is_named(code: AnyFunction, turn: int, event: int, recorded: str, asked: str) -> None:
    situation = history_of(original)
    live = fresh(registry_of(code))
    with pytest.raises(NonDeterminismError) as found:
        replay(live, situation.turns)
    live.drop()
    text = str(found.value)
    assert "'order-1'" in text
    assert f"at turn {turn}, event {event}" in text
    assert f"history has {recorded}, the code asked for {asked}." in text


def test_the_instance_is_unharmed() -> None:
    """The right code goes on where history is."""
    situation = Situation(registry_of(original))
    situation.start()
    situation.turn(answer(0))
    wrong = fresh(registry_of(renamed))
    with pytest.raises(NonDeterminismError, match="unharmed"):
        replay(wrong, situation.turns)
    wrong.drop()
    right = fresh(registry_of(original))
    replay(right, situation.turns)
    assert not right.is_replaying
    situation.live = right
    assert facts(situation.turn(answer(1)))[0]["type"] == "TimerCreated"
    situation.verify()


@pytest.mark.parametrize("code", [original, added, renamed])
def test_a_change_behind_the_recorded_part_is_allowed(code: AnyFunction) -> None:
    situation = Situation(registry_of(original))
    situation.start()
    replay(live := fresh(registry_of(code)), situation.turns)
    live.drop()


def test_what_is_handed_over_may_change() -> None:
    """An input or a time that differs is no difference in what is asked for."""

    async def before(ctx: OrchestrationContext) -> None:
        ctx.set_custom_status(1)
        await ctx.call_activity("reserve", 1)
        await ctx.create_timer(timedelta(seconds=1))

    async def after(ctx: OrchestrationContext) -> None:
        ctx.set_custom_status(2)
        await ctx.call_activity("reserve", 2, tags={"team": "a"})
        await ctx.create_timer(timedelta(seconds=2))

    situation = Situation(registry_of(before))
    situation.start()
    situation.turn(answer(0))
    replay(live := fresh(registry_of(after)), situation.turns)
    live.drop()


def test_an_orchestrator_that_is_gone_is_a_difference() -> None:
    situation = Situation(registry_of(waits_instead))
    situation.start()
    gone = registry_of(waits_instead)
    gone.orchestrators.clear()
    with pytest.raises(NonDeterminismError, match="ExecutionFailed"):
        replay(fresh(gone), situation.turns)


def test_a_change_between_two_inputs_of_one_turn() -> None:
    async def before(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")
        await ctx.wait_for_external_event("go")
        await ctx.call_activity("reserve")

    async def after(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")
        ctx.set_custom_status("one")
        await ctx.wait_for_external_event("go")
        await ctx.call_activity("reserve")

    situation = Situation(registry_of(before))
    situation.start()
    situation.turn(raised("go"), raised("go"))
    with pytest.raises(NonDeterminismError, match=r"turn 1, event 1: history has nothing .* asked for CustomStatusSet"):
        replay(fresh(registry_of(after)), situation.turns)


def test_an_ending_the_code_no_longer_reaches() -> None:
    async def two_events(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")
        await ctx.wait_for_external_event("go")

    async def one_event(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")

    situation = Situation(registry_of(one_event))
    situation.start()
    situation.turn(raised("go"))
    with pytest.raises(NonDeterminismError, match="history has ExecutionCompleted"):
        replay(fresh(registry_of(two_events)), situation.turns)
