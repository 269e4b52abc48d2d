"""The app of the known failures: orchestrators that have met them elsewhere."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry

from .engine import pause


class App:
    """`ran`: the inputs of the activities begun, in order; `ended`: of those that came to their end."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.ended: list[Any] = []
        self.registry = Registry()
        self.registry.add_activity(self.act, name="act")
        self.registry.add_activity(self.act_long, name="act_long")
        for orchestrator in (
            fan_out,
            parent,
            kid,
            two_events,
            act_once,
            act_on_events,
            carry,
            renew,
            echo,
            timer_or_event,
            event_then_queue,
            queue_then_event,
            parent_of_long,
            long_kid,
            renew_on_events,
        ):
            self.registry.add_orchestrator(orchestrator)

    async def act(self, value: Any) -> Any:
        self.ran.append(value)
        self.ended.append(value)
        return value

    async def act_long(self, value: Any) -> Any:
        self.ran.append(value)
        await pause(timedelta(hours=1).total_seconds())
        self.ended.append(value)
        return value


async def fan_out(ctx: OrchestrationContext) -> list[Any]:
    return list(await asyncio.gather(*[ctx.call_activity("act", number) for number in range(4)]))


async def parent(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator(kid, instance_id="kid")


async def kid(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("act", "kid")


async def two_events(ctx: OrchestrationContext) -> list[Any]:
    return [await ctx.wait_for_external_event("go") for _ in range(2)]


async def act_once(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("act", "once")


async def act_on_events(ctx: OrchestrationContext) -> list[Any]:
    return [await ctx.call_activity("act", await ctx.wait_for_external_event("go")) for _ in range(2)]


async def carry(ctx: OrchestrationContext, renewed: bool) -> list[Any]:
    if not renewed:
        await ctx.wait_for_external_event("renew")
        ctx.continue_as_new(True)
        return []
    return [await ctx.wait_for_external_event("go") for _ in range(120)]


async def renew(ctx: OrchestrationContext, rounds: int) -> str:
    if rounds:
        ctx.continue_as_new(rounds - 1)
    return "renewed"


async def echo(ctx: OrchestrationContext, value: Any) -> Any:
    return await ctx.call_activity("act", value)


async def timer_or_event(ctx: OrchestrationContext, renewed: bool) -> None:
    if not renewed:
        ctx.create_timer(timedelta(minutes=30))
        await ctx.wait_for_external_event("go")
        ctx.continue_as_new(True)
        return
    await ctx.wait_for_external_event("never")


async def event_then_queue(ctx: OrchestrationContext) -> Any:
    await ctx.wait_for_external_event("go")
    return await ctx.call_activity("act", "queued", placement="queue")


async def queue_then_event(ctx: OrchestrationContext) -> list[Any]:
    result = await ctx.call_activity("act", "queued", placement="queue")
    return [result, await ctx.wait_for_external_event("go")]


async def parent_of_long(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator(long_kid, instance_id="kid")


async def long_kid(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("act_long", "long", placement="local")


async def renew_on_events(ctx: OrchestrationContext, seen: list[Any]) -> list[Any]:
    seen.append(await ctx.wait_for_external_event("go"))
    if len(seen) < 10:
        ctx.continue_as_new(seen)
    return seen
