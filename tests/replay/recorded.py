"""The orchestrators whose histories are kept in tests/histories. Their code stays as it was when they were recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError
from durable_ext.records.entity_id import EntityId


async def place_order(ctx: OrchestrationContext, order: dict[str, Any]) -> dict[str, Any]:
    """Activities in a row and at once, one of them tried again; a custom status."""
    ctx.set_custom_status({"at": "reserve"})
    await ctx.call_activity("reserve", order["sku"], placement="local", tags={"team": "stock"})
    policy = RetryPolicy(first_interval=timedelta(seconds=5), max_attempts=2)
    charged, mailed = await asyncio.gather(
        ctx.call_activity("charge", order["price"], retry=policy), ctx.call_activity("mail", placement="queue")
    )
    return {"charged": charged, "mailed": mailed, "id": ctx.new_uuid(), "lucky": ctx.random.randint(1, 100)}


async def ask_for_approval(ctx: OrchestrationContext) -> str:
    """Events that come early, in time and too late; a timer that is cancelled and one that fires."""
    first = await ctx.wait_for_external_event("vote", str)
    await asyncio.sleep(1)
    second = await ctx.wait_for_external_event("vote", str, timeout=timedelta(minutes=1))
    ctx.send_event("clerk", "votes", [first, second])
    try:
        return await ctx.wait_for_external_event("vote", str, timeout=timedelta(minutes=1))
    except TimeoutError:
        return "two votes"


async def ship(ctx: OrchestrationContext, parcels: int) -> None:
    """Children: one that fails and is caught, one that fails the parent."""
    await ctx.call_sub_orchestrator("pack", parcels, instance_id="packing-1", version="2", tags={"team": "dock"})
    try:
        await ctx.call_sub_orchestrator("label")
    except TaskFailedError:
        await ctx.call_sub_orchestrator("label by hand")


async def count(ctx: OrchestrationContext, number: int) -> None:
    """Continues as new with what nobody has waited for."""
    await ctx.wait_for_external_event("next")
    ctx.continue_as_new(number + 1, version="3")


async def rest(ctx: OrchestrationContext) -> None:
    """Suspended, resumed and terminated from outside."""
    await ctx.call_activity("first")
    await ctx.call_activity("second")


async def give_up(ctx: OrchestrationContext) -> list[str]:
    """Activities that are cancelled: by a timeout, by losing a race, together, in the turn that asked for one, and one
    whose answer was under way."""
    said: list[str] = []
    try:
        async with asyncio.timeout(30):
            await ctx.call_activity("slow")
    except TimeoutError:
        said.append("too slow")
    policy = RetryPolicy(first_interval=timedelta(seconds=5), max_attempts=2)
    calls = [ctx.call_activity("ask", number, retry=policy) for number in range(3)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for call in calls:
        call.cancel()
    said += [winner.result() for winner in done]
    ctx.call_activity("regretted").cancel()
    await ctx.call_activity("thank")
    return said


def old_style(ctx: OrchestrationContext) -> Generator[Any, Any, Any]:
    """A generator."""
    calls = [ctx.call_activity("a", number) for number in range(3)]
    first = yield ctx.task_any(calls)
    results = yield ctx.task_all(calls)
    deadline: Any = ctx.create_timer(timedelta(hours=1))
    answer = ctx.wait_for_external_event("answer")
    winner = yield ctx.task_any([answer, deadline])
    if winner is answer:
        deadline.cancel()
    return [calls.index(first), results, ctx.new_uuid()]


async def transfer(ctx: OrchestrationContext) -> Any:
    """Entities: signalled, called, locked; an operation that fails; a signal for later."""
    one, other = EntityId("Account", "a"), EntityId("account", "b")
    ctx.signal_entity(one, "deposit", 5)
    ctx.signal_entity(other, "audit", signal_time=ctx.now + timedelta(days=1))
    async with ctx.lock_entities([other, one]):
        try:
            await ctx.call_entity(one, "withdraw", 50)
        except TaskFailedError:
            await ctx.call_entity(one, "withdraw", 5)
    return ctx.is_locked


async def remember(ctx: OrchestrationContext, number: int) -> None:
    """Values that are set, cleared and taken along when it continues as new."""
    seen = ctx.get_value("seen", int, 0)
    ctx.set_value("seen", seen + await ctx.wait_for_external_event("more", int))
    ctx.set_value("last", number)
    if number == 1:
        ctx.clear_values(set_before=ctx.now)
        ctx.clear_value("last")
    if number == 2:
        ctx.clear_values()
        ctx.set_value("seen", "anew")
    ctx.set_custom_status(number)
    ctx.continue_as_new(number + 1)


def registry() -> Registry:
    found = Registry()
    for code in (place_order, ask_for_approval, ship, count, rest, give_up, old_style, transfer, remember):
        found.add_orchestrator(code)
    return found
