"""The order in which tasks run is fixed, also where asyncio keeps them in sets, whose order goes by hash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import AnyFunction
from durable_ext.errors import TaskFailedError

from .conftest import Begin
from .events import answer, cancelled, completed, facts, refusal, task
from .situation import Situation, registry_of

RUNS = 50


async def undoing(ctx: OrchestrationContext, number: int) -> None:
    try:
        await ctx.call_activity("do", number)
    except asyncio.CancelledError:
        await ctx.call_activity("undo", number)
        raise


async def group_that_fails(ctx: OrchestrationContext) -> str:
    """TaskGroup keeps its tasks in a set and cancels them in its order."""
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(undoing(ctx, number))
    except* TaskFailedError:
        pass
    return "undone"


async def waits_for_all(ctx: OrchestrationContext) -> None:
    """asyncio.wait returns sets of what it was given."""
    done, _ = await asyncio.wait([ctx.call_activity("do", number) for number in range(8)])
    for future in done:
        ctx.call_activity("then", future.exception() is None and future.result())


async def takes_as_they_complete(ctx: OrchestrationContext) -> None:
    asked = [ctx.call_activity("do", number) for number in range(8)]
    await asyncio.wait(asked)
    for future in asyncio.as_completed(asked):
        try:
            ctx.call_activity("then", await future)
        except TaskFailedError:
            ctx.call_activity("undo")


@pytest.mark.parametrize("code", [group_that_fails, waits_for_all, takes_as_they_complete])
def test_the_order_is_the_same_wherever_objects_lie(code: AnyFunction) -> None:
    """A plain object hashes by its address: ballast of another size at each run moves them all."""
    seen: set[str] = set()
    ballast: list[Any] = []
    for run in range(RUNS):
        situation = Situation(registry_of(code))
        situation.start()
        decided = situation.turn(*(answer(number, number) for number in range(7)), refusal(7))
        seen.add(str(facts(decided)))
        situation.live.drop()
        ballast += [object() for _ in range(run % 7 + 1)]
        ballast.append([asyncio.Handle(print, (), situation.live.loop) for _ in range(run % 5)])
    assert len(seen) == 1


def test_a_group_that_succeeds(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_call(ctx, number)) for number in range(3)]
        return [done.result() for done in tasks]

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "do", 0), task(1, "do", 1), task(2, "do", 2)])
    situation.turn(answer(2, "c"), answer(0, "a"))
    assert facts(situation.turn(answer(1, "b"))) == facts([completed(["a", "b", "c"])])


def test_a_group_that_fails_cancels_the_others(begin: Begin) -> None:
    situation = begin(group_that_fails)
    situation.start()
    undone = situation.turn(refusal(3))
    others = [number for number in range(8) if number != 3]
    undoing = [task(8 + n, "undo", number) for n, number in enumerate(others)]
    assert facts(undone) == facts([*map(cancelled, others), *undoing])
    last = situation.turn(*(answer(8 + n) for n in range(7)))
    assert facts(last) == facts([completed("undone")])


def test_async_generators(begin: Begin) -> None:
    async def pages(ctx: OrchestrationContext) -> AsyncGenerator[str, None]:
        number = 0
        while page := await ctx.call_activity("page", number):
            yield page
            number += 1

    async def main(ctx: OrchestrationContext) -> list[str]:
        return [page async for page in pages(ctx)]

    situation = begin(main)
    situation.start()
    situation.turn(answer(0, "a"))
    assert facts(situation.turn(answer(1, "b"))) == facts([task(2, "page", 2)])
    assert facts(situation.turn(answer(2, None))) == facts([completed(["a", "b"])])


def test_an_async_generator_that_is_left_cleans_up(begin: Begin) -> None:
    """As under asyncio: its `finally` runs in a task of its own, which the orchestrator does not wait for."""

    async def pages(ctx: OrchestrationContext) -> AsyncGenerator[str, None]:
        try:
            while True:
                yield await ctx.call_activity("page")
        finally:
            await ctx.call_activity("close")

    async def main(ctx: OrchestrationContext) -> str:
        async for page in pages(ctx):
            if page:
                break
        return await ctx.call_activity("next")

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, "a"))) == facts([task(1, "next"), task(2, "close")])
    situation.turn(answer(2))
    assert facts(situation.turn(answer(1, "ok"))) == facts([completed("ok")])


def test_an_async_generator_is_thrown_away_with_the_rest(begin: Begin) -> None:
    async def pages(ctx: OrchestrationContext) -> AsyncGenerator[str, None]:
        try:
            while True:
                yield await ctx.call_activity("page")
        finally:
            await ctx.call_activity("close")

    async def main(ctx: OrchestrationContext) -> None:
        async for _ in pages(ctx):
            pass

    situation = begin(main)
    situation.start()
    situation.live.drop()
    assert situation.live.finished


async def _call(ctx: OrchestrationContext, number: int) -> Any:
    return await ctx.call_activity("do", number)
