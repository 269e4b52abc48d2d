"""Code that never waits fails its instance and names the line; code that will not be closed is ended all the same (R2).

What hangs here hung the process before: the tests have a time limit of their own, which ends pytest.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring import closing, tasks
from durable_ext.authoring.context import GeneratorContext, OrchestrationContext
from durable_ext.authoring.registry import AnyFunction
from durable_ext.records.events import ExecutionCompleted, ExecutionFailed, TaskScheduled
from durable_ext.replay import loop

from .conftest import Begin
from .events import NOON, answer, started, terminated
from .situation import Situation, fresh, registry_of

pytestmark = pytest.mark.timeout(60, method="thread")

SWALLOWED = (BaseException,)
REFUSED = (Exception,)


async def ship(order: int) -> int:
    return order


async def spins(ctx: OrchestrationContext) -> None:
    while True:  # noqa: ASYNC110 - that is what is tested
        await asyncio.sleep(0)


async def spins_in_a_task(ctx: OrchestrationContext) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(spins(ctx))


async def makes_tasks(ctx: OrchestrationContext) -> None:
    while True:
        await asyncio.create_task(asyncio.sleep(0))


async def is_refused_for_ever(ctx: OrchestrationContext) -> None:
    while True:
        with suppress(*REFUSED):
            await ctx.call_activity(ship, object())  # type: ignore[arg-type]


async def swallows_all(ctx: OrchestrationContext) -> None:
    while True:
        try:
            await ctx.call_activity(ship, object())  # type: ignore[arg-type]
        except SWALLOWED:
            continue


async def asks_without_end(ctx: OrchestrationContext) -> None:
    while True:
        ctx.call_activity(ship, 1)


async def refuses() -> None:
    raise ValueError("no")


async def sets_timers_without_end(ctx: OrchestrationContext) -> None:
    while True:
        try:
            async with asyncio.timeout(1):
                await refuses()
        except ValueError:
            continue


def yields_what_is_done(ctx: GeneratorContext) -> Generator[Any, Any, None]:
    gone = ctx.create_timer(timedelta(seconds=1))
    gone.cancel()
    while True:
        with suppress(*REFUSED):
            yield gone


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are met soon: each situation is replayed from every prefix."""
    monkeypatch.setattr(loop, "MAX_CALLBACKS", 2_000)
    monkeypatch.setattr(loop, "MAX_CALLS", 2_000)
    monkeypatch.setattr(tasks, "MAX_CALLBACKS", 2_000)


@pytest.mark.parametrize(
    "code",
    [
        spins,
        spins_in_a_task,
        makes_tasks,
        is_refused_for_ever,
        swallows_all,
        asks_without_end,
        sets_timers_without_end,
        yields_what_is_done,
    ],
)
@pytest.mark.usefixtures("soon")
def test_code_that_never_waits_fails_and_names_its_line(begin: Begin, code: AnyFunction) -> None:
    situation = begin(code, ship)
    decided = situation.start()
    assert len(decided) <= 2, "nothing is kept of what endless code asked for"
    assert situation.failure.type == "durable_ext.errors.EndlessTurnError"
    inner = "spins" if code is spins_in_a_task else code.__name__
    assert f"{__file__}:" in situation.failure.message
    assert situation.failure.message.partition(", in ")[2].startswith(f"{inner}. ")


def test_the_largest_turns_do_not_meet_the_bounds() -> None:
    async def ships(ctx: OrchestrationContext, number: int) -> int:
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.sleep(0)
                return await ctx.call_activity(ship, number)
        return -1

    async def fans_out(ctx: OrchestrationContext) -> int:
        return len(await asyncio.gather(*(ships(ctx, number) for number in range(5_000))))

    live = fresh(registry_of(fans_out, ship))
    asked = live.apply(started(), NOON)
    calls = [event.id for event in asked if isinstance(event, TaskScheduled)]
    assert (len(asked), len(calls)) == (10_000, 5_000)
    decided = [live.apply(answer(number, 1), NOON) for number in calls]
    assert isinstance(decided[-1][-1], ExecutionCompleted)


async def _waits_in_tasks(ctx: OrchestrationContext) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(_goes_on_calling(ctx))


async def _goes_on_calling(ctx: OrchestrationContext) -> None:
    while True:
        try:
            await ctx.call_activity(ship, 1)
        except SWALLOWED:
            continue


async def _goes_on_sleeping(ctx: OrchestrationContext) -> None:
    while True:
        try:
            await asyncio.sleep(10)
        except SWALLOWED:
            continue


async def _goes_on_in_a_timeout(ctx: OrchestrationContext) -> None:
    while True:
        try:
            async with asyncio.timeout(3):
                await ctx.wait_for_external_event("go")
        except SWALLOWED:
            continue


async def _goes_on_in_groups(ctx: OrchestrationContext) -> None:
    while True:
        try:
            await _waits_in_tasks(ctx)
        except SWALLOWED:
            continue


async def _goes_on_in_its_handler(ctx: OrchestrationContext) -> None:
    try:
        await _goes_on_calling(ctx)
    finally:
        await _goes_on_sleeping(ctx)


def _goes_on_yielding(ctx: GeneratorContext) -> Generator[Any, Any, None]:
    while True:
        try:
            yield ctx.call_activity(ship, 1)
        except SWALLOWED:
            continue


@pytest.mark.parametrize(
    "code",
    [
        _goes_on_calling,
        _goes_on_sleeping,
        _goes_on_in_a_timeout,
        _goes_on_in_groups,
        _goes_on_in_its_handler,
        _goes_on_yielding,
    ],
)
def test_code_that_will_not_be_closed_is_ended(begin: Begin, code: AnyFunction) -> None:
    situation = begin(code, ship)
    situation.start()

    def trace(_frame: Any, _event: str, _argument: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        situation.turn(terminated())
        assert sys.gettrace() is trace, "who traced before traces again"
    finally:
        sys.settrace(before)
    assert situation.logs == []


def test_what_cannot_even_be_cut_is_left_behind_and_told() -> None:
    # Code that passes for a module of Python itself is spared by the knife.
    names: dict[str, Any] = {"__name__": "asyncio.ours", "asyncio": asyncio}
    exec(  # noqa: S102 - a function of another module
        "async def stays(ctx):\n"
        "    while True:\n"
        "        try: await asyncio.sleep(10)\n"
        "        except BaseException: pass\n",
        names,
    )
    situation = Situation(registry_of(names["stays"]))
    situation.start()
    situation.turn(terminated())
    assert {line.text for line in situation.logs} == {closing.LEFT_BEHIND}


@pytest.mark.usefixtures("soon")
def test_code_that_fails_its_turn_spares_the_tracer(begin: Begin) -> None:
    situation = begin(swallows_all, ship)
    before = sys.gettrace()
    situation.start()
    assert isinstance(situation.end, ExecutionFailed)
    assert sys.gettrace() is before
