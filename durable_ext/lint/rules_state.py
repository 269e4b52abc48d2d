"""Rules on state that outlives an execution."""

from __future__ import annotations

from durable_ext.lint.rule import Rule

STATE_RULES = (
    Rule(
        code="DX401",
        name="outer-name-rebound",
        what="A name outside the execution is rebound: all instances of a process share it, and replays do it again.",
        remedy="keep the value in a local variable, in the input of continue_as_new, or in what an activity stores",
        bad="""
COUNT = 0


@app.orchestrator
async def count(ctx: df.OrchestrationContext) -> None:
    global COUNT
    COUNT += 1
""",
        good="""
@app.orchestrator
async def count_by_input(ctx: df.OrchestrationContext, count: int) -> None:
    ctx.continue_as_new(count + 1)
""",
    ),
    Rule(
        code="DX402",
        name="outer-state-changed",
        what="An object outside the execution is changed: instances of a process share it, and replays do it again.",
        remedy="make the object inside the orchestrator, or keep it in what an activity stores",
        bad="""
SEEN = []


@app.orchestrator
async def remember(ctx: df.OrchestrationContext, name: str) -> None:
    SEEN.append(name)
""",
        good="""
@app.orchestrator
async def remember_here(ctx: df.OrchestrationContext, name: str) -> list[str]:
    seen = []
    seen.append(name)
    return seen
""",
    ),
    Rule(
        code="DX403",
        name="changing-state-read",
        what="The value is changed while the app runs, so the replay may read another one.",
        remedy="pass it in with the input, or read it in an activity",
        bad="""
RATE = 1


def set_rate(rate: int) -> None:
    global RATE
    RATE = rate


@app.orchestrator
async def rated(ctx: df.OrchestrationContext) -> int:
    return RATE
""",
        good="""
RATE = 1


@app.orchestrator
async def rated_the_same(ctx: df.OrchestrationContext) -> int:
    return RATE
""",
    ),
    Rule(
        code="DX404",
        name="shared-primitive",
        what="A lock, queue or event outside the execution is shared; no history has what others do to it.",
        remedy="make it inside the orchestrator; between instances use events",
        bad="""
LOCK = asyncio.Lock()


@app.orchestrator
async def one_by_one(ctx: df.OrchestrationContext) -> None:
    async with LOCK:
        await ctx.call_activity(charge, 1)
""",
        good="""
@app.orchestrator
async def one_by_one_here(ctx: df.OrchestrationContext) -> None:
    lock = asyncio.Lock()
    async with lock:
        await ctx.call_activity(charge, 1)
""",
    ),
)
