"""Rules on state that outlives an execution, on durable calls, on Azure Functions and on output; and on the files."""

from __future__ import annotations

from durable_ext.lint.rule import Rule
from durable_ext.lint.rules_state import STATE_RULES

_FILES = (
    Rule(
        code="DX001",
        name="syntax-error",
        what="The file is no Python that this interpreter can read, so nothing in it was checked.",
        remedy="mend the syntax, or run the check with the Python version of the app",
        bad="def f(:\n",
        good="def f() -> None: ...\n",
    ),
    Rule(
        code="DX002",
        name="unreadable-file",
        what="The file cannot be read or decoded, or is nested too deeply, so nothing in it was checked.",
        remedy="save it as UTF-8, or name its encoding in the first line",
        bad="# a file that is not in the encoding it claims\n",
        good="# coding: utf-8\n",
    ),
    Rule(
        code="DX003",
        name="unknown-suppression",
        what="The comment names no code, or one that is not there, so it suppresses nothing.",
        remedy="write the code of the finding, as in `# durable: ignore[DX101]`",
        bad="LIMIT = 3  # durable: ignore[DX999]\n",
        good="LIMIT = 3\n",
    ),
    Rule(
        code="DX004",
        name="unused-suppression",
        what="The comment suppresses a finding that is not there (any more).",
        remedy="remove the comment",
        bad="LIMIT = 3  # durable: ignore[DX101]\n",
        good="LIMIT = 3\n",
        level="warning",
    ),
)

_CALLS = (
    Rule(
        code="DX501",
        name="not-awaited",
        what="A durable call returns a future or task; its result is there only after `await` (or `yield`).",
        remedy="write `await` before the call, in a generator `yield`",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> int:
    paid = ctx.call_activity(charge, 5)
    return paid + 1
""",
        good="""
@app.orchestrator
async def pay_first(ctx: df.OrchestrationContext) -> int:
    paid = await ctx.call_activity(charge, 5)
    return paid + 1
""",
    ),
    Rule(
        code="DX502",
        name="forgotten-call",
        what="Nobody waits for the outcome: a failure goes unseen, and the instance may end before the call does.",
        remedy="await it; when it is meant to be left alone, say so with `_ = ctx.call_activity(...)`",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> None:
    ctx.call_activity(charge, 5)
""",
        good="""
@app.orchestrator
async def pay_and_wait(ctx: df.OrchestrationContext) -> None:
    await ctx.call_activity(charge, 5)
""",
        level="warning",
    ),
    Rule(
        code="DX503",
        name="async-generator",
        what="An `async def` with `yield` is an async generator, which is no orchestrator: registering it fails.",
        remedy="write `await` for `yield`, or `def` for `async def`",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext):
    yield ctx.call_activity(charge, 5)
""",
        good="""
@app.orchestrator
async def pay_by_await(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(charge, 5)
""",
    ),
    Rule(
        code="DX504",
        name="generator-not-run",
        what="Calling a generator runs nothing of it, and `yield` of one is refused.",
        remedy="write `yield from` before the call",
        bad="""
def pay_twice(context):
    yield context.call_activity("charge", 1)
    yield context.call_activity("charge", 2)


@app.orchestration_trigger(context_name="context")
def pay(context):
    yield pay_twice(context)
""",
        good="""
def pay_twice(context):
    yield context.call_activity("charge", 1)
    yield context.call_activity("charge", 2)


@app.orchestration_trigger(context_name="context")
def pay_both(context):
    yield from pay_twice(context)
""",
    ),
    Rule(
        code="DX505",
        name="replay-decision",
        what="The call is made at replays only, or never at one: the replay asks for something else than history has.",
        remedy="make the call whatever `ctx.is_replaying` says; only output may depend on it",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> None:
    if not ctx.is_replaying:
        await ctx.call_activity(charge, 5)
""",
        good="""
@app.orchestrator
async def pay_always(ctx: df.OrchestrationContext) -> None:
    await ctx.call_activity(charge, 5)
""",
    ),
)

_FUNCTIONS = (
    Rule(
        code="DX601",
        name="client",
        what="A client talks to storage: each replay sends its command again, and its answers change.",
        remedy="use the context (`ctx.call_sub_orchestrator`, `ctx.send_event`), or the client in an activity",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext, client: df.DurableClient) -> None:
    await client.raise_event("order-1", "paid")
""",
        good="""
@app.orchestrator
async def pay_and_tell(ctx: df.OrchestrationContext) -> None:
    ctx.send_event("order-1", "paid")
""",
    ),
    Rule(
        code="DX602",
        name="activity-called-directly",
        what="Called as a function the activity runs here, again at each replay, and its outcome is not recorded.",
        remedy="await `ctx.call_activity(...)` with the activity and its input",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> int:
    return await charge(5)
""",
        good="""
@app.orchestrator
async def pay_by_call(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(charge, 5)
""",
    ),
    Rule(
        code="DX603",
        name="binding",
        what="An orchestrator takes no other trigger and no binding: those are inputs and effects that no history has.",
        remedy="put the binding on the function that starts the orchestration, or on one that an activity's work fits",
        bad="""
@app.durable_client_input(client_name="client")
@app.orchestration_trigger(context_name="context")
def pay(context, client):
    yield context.call_activity("charge", 5)
""",
        good="""
@app.orchestration_trigger(context_name="context")
def pay_alone(context):
    yield context.call_activity("charge", 5)
""",
    ),
    Rule(
        code="DX604",
        name="not-registered",
        what="The function that is called is not registered for this verb, so the call fails.",
        remedy="decorate it with `@app.activity` (`@app.orchestrator` for a child), or call it by its name, as text",
        bad="""
def refund(amount: int) -> int:
    return amount


@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(refund, 5)
""",
        good="""
@app.activity
def give_back(amount: int) -> int:
    return amount


@app.orchestrator
async def pay_back(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(give_back, 5)
""",
    ),
)

_OUTPUT = (
    Rule(
        code="DX701",
        name="print",
        what="Each replay prints the line again.",
        remedy="use `ctx.logger`, which writes a line once, or print under `if not ctx.is_replaying:`",
        bad="""
@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> None:
    print("paying")
""",
        good="""
@app.orchestrator
async def pay_and_log(ctx: df.OrchestrationContext) -> None:
    ctx.logger.info("paying")
""",
        level="warning",
    ),
    Rule(
        code="DX702",
        name="logging",
        what="Each replay logs the line again.",
        remedy="use `ctx.logger` or `ctx.create_replay_safe_logger(logger)`, or log under `if not ctx.is_replaying:`",
        bad="""
import logging


@app.orchestrator
async def pay(ctx: df.OrchestrationContext) -> None:
    logging.info("paying")
""",
        good="""
import logging

LOGGER = logging.getLogger("shop")


@app.orchestrator
async def pay_and_log(ctx: df.OrchestrationContext) -> None:
    ctx.create_replay_safe_logger(LOGGER).info("paying")
""",
        level="warning",
    ),
)

USE_RULES = (*_FILES, *STATE_RULES, *_CALLS, *_FUNCTIONS, *_OUTPUT)
