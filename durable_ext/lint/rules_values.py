"""Rules on values that differ from run to run: time, chance, identity, order."""

from __future__ import annotations

from durable_ext.lint.rule import Rule

VALUE_RULES = (
    Rule(
        code="DX101",
        name="clock",
        what="The clock shows another time at every replay, so a decision that rests on it changes.",
        remedy="use `ctx.now`, the time of the turn, which every replay repeats",
        bad="""
from datetime import datetime


@app.orchestrator
async def remind(ctx: df.OrchestrationContext) -> str:
    return datetime.now().isoformat()
""",
        good="""
@app.orchestrator
async def remind_on_time(ctx: df.OrchestrationContext) -> str:
    return ctx.now.isoformat()
""",
    ),
    Rule(
        code="DX102",
        name="random",
        what="Random numbers differ at every replay.",
        remedy="use `ctx.random`, a `random.Random` that every replay repeats; draw secrets in an activity",
        bad="""
import random


@app.orchestrator
async def draw(ctx: df.OrchestrationContext) -> int:
    return random.randint(1, 6)
""",
        good="""
@app.orchestrator
async def draw_again(ctx: df.OrchestrationContext) -> int:
    return ctx.random.randint(1, 6)
""",
    ),
    Rule(
        code="DX103",
        name="uuid",
        what="A new id is another one at every replay.",
        remedy="use `ctx.new_uuid()`, or `ctx.new_guid()` for a UUID object",
        bad="""
from uuid import uuid4


@app.orchestrator
async def name_it(ctx: df.OrchestrationContext) -> str:
    return str(uuid4())
""",
        good="""
@app.orchestrator
async def name_it_once(ctx: df.OrchestrationContext) -> str:
    return ctx.new_uuid()
""",
    ),
    Rule(
        code="DX104",
        name="blocking-sleep",
        what="It stops every instance of the process, and each replay sleeps again.",
        remedy="await `asyncio.sleep(...)` or `ctx.create_timer(...)`, which are durable and of any length",
        bad="""
import time


@app.orchestrator
async def pause(ctx: df.OrchestrationContext) -> None:
    time.sleep(60)
""",
        good="""
@app.orchestrator
async def pause_durably(ctx: df.OrchestrationContext) -> None:
    await asyncio.sleep(60)
""",
    ),
    Rule(
        code="DX105",
        name="identity",
        what="`id()` is an address and `hash()` of text is salted: both differ between processes.",
        remedy="use the value itself or a key of it, or a digest of `hashlib`",
        bad="""
@app.orchestrator
async def shard(ctx: df.OrchestrationContext, customer: str) -> int:
    return hash(customer) % 8
""",
        good="""
import hashlib


@app.orchestrator
async def shard_the_same(ctx: df.OrchestrationContext, customer: str) -> int:
    return hashlib.sha256(customer.encode()).digest()[0] % 8
""",
    ),
    Rule(
        code="DX106",
        name="set-order",
        what="The order of a set of texts or objects differs between processes, so calls are made in another order.",
        remedy="iterate over `sorted(...)`, or keep a list or `dict.fromkeys(...)`",
        bad="""
@app.orchestrator
async def charge_each(ctx: df.OrchestrationContext, names: list[str]) -> None:
    for name in set(names):
        await ctx.call_activity("charge", len(name))
""",
        good="""
@app.orchestrator
async def charge_in_order(ctx: df.OrchestrationContext, names: list[str]) -> None:
    for name in sorted(set(names)):
        await ctx.call_activity("charge", len(name))
""",
    ),
)
