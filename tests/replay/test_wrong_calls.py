"""Calls that an author gets wrong fail at once, and their error says what was given and what is taken instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.retry import RetryPolicy

from .conftest import Begin
from .events import completed, continued, facts, fired, timer

Code = Generator[Any, Any, Any]
Call = Callable[[Any], Any]
RETRY = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=2)
POLICY = "takes a RetryPolicy, or RetryOptions, before the input; this is of type"

WRONG: dict[str, tuple[Call, str, str]] = {
    "a call without its function": (lambda ctx: ctx.call_activity(None, 1), "InvalidInputError", "of type NoneType"),
    "a child of a number": (lambda ctx: ctx.call_sub_orchestrator(5), "InvalidInputError", "a function or its name"),
    "an unknown argument": (
        lambda ctx: ctx.call_activity("a", input=1),
        "TypeError",
        "call_activity has no argument 'input'; there are expected_type, placement,",
    ),
    "an unknown argument of a child": (
        lambda ctx: ctx.call_sub_orchestrator("a", 1, id="x"),
        "TypeError",
        "call_sub_orchestrator has no argument 'id'; there are expected_type, instance_id,",
    ),
    "an unknown argument of a request": (
        lambda ctx: ctx.call_http("GET", "https://a.example", body="x"),
        "TypeError",
        "call_http has no argument 'body'; there are asynchronous_pattern_enabled, headers,",
    ),
    "input and policy the wrong way round": (
        lambda ctx: ctx.call_activity_with_retry("a", {"x": 1}, RETRY),
        "TypeError",
        f"call_activity_with_retry {POLICY} dict",
    ),
    "no policy": (
        lambda ctx: ctx.call_sub_orchestrator_with_retry("a", None, 1),
        "TypeError",
        f"call_sub_orchestrator_with_retry {POLICY} NoneType",
    ),
    "a policy that is none": (lambda ctx: ctx.call_activity("a", 1, retry=3), "TypeError", f"retry {POLICY} int"),
    "a timer of a number": (
        lambda ctx: ctx.create_timer(5),
        "TypeError",
        "fire_at is a datetime or a timedelta, not int",
    ),
    "an event without a text": (
        lambda ctx: ctx.wait_for_external_event(5),
        "InvalidInputError",
        "event name is a text, not of type int",
    ),
    "an id that is no text": (
        lambda ctx: ctx.call_sub_orchestrator("a", None, 7),
        "InvalidInputError",
        "instance id is a text, not of type int",
    ),
    "all of one": (
        lambda ctx: ctx.task_all(ctx.call_activity("a")),
        "TypeError",
        "task_all takes a list of tasks, not a single one",
    ),
    "any of one": (
        lambda ctx: ctx.task_any(ctx.call_activity("a")),
        "TypeError",
        "task_any takes a list of tasks, not a single one",
    ),
    "all of numbers": (lambda ctx: ctx.task_all([1]), "TypeError", "task_all takes a task of the context, not int"),
    "a list": (
        lambda ctx: [ctx.call_activity("a")],
        "TypeError",
        "yield takes a task of the context, not list; several of them go into task_all",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_error_says_what_to_do(begin: Begin, name: str) -> None:
    call, kind, said = WRONG[name]

    def main(ctx: OrchestrationContext) -> Code:
        yield call(ctx)

    situation = begin(main)
    situation.start()
    failure = situation.failure
    assert failure.type.rpartition(".")[2] == kind
    assert said in failure.message


def test_one_future_is_no_list_either(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        return await ctx.task_all(ctx.call_activity("a"))

    situation = begin(main)
    situation.start()
    assert situation.failure.message == "task_all takes a list of tasks, not a single one"


@pytest.mark.parametrize("waits", [False, True])
def test_continue_as_new_may_be_yielded(begin: Begin, waits: bool) -> None:
    """It gives nothing to wait for; code of azure-functions-durable yields it nevertheless, and starts over."""

    def main(ctx: OrchestrationContext, count: int) -> Code:
        if waits:
            yield ctx.create_timer(timedelta(seconds=1))
        yield ctx.continue_as_new(count + 1)
        raise AssertionError("never reached")

    situation = begin(main)
    if waits:
        assert facts(situation.start(1)) == facts([timer(0, 1)])
        assert facts(situation.turn(fired(0))) == facts([continued(2)])
    else:
        assert facts(situation.start(1)) == facts([continued(2)])


def test_nothing_else_that_gives_nothing_may_be_yielded(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        try:
            yield ctx.set_custom_status("half way")
        except TypeError as error:
            return str(error)

    situation = begin(main)
    assert facts(situation.start())[-1:] == facts([completed("yield takes a task of the context, not NoneType")])


@pytest.mark.parametrize("composite", [False, True])
def test_a_task_that_was_cancelled_is_yielded(begin: Begin, composite: bool) -> None:
    """It would be waited for in vain. Code may catch the error, as any other."""

    def main(ctx: OrchestrationContext) -> Code:
        task = ctx.create_timer(timedelta(hours=1))
        task.cancel()
        try:
            yield ctx.task_all([task, ctx.create_timer(timedelta(seconds=1))]) if composite else task
        except RuntimeError as error:
            return str(error)

    situation = begin(main)
    said = "the task that was yielded has been cancelled; nothing comes of it any more"
    assert facts(situation.start())[-1:] == facts([completed(said)])


def test_code_that_cancels_itself(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        this = asyncio.current_task()
        assert this is not None
        this.cancel()
        yield ctx.create_timer(timedelta(seconds=1))

    situation = begin(main)
    situation.start()
    assert situation.failure.message == "the orchestrator was cancelled"
