"""Orchestrators that leave debts when they are interrupted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry

from .hub import Gate


class App:
    """Orchestrators that leave debts, and what their activity saw. `gate` holds the activity."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.ran: list[Any] = []
        self.gate: Gate | None = None
        self.registry.add_activity(self.act, name="act")
        for orchestrator in (
            renew,
            eternal,
            both,
            tell,
            listen,
            fire_and_forget,
            mother,
            child,
            tell_and_end,
            tell_and_go_on,
            ask_on_go,
            two_steps,
        ):
            self.registry.add_orchestrator(orchestrator)

    async def act(self, value: Any) -> Any:
        self.ran.append(value)
        if self.gate is not None and value != "one":
            await self.gate.wait()
        return value


async def renew(ctx: OrchestrationContext, rounds: int) -> Any:
    if rounds:
        ctx.continue_as_new(rounds - 1)
        return None
    return await ctx.call_activity("act", "renewed")


async def eternal(ctx: OrchestrationContext, rounds: int) -> Any:
    await ctx.create_timer(timedelta(seconds=5))
    if rounds:
        ctx.continue_as_new(rounds - 1)
        return None
    return "over"


async def both(ctx: OrchestrationContext) -> Any:
    event = ctx.wait_for_external_event("x")
    result = await ctx.call_activity("act", "once")
    return [result, await event]


async def tell(ctx: OrchestrationContext, again: bool) -> Any:
    if again:
        return "told"
    await ctx.wait_for_external_event("go")
    ctx.send_event("listener", "hello", 1)
    await ctx.wait_for_external_event("renew")
    ctx.continue_as_new(True)
    return None


async def tell_and_go_on(ctx: OrchestrationContext, round_: int) -> Any:
    await ctx.wait_for_external_event("go")
    if round_ == 0:
        ctx.send_event("listener", "hello", round_)
    ctx.continue_as_new(round_ + 1)


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("hello")


async def fire_and_forget(ctx: OrchestrationContext, renews: bool) -> Any:
    ctx.call_activity("act", "forgotten")
    if renews:
        ctx.continue_as_new(False)
    return "gone"


async def mother(ctx: OrchestrationContext, orchestrator: str) -> Any:
    return await ctx.call_sub_orchestrator(orchestrator, None, instance_id="child")


async def child(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("act", "of the child")


async def tell_and_end(ctx: OrchestrationContext) -> Any:
    ctx.send_event("listener", "hello", 1)
    return "reported"


async def ask_on_go(ctx: OrchestrationContext) -> Any:
    await ctx.wait_for_external_event("go")
    return await ctx.call_activity("act", "asked")


async def two_steps(ctx: OrchestrationContext) -> Any:
    await ctx.call_activity("act", "one")
    return await ctx.call_activity("act", "two")
