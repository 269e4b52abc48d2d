"""External events: in the order they arrived, each handed out once, none lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import InvalidInputError

from .conftest import Begin
from .events import SECOND, answer, completed, facts, fired, raised, task, timer


async def two_of_a_name(ctx: OrchestrationContext) -> list[int]:
    first = await ctx.wait_for_external_event("number", int)
    second = await ctx.wait_for_external_event("number", int)
    return [first, second]


def test_in_the_order_of_arrival(begin: Begin) -> None:
    situation = begin(two_of_a_name)
    situation.start()
    assert situation.turn(raised("number", 1)) == []
    assert facts(situation.turn(raised("number", 2))) == facts([completed([1, 2])])


def test_two_in_one_batch(begin: Begin) -> None:
    situation = begin(two_of_a_name)
    situation.start()
    assert facts(situation.turn(raised("number", 1), raised("number", 2))) == facts([completed([1, 2])])


def test_equal_events_are_two_events(begin: Begin) -> None:
    situation = begin(two_of_a_name)
    situation.start()
    assert facts(situation.turn(raised("number", 1), raised("number", 1))) == facts([completed([1, 1])])


def test_one_that_comes_early_is_kept(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[int]:
        await ctx.call_activity("a")
        return await two_of_a_name(ctx)

    situation = begin(main)
    situation.start()
    assert situation.turn(raised("number", 1), raised("other", 9), raised("number", 2)) == []
    assert facts(situation.turn(answer(0))) == facts([completed([1, 2])])


def test_one_that_comes_with_the_start_is_kept(begin: Begin) -> None:
    assert facts(begin(two_of_a_name).start(None, raised("number", 1), raised("number", 2))) == facts(
        [completed([1, 2])]
    )


def test_waiters_of_a_name_are_served_in_their_order(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[int]:
        return await asyncio.gather(*(ctx.wait_for_external_event("number", int) for _ in range(3)))

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(*(raised("number", n) for n in (7, 8, 9)))) == facts([completed([7, 8, 9])])


def test_a_waiter_that_gave_up_does_not_eat_an_event(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> int:
        try:
            return await ctx.wait_for_external_event("number", int, timeout=10 * SECOND)
        except TimeoutError:
            return -await ctx.wait_for_external_event("number", int)

    situation = begin(main)
    assert facts(situation.start()) == facts([timer(0, 10)])
    assert situation.turn(fired(0), seconds=10) == []
    assert facts(situation.turn(raised("number", 5), seconds=11)) == facts([completed(-5)])


def test_a_waiter_that_was_cancelled_does_not_eat_an_event(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> int:
        ctx.wait_for_external_event("number").cancel()
        return await ctx.wait_for_external_event("number", int)

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(raised("number", 5))) == facts([completed(5)])


def test_the_event_wins_against_its_timeout(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> int:
        number = await ctx.wait_for_external_event("number", int, timeout=10 * SECOND)
        await ctx.call_activity("a")
        return number

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(raised("number", 5))) == facts([task(1, "a")])
    assert not situation.live.wants_timer(0)
    assert situation.turn(fired(0), seconds=10) == []
    assert facts(situation.turn(answer(1), seconds=11)) == facts([completed(5)])


def test_event_and_timeout_in_one_batch_go_by_their_order(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            return await ctx.wait_for_external_event("name", str, timeout=10 * SECOND)
        except TimeoutError:
            return "late"

    for inputs, outcome in [((raised("name", "Ada"), fired(0)), "Ada"), ((fired(0), raised("name", "Ada")), "late")]:
        situation = begin(main)
        situation.start()
        assert facts(situation.turn(*inputs, seconds=10)) == facts([completed(outcome)])


def test_an_event_of_another_type_is_the_waiters_error(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[object]:
        try:
            await ctx.wait_for_external_event("number", int)
        except ValueError:
            return ["refused", await ctx.wait_for_external_event("number", int)]
        return []

    situation = begin(main)
    situation.start()
    situation.turn(raised("number", "five"))
    assert facts(situation.turn(raised("number", 5))) == facts([completed(["refused", 5])])


def test_an_early_event_of_another_type_too(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        await ctx.call_activity("a")
        try:
            await ctx.wait_for_external_event("number", int)
        except ValueError as error:
            return type(error).__name__
        return "taken"

    situation = begin(main)
    situation.start(None, raised("number", "five"))
    assert facts(situation.turn(answer(0))) == facts([completed("PayloadError")])


def test_a_negative_timeout_is_refused(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("number", timeout=timedelta(seconds=-1))

    situation = begin(main)
    situation.start()
    assert "timeout is negative" in situation.failure.message


def test_a_default_instead_of_a_timeout(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        return await ctx.wait_for_external_event("go", timeout=timedelta(seconds=1), default=None)

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(fired(0), seconds=1)) == facts([completed(None)])


def test_a_default_needs_a_timeout(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        with pytest.raises(InvalidInputError, match="give a timeout too"):
            ctx.wait_for_external_event("go", default=1)

    assert facts(begin(main).start()) == facts([completed(None)])
