"""Orchestrations that fail as long as something outside is broken, for tests of rewind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError
from durable_ext.records.entity_id import EntityId

RETRY = RetryPolicy(first_interval=timedelta(seconds=2), max_attempts=2)


class Outside:
    """What is broken outside, and which activities ran, in order."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.runs: list[str] = []

    def breaks(self, *names: str) -> None:
        """From now on these fail, and nothing has run."""
        self.broken = set(names)
        self.runs = []


outside = Outside()


async def touch(name: str) -> str:
    outside.runs.append(name)
    if name in outside.broken:
        raise ValueError(f"{name} is broken")
    return name


async def line(ctx: OrchestrationContext, names: list[str]) -> list[str]:
    return [await ctx.call_activity(touch, name) for name in names]


async def all_at_once(ctx: OrchestrationContext, names: list[str]) -> list[str]:
    found = await asyncio.gather(*[ctx.call_activity(touch, name) for name in names], return_exceptions=True)
    if any(isinstance(one, BaseException) for one in found):
        raise RuntimeError("not all of them")
    return [str(one) for one in found]


async def patient(ctx: OrchestrationContext, name: str) -> list[str]:
    first = await ctx.call_activity(touch, "first")
    await ctx.create_timer(timedelta(seconds=30))
    return [first, await ctx.call_activity(touch, name, retry=RETRY)]


async def compensating(ctx: OrchestrationContext, name: str) -> str:
    try:
        return await ctx.call_activity(touch, name)
    except TaskFailedError:
        await ctx.call_activity(touch, "undo")
        raise


async def dealing(ctx: OrchestrationContext, name: str) -> list[str]:
    """The first failure is dealt with, the second ends it."""
    try:
        first = await ctx.call_activity(touch, name)
    except TaskFailedError:
        first = await ctx.call_activity(touch, "instead")
    return [first, await ctx.call_activity(touch, "second")]


async def going_on(ctx: OrchestrationContext, name: str) -> list[str]:
    """The first failure is dealt with, and the very next activity ends it."""
    try:
        first = await ctx.call_activity(touch, name)
    except TaskFailedError:
        first = "nothing"
    return [first, await ctx.call_activity(touch, "second")]


async def told(ctx: OrchestrationContext, name: str) -> list[Any]:
    lucky = ctx.random.random()
    ctx.set_custom_status([ctx.execution_id, lucky])
    return [await ctx.wait_for_external_event("word"), [ctx.execution_id, lucky], await ctx.call_activity(touch, name)]


async def mother(ctx: OrchestrationContext, name: str) -> list[Any]:
    good = await ctx.call_sub_orchestrator(line, ["fine"])
    return [good, await ctx.call_sub_orchestrator(line, ["before", name], instance_id="kid")]


async def grandmother(ctx: OrchestrationContext, name: str) -> Any:
    return await ctx.call_sub_orchestrator(mother, name, instance_id="mother")


async def slow_kid(ctx: OrchestrationContext) -> str:
    return str(await ctx.wait_for_external_event("go"))


async def uneven(ctx: OrchestrationContext, name: str) -> list[Any]:
    """One child fails while the other one is still under way."""
    slow, kid = await asyncio.gather(
        ctx.call_sub_orchestrator(slow_kid, instance_id="slow"),
        ctx.call_sub_orchestrator(line, [name], instance_id="kid"),
    )
    return [slow, kid]


async def careless(ctx: OrchestrationContext, name: str) -> str:
    done = await ctx.call_activity(touch, "first")
    if name in outside.broken:
        raise ValueError("its own code")
    return done


COUNTER = EntityId("counter", "a")


def counter(ctx: EntityContext) -> None:
    ctx.set_state(ctx.get_state(lambda: 0) + 1)
    ctx.set_result(ctx.get_state())


async def calling(ctx: OrchestrationContext, name: str) -> list[Any]:
    first = await ctx.call_entity(COUNTER, "add")
    ctx.signal_entity(COUNTER, "add")
    return [first, await ctx.call_activity(touch, name), await ctx.call_entity(COUNTER, "add")]


async def locking(ctx: OrchestrationContext, name: str) -> list[Any]:
    async with ctx.lock_entities([COUNTER]):
        first = await ctx.call_entity(COUNTER, "add")
        return [first, await ctx.call_activity(touch, name), await ctx.call_entity(COUNTER, "add")]


def registry() -> Registry:
    names = Registry()
    names.add_entity(counter)
    names.add_activity(touch)
    orchestrators: tuple[Any, ...] = (
        *(line, all_at_once, patient, compensating, dealing, told, mother, grandmother, slow_kid, uneven, careless),
        *(calling, locking, going_on),
    )
    for orchestrator in orchestrators:
        names.add_orchestrator(orchestrator)
    return names
