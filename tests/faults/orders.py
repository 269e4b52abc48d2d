"""An app as users write it, and the faults they plant into it without noticing."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durable_ext import ActivityContext, DurableApp, DurableBlueprint, OrchestrationContext

app = DurableApp()
side = DurableBlueprint()


@dataclass(frozen=True)
class Order:
    number: str
    amount: int


@dataclass(frozen=True)
class Receipt:
    number: str
    charged: int


# What the activities have done to the world.
charges: list[str] = []
keys: set[str] = set()
decisions = 0


@app.activity
def charge(ctx: ActivityContext, order: Order) -> int:
    """Charges again when it is run again."""
    charges.append(order.number)
    keys.add(ctx.idempotency_key)
    return order.amount


@app.activity(name="tell-the-customer")
async def tell(number: str) -> str:
    return f"told {number}"


@app.orchestrator
async def process_order(ctx: OrchestrationContext, order: Order) -> Receipt:
    charged = await ctx.call_activity(charge, order)
    if await ctx.wait_for_external_event("approval"):
        await ctx.call_activity(tell, order.number)
    return Receipt(order.number, charged)


@app.orchestrator(name="in-a-generator")
def in_a_generator(ctx: OrchestrationContext) -> Generator[Any, Any, str]:
    yield ctx.create_timer(ctx.now + timedelta(days=3))
    return (yield ctx.call_activity(tell, "3"))


@app.orchestrator
async def undecided(ctx: OrchestrationContext) -> str:
    """Decides by a counter of the process: another one in every replay."""
    global decisions
    decisions += 1
    return str(await ctx.call_activity(tell, f"decision {decisions}"))


@app.orchestrator
async def moody(ctx: OrchestrationContext) -> str:
    """An activity in the first run of the code, later an event."""
    global decisions
    decisions += 1
    if decisions == 1:
        return str(await ctx.call_activity(tell, "once"))
    return str(await ctx.wait_for_external_event("never"))


@app.orchestrator
async def refusing(ctx: OrchestrationContext) -> None:
    raise ValueError("not today")


@app.orchestrator
async def waiting(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("never")


@app.orchestrator
async def three_events(ctx: OrchestrationContext) -> list[str]:
    return [str(await ctx.wait_for_external_event("tick")) for _ in range(3)]


@side.activity
async def stuck() -> None:
    await asyncio.Event().wait()


@side.orchestrator
async def stuck_for_ever(ctx: OrchestrationContext) -> None:
    await ctx.call_activity(stuck)


@side.orchestrator
async def quick(ctx: OrchestrationContext, value: int) -> int:
    return value + 1
