"""A difference between code and history names the line of the user's code (R3)."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Generator
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest

from durable_ext.authoring.registry import AnyFunction
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import NonDeterminismError, NotDurableError
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.witness import Witness

from ..replay.events import EXECUTION, answer, refusal
from ..replay.situation import registry_of
from .partings import ONE, Context, fresh, one, parted, recorded

_MARK = "# here"


async def asks_another(ctx: Context) -> None:
    await ctx.call_activity("a")
    await ctx.call_activity("x")  # here


async def asks_in_a_function(ctx: Context) -> None:
    await ctx.call_activity("a")
    await inner(ctx)


async def inner(ctx: Context) -> None:
    await ctx.call_activity("x")  # here


async def asks_in_a_comprehension(ctx: Context) -> None:
    await ctx.call_activity("a")
    await asyncio.gather(
        *[
            ctx.call_activity(name)  # here
            for name in "xyz"
        ]
    )


async def asks_in_a_task(ctx: Context) -> None:
    await ctx.call_activity("a")
    async with asyncio.TaskGroup() as group:
        group.create_task(inner(ctx))


async def sleeps(ctx: Context) -> None:
    await ctx.call_activity("a")
    await asyncio.sleep(5)  # here


async def limits(ctx: Context) -> None:
    await ctx.call_activity("a")
    async with asyncio.timeout(5):  # here
        await ctx.call_activity("b")


async def waits(ctx: Context) -> None:
    await ctx.call_activity("a")
    await ctx.wait_for_external_event("go")  # here


async def waits_within(ctx: Context) -> None:
    await ctx.call_activity("a")
    await waiting(ctx)


async def waiting(ctx: Context) -> None:
    async with contextlib.AsyncExitStack():
        await ctx.wait_for_external_event("go")  # here


async def waits_with_time(ctx: Context) -> None:
    await ctx.call_activity("a")
    await ctx.wait_for_external_event("go", timeout=timedelta(1))  # here


async def returns(ctx: Context) -> int:
    if await ctx.call_activity("a") is None:
        return 1  # here
    return 2


async def returns_at_once(ctx: Context) -> None:
    return  # here


def plain(ctx: Context) -> int:  # here
    return 3


async def raises(ctx: Context) -> None:
    await ctx.call_activity("a")
    broken()


def broken() -> None:
    raise ValueError("no")  # here


async def continues(ctx: Context) -> None:
    await ctx.call_activity("a")
    ctx.continue_as_new(1)  # here
    await ctx.wait_for_external_event("go")


async def not_durable(ctx: Context) -> None:
    await ctx.call_activity("a")
    await asyncio.to_thread(print)  # here


async def not_durable_and_goes_on(ctx: Context) -> None:
    await ctx.call_activity("a")
    with contextlib.suppress(NotDurableError):
        await asyncio.to_thread(print)  # here
    await ctx.wait_for_external_event("go")


async def status(ctx: Context) -> None:
    await ctx.call_activity("a")
    ctx.set_custom_status(1)  # here


async def raises_an_event(ctx: Context) -> None:
    await ctx.call_activity("a")
    ctx.send_event("other", "go")  # here
    await ctx.call_activity("b")


def a_generator(ctx: Context) -> Generator[Any, Any, None]:
    yield ctx.call_activity("a")
    yield ctx.call_activity("x")  # here


def a_generator_from(ctx: Context) -> Generator[Any, Any, None]:
    yield ctx.call_activity("a")
    yield from a_part(ctx)


def a_part(ctx: Context) -> Generator[Any, Any, None]:
    yield ctx.wait_for_external_event("go")  # here


def a_generator_that_waits(ctx: Context) -> Generator[Any, Any, None]:
    yield ctx.call_activity("a")
    go = ctx.wait_for_external_event("go")
    yield go  # here


def a_generator_that_returns(ctx: Context) -> Generator[Any, Any, int]:
    yield ctx.call_activity("a")
    return 4  # here


def logged(function: AnyFunction) -> AnyFunction:
    @wraps(function)
    async def wrapper(ctx: Context) -> Any:
        return await function(ctx)

    return wrapper


@logged
async def decorated(ctx: Context) -> None:
    await ctx.call_activity("a")
    await ctx.call_activity("x")  # here


# Where the line is in a function that the orchestrator uses.
WITHIN = {
    asks_in_a_function: inner,
    asks_in_a_task: inner,
    waits_within: waiting,
    raises: broken,
    a_generator_from: a_part,
}


def marked(function: AnyFunction) -> tuple[int, str]:
    """The marked line, and the function it is in."""
    code = inspect.unwrap(WITHIN.get(function, function))
    lines, first = inspect.getsourcelines(code)
    (found,) = [number for number, line in enumerate(lines) if line.rstrip().endswith(_MARK)]
    return first + found, code.__name__


CHANGED = [
    asks_another,
    asks_in_a_function,
    asks_in_a_comprehension,
    asks_in_a_task,
    sleeps,
    limits,
    waits,
    waits_within,
    returns,
    returns_at_once,
    plain,
    raises,
    continues,
    not_durable,
    not_durable_and_goes_on,
    status,
    raises_an_event,
    a_generator,
    a_generator_from,
    a_generator_that_waits,
    a_generator_that_returns,
    decorated,
]


@pytest.mark.parametrize("kind", [LiveExecution, Witness])
@pytest.mark.parametrize("code", CHANGED)
def test_the_line_is_named(code: AnyFunction, kind: type[LiveExecution]) -> None:
    """At a replay that checks, and at one that must not look at frames."""
    registry = registry_of(code)
    error = parted(kind(EXECUTION, registry, registry.converter), recorded(one, *ONE))
    line, function = marked(code)
    assert error.source is not None
    assert (error.source.file, error.source.line, error.source.function) == (__file__, line, function)
    assert f"{__file__}:{line}, in {function}." in str(error)


def test_a_message_says_what_the_line_does() -> None:
    situation = recorded(one, *ONE)
    for code, verb in ((asks_another, "asks"), (waits, "waits"), (returns, "ends"), (continues, "ends")):
        assert f"The code {verb} at {__file__}" in str(parted(fresh(code), situation))


def test_the_parts_are_attributes() -> None:
    error = parted(fresh(asks_another), recorded(one, *ONE))
    assert (error.expected, error.actual) == ("TaskScheduled(1, b)", "TaskScheduled(1, x)")
    assert (error.turn, error.event) == (1, 1)
    assert error.parting is not None
    assert (error.parting.instance_id, error.parting.execution_id) == ("order-1", EXECUTION.execution_id)
    assert NonDeterminismError("no").source is None


async def tries_again(ctx: Context) -> None:
    policy = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=3)
    call = ctx.call_activity("a", retry=policy)  # here
    await call


async def tries_once(ctx: Context) -> None:
    await ctx.call_activity("a")  # here


def test_an_attempt_of_a_retry_has_the_line_of_the_call() -> None:
    error = parted(fresh(tries_again), recorded(tries_once, refusal(0)))
    assert (error.expected, error.actual) == ("ExecutionFailed()", "TimerCreated(1)")
    assert error.source is not None
    assert error.source.line == marked(tries_again)[0]


def test_a_failure_of_an_activity_has_the_line_where_it_came_up() -> None:
    error = parted(fresh(tries_once), recorded(tries_again, refusal(0)))
    assert (error.expected, error.actual) == ("TimerCreated(1)", "ExecutionFailed()")
    assert error.source is not None
    assert error.source.line == marked(tries_once)[0]


async def no_timeout(ctx: Context) -> None:
    await ctx.call_activity("a")


def test_a_timeout_of_an_event_has_the_line_of_the_wait() -> None:
    error = parted(fresh(waits_with_time), recorded(no_timeout, answer(0)))
    assert error.source is not None
    assert error.source.line == marked(waits_with_time)[0]
