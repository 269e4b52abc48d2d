"""Generator orchestrators of existing apps: `yield` instead of `await`, tasks with the names they know (R2)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.authoring.tasks import TaskState, TimerTask
from durable_ext.errors import TaskFailedError
from durable_ext.records.events import (
    ChildScheduled,
    ContinuedAsNew,
    EntityCalled,
    LockAcquired,
    LockAsked,
    LockLeft,
    OperationCompleted,
)

from .conftest import Begin
from .events import (
    SECOND,
    answer,
    child,
    child_answer,
    completed,
    continued,
    facts,
    fired,
    payload,
    raised,
    refusal,
    status,
    task,
    timer,
)

Code = Generator[Any, Any, Any]
RETRY = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=2)


def test_one_after_the_other(begin: Begin) -> None:
    def main(ctx: OrchestrationContext, city: str) -> Code:
        first = yield ctx.call_activity("a", city)
        second = yield ctx.call_sub_orchestrator("ship", first)
        return [first, second]

    situation = begin(main)
    assert facts(situation.start("Oslo")) == facts([task(0, "a", "Oslo")])
    assert facts(situation.turn(answer(0, 1))) == facts([child(1, "ship", 1)])
    assert facts(situation.turn(child_answer(1, 2))) == facts([completed([1, 2])])


def test_the_input_is_asked_for(begin: Begin) -> None:
    def main(context: Any) -> Code:
        yield context.call_activity("a", context.get_input())

    assert facts(begin(main).start({"n": 1})) == facts([task(0, "a", {"n": 1})])


def test_a_generator_that_ends_at_once(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        return "nothing to do"
        yield

    assert facts(begin(main).start()) == facts([completed("nothing to do")])


def test_task_all(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        results = yield ctx.task_all([ctx.call_activity("a", n) for n in range(3)])
        return results

    situation = begin(main)
    situation.start()
    situation.turn(answer(2, "c"), answer(0, "a"))
    assert facts(situation.turn(answer(1, "b"))) == facts([completed(["a", "b", "c"])])


def test_task_all_of_nothing(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        results = yield ctx.task_all([])
        return results

    assert facts(begin(main).start()) == facts([completed([])])


def test_task_all_fails_with_the_first_failure(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        try:
            yield ctx.task_all([ctx.call_activity("a"), ctx.call_activity("b")])
        except TaskFailedError as error:
            return error.task_name

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(1))) == facts([completed("b")])


def test_task_any_gives_the_winner_itself(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        approval: Any = ctx.wait_for_external_event("approval")
        deadline: Any = ctx.create_timer(60 * SECOND)
        winner = yield ctx.task_any([approval, deadline])
        if winner is approval:
            deadline.cancel()
            return ["approved", approval.result, deadline.is_cancelled]
        return ["late", approval.is_completed, winner is deadline]

    situation = begin(main)
    assert facts(situation.start()) == facts([timer(0, 60)])
    assert facts(situation.turn(raised("approval", "Ada"))) == facts([completed(["approved", "Ada", True])])
    other = begin(main)
    other.start()
    assert facts(other.turn(fired(0), seconds=60)) == facts([completed(["late", False, True])])


def test_task_any_with_one_that_is_done_already(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        first, second = ctx.call_activity("a"), ctx.call_activity("b")
        yield ctx.task_all([first, second])
        winner = yield ctx.task_any([second, first])
        return [winner is second, winner.result]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, 1), answer(1, 2))) == facts([completed([True, 2])])


def test_task_any_of_nothing(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        winner = yield ctx.task_any([])
        return winner

    assert facts(begin(main).start()) == facts([completed(None)])


def test_a_winner_that_failed(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        winner = yield ctx.task_any([ctx.call_activity("a"), ctx.call_activity("b")])
        return [winner.is_completed, winner.is_faulted, winner.result.failure.message]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(1))) == facts([completed([True, True, "no stock"])])


def test_nested_all_and_any(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        pairs = [ctx.task_any([ctx.call_activity("a"), ctx.call_activity("b")]) for _ in range(2)]
        winners = yield ctx.task_all(pairs)
        return [winner.result for winner in winners]

    situation = begin(main)
    situation.start()
    situation.turn(answer(1, "first"))
    assert facts(situation.turn(answer(2, "second"))) == facts([completed(["first", "second"])])


def test_exceptions_are_thrown_in(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        try:
            yield ctx.call_activity("charge")
        except TaskFailedError:
            yield ctx.call_activity("refund")
        return "refunded"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0))) == facts([task(1, "refund")])
    assert facts(situation.turn(answer(1))) == facts([completed("refunded")])


def test_a_timeout_is_thrown_in(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        try:
            yield ctx.wait_for_external_event("approval", timeout=10 * SECOND)
        except TimeoutError:
            return "late"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(fired(0), seconds=10)) == facts([completed("late")])


def test_a_task_shows_how_it_stands(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        waiting: Any = ctx.call_activity("a")
        before = [waiting.is_completed, waiting.is_faulted, waiting.is_cancelled, waiting.result]
        yield waiting
        return [before, waiting.is_completed, waiting.result]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, 5))) == facts([completed([[False, False, False, None], True, 5])])


def test_yielding_something_else_is_the_codes_error(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        yield 5

    situation = begin(main)
    situation.start()
    assert situation.failure.message == "yield takes a task of the context, not int"


def test_continue_as_new(begin: Begin) -> None:
    def main(ctx: OrchestrationContext, count: int) -> Code:
        yield ctx.create_timer(SECOND)
        ctx.continue_as_new(count + 1)

    situation = begin(main)
    situation.start(1)
    assert facts(situation.turn(fired(0))) == facts([continued(2)])


def test_a_part_of_it_in_another_generator(begin: Begin) -> None:
    def part(ctx: OrchestrationContext) -> Code:
        got = yield ctx.call_activity("a")
        return got + 1

    def main(ctx: OrchestrationContext) -> Code:
        return (yield from part(ctx)) * 10

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, 1))) == facts([completed(20)])


def test_an_error_of_the_code_fails_the_instance(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        yield ctx.call_activity("a")
        raise ValueError("bad order")

    situation = begin(main)
    situation.start()
    situation.turn(answer(0))
    assert (situation.failure.type, situation.failure.message) == ("ValueError", "bad order")


def test_a_plain_function_that_hands_on_a_generator(begin: Begin) -> None:
    def inner(ctx: OrchestrationContext) -> Code:
        first: Any = ctx.call_activity("a", 1)
        winner = yield ctx.task_any([first])
        assert winner is first
        return (yield ctx.task_all([ctx.call_activity("b", first.result)]))

    def outer(ctx: OrchestrationContext) -> Code:
        return inner(ctx)

    situation = begin(outer)
    assert facts(situation.start()) == facts([task(0, "a", 1)])
    assert facts(situation.turn(answer(0, 2))) == facts([task(1, "b", 2)])
    assert facts(situation.turn(answer(1, 3))) == facts([completed([3])])


def test_a_plain_function_that_hands_on_a_coroutine(begin: Begin) -> None:
    async def inner(ctx: OrchestrationContext) -> tuple[Any, Any]:
        first = await ctx.call_activity("a", 1)
        return await asyncio.gather(ctx.call_activity("b", first), ctx.call_activity("b", 0))

    def outer(ctx: OrchestrationContext) -> Any:
        return inner(ctx)

    situation = begin(outer)
    assert facts(situation.start()) == facts([task(0, "a", 1)])
    assert facts(situation.turn(answer(0, 2))) == facts([task(1, "b", 2), task(2, "b", 0)])
    assert facts(situation.turn(answer(1, 3), answer(2, 4))) == facts([completed([3, 4])])


@dataclass
class Order:
    number: int


def test_the_calls_as_that_package_has_them(begin: Begin) -> None:
    """By position and by keyword; what is expected is what the result is decoded to."""

    def main(context: OrchestrationContext) -> Code:
        first: Any = yield context.call_activity("a", 1, Order)
        second: Any = yield context.call_activity(name="a", input_=2, expected_type=Order)
        third: Any = yield context.call_activity_with_retry("a", RETRY, 3, Order)
        fourth: Any = yield context.call_sub_orchestrator("c", 4, "mine", "2.0", Order)
        fifth: Any = yield context.call_sub_orchestrator_with_retry("c", RETRY, 5, "other", None, Order)
        context.set_custom_status(0)
        assert (context.custom_status, context.will_continue_as_new) == (0, False)
        return [order.number for order in (first, second, third, fourth, fifth)]

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a", 1)])
    for number in (1, 2):
        assert facts(situation.turn(answer(number - 1, {"number": number}))) == facts([task(number, "a", number + 1)])
    fourth, fifth = situation.turn(answer(2, {"number": 3})), situation.turn(child_answer(3, {"number": 4}))
    asked = [event for event in (*fourth, *fifth) if isinstance(event, ChildScheduled)]
    assert [(event.instance_id, event.version) for event in asked] == [("mine", "2.0"), ("other", None)]
    assert facts(situation.turn(child_answer(4, {"number": 5})))[-1:] == facts([completed([1, 2, 3, 4, 5])])


def test_falsy_custom_statuses_are_kept(begin: Begin) -> None:
    statuses: list[Any] = [0, "", {}, [], False]

    def main(context: OrchestrationContext) -> Code:
        for given in statuses:
            context.set_custom_status(given)
        return None
        yield

    assert facts(begin(main).start()) == facts([*(status(given) for given in statuses), completed()])


def test_what_the_context_tells_of_itself(begin: Begin) -> None:
    def main(context: OrchestrationContext) -> Code:
        assert context.custom_status is None
        context.set_custom_status("half")
        assert context.custom_status == "half"
        assert vars(context.function_context) == {}
        with pytest.raises(NotImplementedError, match="show_history"):
            assert context.histories
        before = context.will_continue_as_new
        context.continue_as_new(1)
        assert (before, context.will_continue_as_new) == (False, True)
        return None
        yield

    said, over = begin(main).start()
    assert facts([said]) == facts([status("half")])
    assert isinstance(over, ContinuedAsNew)


def test_more_than_that_package_has(begin: Begin) -> None:
    def main(context: Any) -> Code:
        yield context.call_activity("a", 1, None, "too much")

    assert "takes at most expected_type" in str(facts(begin(main).start()))


def test_what_tasks_tell_of_themselves(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        good: Any = ctx.call_activity("a", 1)
        bad: Any = ctx.call_activity("b", 2)
        timer: Any = ctx.create_timer(timedelta(days=1))
        assert isinstance(timer, TimerTask)
        whole: Any = ctx.task_all([good])
        first: Any = ctx.task_any([bad, timer])
        assert (whole.children, first.children, good.parent, timer.parent) == ([good], [bad, timer], whole, first)
        assert [one.id for one in (good, bad, timer, whole, first)] == [0, 1, 2, -1, -1]
        assert (good.state, timer.is_canceled(), timer.is_cancelled) == (TaskState.RUNNING, False, False)
        yield whole
        winner = yield first
        assert winner is bad
        timer.cancel()
        assert (timer.is_canceled(), timer.is_cancelled, timer.state) == (True, True, TaskState.FAILED)
        return [whole.state.name, good.state.name, bad.state.name, str(bad.result)]

    situation = begin(main)
    situation.start()
    situation.turn(answer(0, 1))
    last = situation.turn(refusal(1))
    states = ["SUCCEEDED", "SUCCEEDED", "FAILED", "b failed: OutOfStock: no stock"]
    assert facts(last)[-1:] == facts([completed(states)])


def test_a_lock_in_a_generator(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        with (yield ctx.lock_entities(["@counter@a"])):
            held = ctx.is_locked
            total = yield ctx.call_entity("@counter@a", "add", 1)
        return [held, total, ctx.is_locked]

    situation = begin(main)
    (asked,) = situation.start()
    assert isinstance(asked, LockAsked)
    (called,) = situation.turn(LockAcquired(task_id=asked.id))
    assert isinstance(called, EntityCalled)
    assert called.lock
    left, ended = situation.turn(OperationCompleted(task_id=called.id, result=payload(7)))
    assert isinstance(left, LockLeft)
    assert facts([ended]) == facts([completed([True, 7, False])])
