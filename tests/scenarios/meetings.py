"""Orchestrators whose sessions meet: parents, children, events, work in the queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry

from .hub import Gate


class App:
    """Orchestrators whose sessions meet. `gates` hold the activity by its input."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.ran: list[Any] = []
        self.gates: dict[Any, Gate] = {}
        self.registry.add_activity(self.act, name="act")
        for orchestrator in (racing, kid, mother, fan_out, busy, at_rest, two_events, one_queued, waits, eternal):
            self.registry.add_orchestrator(orchestrator)
        for orchestrator in (ten_events, queued_then_waits, queues_then_holds):
            self.registry.add_orchestrator(orchestrator)

    async def act(self, value: Any) -> Any:
        self.ran.append(value)
        if value in self.gates:
            await self.gates[value].wait()
        return value


async def racing(ctx: OrchestrationContext, again: bool) -> str:
    if not again:
        ctx.call_sub_orchestrator(kid, 1, instance_id="kid")
        ctx.continue_as_new(True)
    return "done"


async def kid(ctx: OrchestrationContext, value: int) -> Any:
    await ctx.call_activity("act", "kid")
    return value


async def mother(ctx: OrchestrationContext) -> list[Any]:
    own = ctx.call_activity("act", "mother", placement="local")
    child = ctx.call_sub_orchestrator(kid, 1, instance_id="kid")
    return [await own, await child]


async def fan_out(ctx: OrchestrationContext) -> list[Any]:
    return list(await asyncio.gather(*[ctx.call_activity("act", n, placement="queue") for n in range(4)]))


async def busy(ctx: OrchestrationContext) -> str:
    ctx.set_custom_status("busy")
    for _ in range(20):
        await ctx.create_timer(timedelta(milliseconds=300))
    return "done"


async def at_rest(ctx: OrchestrationContext) -> Any:
    ctx.set_custom_status("waiting")
    return await ctx.wait_for_external_event("go")


async def two_events(ctx: OrchestrationContext) -> list[Any]:
    return [await ctx.wait_for_external_event("go") for _ in range(2)]


async def one_queued(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("act", "queued", placement="queue")


async def waits(ctx: OrchestrationContext) -> Any:
    result = ctx.call_activity("act", "held")
    return [await ctx.wait_for_external_event("go"), await result]


async def queues_then_holds(ctx: OrchestrationContext) -> list[Any]:
    await ctx.wait_for_external_event("go")
    queued = ctx.call_activity("act", "queued", placement="queue")
    await ctx.wait_for_external_event("more")
    return [await ctx.call_activity("act", "held", placement="local"), await queued]


async def eternal(ctx: OrchestrationContext, seen: list[Any]) -> Any:
    seen.append(await ctx.wait_for_external_event("tick"))
    if seen[-1] == "end":
        return seen
    ctx.continue_as_new(seen)
    return None


async def ten_events(ctx: OrchestrationContext) -> list[Any]:
    return [await ctx.wait_for_external_event("go") for _ in range(10)]


async def queued_then_waits(ctx: OrchestrationContext) -> list[Any]:
    return [await ctx.call_activity("act", "queued", placement="queue"), await ctx.wait_for_external_event("go")]
