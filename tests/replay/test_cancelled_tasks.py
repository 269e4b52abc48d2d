"""What the code no longer waits for is recorded, when it is an activity and the execution goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import AnyFunction
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError
from durable_ext.records.events import Event, TaskCancelled
from durable_ext.replay.turn import replay, run_turn

from .conftest import Begin
from .events import (
    SECOND,
    answer,
    at,
    cancelled,
    child,
    completed,
    continued,
    facts,
    fired,
    raised,
    refusal,
    resumed,
    started,
    suspended,
    task,
    terminated,
    timer,
)
from .situation import Situation, fresh, registry_of, turn_of

TWICE = RetryPolicy(first_interval=timedelta(seconds=5), max_attempts=2)


async def within_a_timeout(ctx: OrchestrationContext) -> None:
    try:
        async with asyncio.timeout(10):
            await ctx.call_activity("slow")
    except TimeoutError:
        await ctx.call_activity("next")


async def waiting_for(ctx: OrchestrationContext) -> None:
    wanted = ctx.call_activity("slow")
    try:
        await asyncio.wait_for(wanted, 10)
    except TimeoutError:
        await ctx.call_activity("next")


async def gathered(ctx: OrchestrationContext) -> None:
    both = asyncio.gather(ctx.call_activity("slow"), ctx.create_timer(20 * SECOND))
    await asyncio.sleep(10)
    both.cancel()
    await ctx.call_activity("next")


async def with_retries(ctx: OrchestrationContext) -> None:
    wanted = ctx.call_activity("slow", retry=TWICE)
    await asyncio.sleep(10)
    wanted.cancel()
    await ctx.call_activity("next")


async def by_wait(ctx: OrchestrationContext) -> None:
    _, pending = await asyncio.wait([ctx.call_activity("slow")], timeout=10)
    for loser in pending:
        loser.cancel()
    await ctx.call_activity("next")


async def in_a_task(ctx: OrchestrationContext) -> None:
    async def inner() -> None:
        await ctx.call_activity("slow")

    running = asyncio.ensure_future(inner())
    await asyncio.sleep(10)
    running.cancel()
    await ctx.call_activity("next")


def in_a_generator(ctx: OrchestrationContext) -> Generator[Any, Any, None]:
    slow: Any = ctx.call_activity("slow")
    yield ctx.task_any([slow, ctx.create_timer(10 * SECOND)])
    slow.cancel()
    yield ctx.call_activity("next")


def in_a_generator_with_retries(ctx: OrchestrationContext) -> Generator[Any, Any, None]:
    slow: Any = ctx.call_activity_with_retry("slow", TWICE)
    yield ctx.create_timer(10 * SECOND)
    slow.cancel()
    yield ctx.call_activity("next")


WAYS: list[AnyFunction] = [
    within_a_timeout,
    waiting_for,
    gathered,
    with_retries,
    by_wait,
    in_a_task,
    in_a_generator,
    in_a_generator_with_retries,
]


def _ids(decided: list[Event]) -> tuple[int, int]:
    """The numbers of the activity and of the timer that ends the wait for it."""
    plain = facts(decided)
    [slow] = [one["id"] for one in plain if one["type"] == "TaskScheduled"]
    [due] = [one["id"] for one in plain if one.get("fireAt") == "2030-01-01T12:00:10Z"]
    return slow, due


@pytest.mark.parametrize("code", WAYS)
def test_every_way_to_cancel_is_recorded(begin: Begin, code: AnyFunction) -> None:
    situation = begin(code)
    slow, due = _ids(situation.start())
    decided = facts(situation.turn(fired(due), seconds=10))
    assert [event["type"] for event in decided] == ["TaskCancelled", "TaskScheduled"]
    assert decided[0] == facts([cancelled(slow)])[0]
    assert situation.turn(answer(slow, "late"), seconds=11) == []
    assert facts(situation.turn(answer(decided[1]["id"]), seconds=12)) == facts([completed()])


@pytest.mark.parametrize("code", WAYS)
def test_a_history_from_before_there_was_the_event_goes_on(code: AnyFunction) -> None:
    """The code asks for it, history does not have it: it is passed over, wherever it stands (T5)."""
    situation = Situation(registry_of(code))
    slow, due = _ids(situation.start())
    *_, going_on = facts(situation.turn(fired(due), answer(slow), seconds=10))
    old = [
        turn_of(turn.number, _without_cancelled(turn.events), seconds=n * 10) for n, turn in enumerate(situation.turns)
    ]
    live = fresh(situation.registry)
    replay(live, old)
    result = run_turn(live, [answer(going_on["id"])], at(11))
    assert facts(result.events)[1:] == facts([completed()])
    situation.live.drop()


def _without_cancelled(events: tuple[Event, ...]) -> list[Event]:
    return [event for event in events if not isinstance(event, TaskCancelled)]


def test_a_group_whose_sibling_failed(begin: Begin) -> None:
    async def call(ctx: OrchestrationContext, number: int) -> None:
        await ctx.call_activity("do", number)

    async def main(ctx: OrchestrationContext) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(call(ctx, number))
        except* TaskFailedError:
            pass

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(1))) == facts([cancelled(0), cancelled(2), completed()])


@pytest.mark.parametrize("retry", [None, TWICE])
def test_one_that_is_asked_for_and_cancelled_in_one_turn(begin: Begin, retry: RetryPolicy | None) -> None:
    """With retries too, although the task that tries again has not begun by then."""

    async def main(ctx: OrchestrationContext) -> None:
        ctx.call_activity("regretted", retry=retry).cancel()
        await ctx.call_activity("next")

    situation = begin(main)
    wanted = [task(0, "regretted"), cancelled(0), task(1, "next")]
    assert sorted(map(str, facts(situation.start()))) == sorted(map(str, facts(wanted)))
    assert facts(situation.turn(answer(1))) == facts([completed()])


def test_each_attempt_is_a_task_of_its_own(begin: Begin) -> None:
    situation = begin(with_retries)
    situation.start()
    assert facts(situation.turn(refusal(0))) == facts([timer(2, 6)])
    assert facts(situation.turn(fired(2), seconds=6)) == facts([task(3, "slow", attempt=2)])
    assert facts(situation.turn(fired(1), seconds=10)) == facts([cancelled(3), task(4, "next")])


def test_nothing_is_cancelled_in_the_pause_between_attempts(begin: Begin) -> None:
    situation = begin(with_retries)
    situation.start()
    situation.turn(refusal(0), seconds=9)
    assert facts(situation.turn(fired(1), seconds=10)) == facts([task(3, "next")])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_order_is_that_of_the_code(begin: Begin, order: list[int]) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        calls = [ctx.call_activity("do", number) for number in range(3)]
        await asyncio.sleep(1)
        for number in order:
            ctx.call_activity("note", number)
            calls[number].cancel()
        await ctx.call_activity("next")

    situation = begin(main)
    situation.start()
    decided = situation.turn(fired(3))
    wanted = [event for n, number in enumerate(order) for event in (task(4 + n, "note", number), cancelled(number))]
    assert facts(decided) == facts([*wanted, task(7, "next")])


# What is no cancellation.


def test_the_code_that_ends_cancels_nothing(begin: Begin) -> None:
    """What nobody waited for goes on (P4)."""

    async def main(ctx: OrchestrationContext, how: str) -> None:
        started_and_left = ctx.call_activity("left")
        asyncio.ensure_future(_clean_up(started_and_left))  # noqa: RUF006 - left on purpose
        await ctx.call_activity("a")
        if how == "fail":
            raise ValueError("enough")
        if how == "go on":
            ctx.continue_as_new("again")
            started_and_left.cancel()

    for how, end in (("return", "ExecutionCompleted"), ("fail", "ExecutionFailed"), ("go on", "ContinuedAsNew")):
        situation = begin(main)
        situation.start(how)
        assert [event["type"] for event in facts(situation.turn(answer(1)))] == [end]


def test_a_terminated_execution_decides_nothing(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await _clean_up(ctx.call_activity("a"))

    situation = begin(main)
    situation.start()
    assert situation.turn(terminated()) == []


async def _clean_up(waiting: asyncio.Future[Any]) -> None:
    try:
        await asyncio.shield(waiting)
    finally:
        waiting.cancel()


def test_code_that_is_thrown_away_decides_nothing() -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await _clean_up(ctx.call_activity("a"))

    live = fresh(registry_of(main))
    live.apply(started(), at(0))
    live.drop()
    assert live.apply(raised("e"), at(1)) == []


def test_timers_children_and_events_have_no_such_event(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        waits = [
            ctx.create_timer(60 * SECOND),
            ctx.call_sub_orchestrator("ship"),
            ctx.wait_for_external_event("e"),
            asyncio.ensure_future(asyncio.sleep(60)),
        ]
        await ctx.call_activity("a")
        for waiting in waits:
            waiting.cancel()
        await ctx.call_activity("b")

    situation = begin(main)
    assert facts(situation.start())[:2] == facts([timer(0, 60), child(1, "ship")])
    assert [event["type"] for event in facts(situation.turn(answer(2)))] == ["TaskScheduled"]


def test_what_is_answered_cannot_be_cancelled(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        calls = [ctx.call_activity("a"), ctx.call_activity("b")]
        await ctx.wait_for_external_event("stop")
        for call in calls:
            call.cancel()
        calls[1].exception()
        await ctx.call_activity("c")

    situation = begin(main)
    situation.start()
    situation.turn(answer(0), refusal(1))
    assert facts(situation.turn(raised("stop"))) == facts([task(2, "c")])


def test_an_answer_that_is_kept_back_counts(begin: Begin) -> None:
    """While the instance is suspended the code does not see the answer; history has it all the same."""

    async def main(ctx: OrchestrationContext) -> None:
        calls = [ctx.call_activity("a"), ctx.call_activity("b")]
        await ctx.wait_for_external_event("stop")
        for call in calls:
            call.cancel()
        await ctx.call_activity("c")

    situation = begin(main)
    situation.start()
    situation.turn(suspended(), raised("stop"), answer(0))
    assert facts(situation.turn(resumed())) == facts([cancelled(1), task(2, "c")])


def test_a_shield_keeps_it(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        wanted = ctx.call_activity("a")
        try:
            return await asyncio.wait_for(asyncio.shield(wanted), 10)
        except TimeoutError:
            return await wanted

    situation = begin(main)
    situation.start()
    assert situation.turn(fired(1), seconds=10) == []
    assert facts(situation.turn(answer(0, "at last"), seconds=11)) == facts([completed("at last")])


def test_continue_as_new_drops_what_the_code_cancels_after_it(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        waiting = ctx.call_activity("a")
        await ctx.wait_for_external_event("go")
        ctx.continue_as_new(1)
        waiting.cancel()

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(raised("go"))) == facts([continued(1)])
