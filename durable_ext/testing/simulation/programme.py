"""The orchestrators and activities of a simulation: an interpreter of small programmes, so that a load is data.

A programme is a node `{"kind": ...}`; nodes hold nodes. Its result is JSON that `expectation.py`, which knows nothing
of durable orchestrations, computes as well.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import ActivityContext, OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import ActivityOutcomeUnknownError, TaskFailedError
from durable_ext.records.entity_id import EntityId
from durable_ext.records.ids import DEFAULT_TAG
from durable_ext.testing.simulation.case import Node
from durable_ext.testing.simulation.ledger import Runs

UNKNOWN = "it began before"
# The first and the last thing an entity is told under a lock.
BEGINS, ENDS = "<", ">"
# The runs of activities that this simulation counts.
RUNS: ContextVar[Runs] = ContextVar("durable_ext.testing.simulation.runs")

# The tags that the process takes whose code this is.
TAKEN: ContextVar[tuple[str, ...]] = ContextVar("durable_ext.testing.simulation.taken")


async def pause(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


async def work(ctx: ActivityContext, node: Node) -> Any:
    """An activity: it takes a while, and returns a value or fails."""
    runs = _begun(ctx, node)
    seconds = node.get("seconds", 0)
    if seconds:
        await pause(seconds)
    return _outcome(runs, ctx, node)


def work_in_thread(ctx: ActivityContext, node: Node) -> Any:
    """The same as a function that is not async."""
    return _outcome(_begun(ctx, node), ctx, node)


async def work_once(ctx: ActivityContext, node: Node) -> Any:
    """The same, at most once."""
    return await work(ctx, node)


async def found_begun(ctx: ActivityContext, node: Node) -> Any:
    """What runs instead of a second run."""
    RUNS.get().stand_in(ctx)
    return {"begun": node["value"]}


async def work_once_or_fail(ctx: ActivityContext, node: Node) -> Any:
    """The same, at most once; a second run is a failure."""
    return await work(ctx, node)


def _begun(ctx: ActivityContext, node: Node) -> Runs:
    runs = RUNS.get()
    if node.get("tag", DEFAULT_TAG) not in TAKEN.get():
        runs.stray(ctx)
    if node.get("once"):
        runs.begin_once(ctx)
    else:
        runs.begin(ctx)
    return runs


def _outcome(runs: Runs, ctx: ActivityContext, node: Node) -> Any:
    if node.get("fails"):
        raise ValueError(node["fails"])
    if node.get("until", "") not in {"", *runs.mended}:
        raise ValueError(f"{node['until']} is broken")
    if "fails_first" in node and node["fails_first"] > runs.calls_before(ctx, f"{node['value']} of {node['of']}"):
        raise ValueError("not yet")
    runs.end(ctx)
    return node["value"]


async def log(context: EntityContext) -> None:
    """An entity: what it was told, in order."""
    context.set_state([*context.get_state(list), context.get_input(str)])


async def programme(ctx: OrchestrationContext, node: Node) -> Any:
    """Run a node."""
    return await _run(ctx, node)


async def loop(ctx: OrchestrationContext, node: Node) -> Any:
    """An execution for each event: takes one, works, continues as new with what it has seen."""
    seen = list(node.get("seen", ()))
    value = await ctx.wait_for_external_event(node["name"])
    if node.get("work"):
        await ctx.call_activity(work, {"value": value})
    seen.append(value)
    if len(seen) == node["count"]:
        return seen if node["ordered"] else sorted(seen)
    ctx.continue_as_new(node | {"seen": seen})
    return None


async def _run(ctx: OrchestrationContext, node: Node) -> Any:
    match node["kind"]:
        case "chain":
            return [await _run(ctx, part) for part in node["parts"]]
        case "all":
            return await asyncio.gather(*[_run(ctx, part) for part in node["parts"]])
        case "work":
            return await _work(ctx, node)
        case "child":
            return await _child(ctx, node)
        case "wait":
            return await _wait(ctx, node)
        case "race":
            return await _race(ctx, node)
        case _:
            return await _act(ctx, node)


async def _act(ctx: OrchestrationContext, node: Node) -> Any:
    match node["kind"]:
        case "timer":
            await ctx.create_timer(timedelta(seconds=node["seconds"]))
        case "tell":
            ctx.signal_entity(log_of(node["entity"]), "add", _token(ctx, node))
        case "ask":
            await ctx.call_entity(log_of(node["entity"]), "add", _token(ctx, node))
        case "locked":
            await _alone(ctx, node)
        case "send":
            ctx.send_event(node["to"], node["name"], node["value"])
        case "forget":
            ctx.call_activity(work, {"value": "forgotten"})
            ctx.call_sub_orchestrator(programme, {"kind": "work", "value": "forgotten"})
        case "status":
            ctx.set_custom_status(node["value"])
        case "fail":
            raise ValueError(node["text"])
        case kind:
            raise LookupError(f"no node is a {kind!r}")
    return node["kind"]


async def _alone(ctx: OrchestrationContext, node: Node) -> None:
    """Something that has to stand together in each of its entities."""
    entities, token = [log_of(name) for name in node["entities"]], _token(ctx, node)
    async with ctx.lock_entities(entities):
        for entity in entities:
            await ctx.call_entity(entity, "add", token + BEGINS)
        await ctx.create_timer(timedelta(seconds=node["seconds"]))
        if "until" in node:
            await _work(ctx, {"value": token, "until": node["until"]})
        for entity in entities:
            await ctx.call_entity(entity, "add", token + ENDS)


def log_of(name: str) -> EntityId:
    """The entity that keeps what it was told."""
    return EntityId("log", name)


def _token(ctx: OrchestrationContext, node: Node) -> str:
    """Another one in each execution."""
    return f"{node['token']}@{ctx.new_guid()}"


async def _work(ctx: OrchestrationContext, node: Node) -> Any:
    activity = node.get("activity", "work")
    policy = None
    if node.get("attempts", 1) > 1:
        policy = RetryPolicy(first_interval=timedelta(seconds=node.get("interval", 2)), max_attempts=node["attempts"])
    if "fails_first" in node:
        node = node | {"of": ctx.execution_id}
    try:
        placement, session, tag = node.get("placement", "auto"), node.get("session"), node.get("tag")
        return await ctx.call_activity(activity, node, placement=placement, retry=policy, session_id=session, tag=tag)
    except TaskFailedError as error:
        if "until" in node:
            raise
        unknown = error.failure.is_caused_by(ActivityOutcomeUnknownError)
        return {"failed": UNKNOWN if unknown else error.failure.message}


async def _child(ctx: OrchestrationContext, node: Node) -> Any:
    inner = node["programme"]
    name = "loop" if inner["kind"] == "loop" else "programme"
    try:
        return await ctx.call_sub_orchestrator(name, inner, instance_id=node.get("id"))
    except TaskFailedError as error:
        if "until" in node:
            raise
        return {"failed": error.failure.message}


async def _wait(ctx: OrchestrationContext, node: Node) -> Any:
    values: list[Any] = []
    limit = None if node.get("timeout") is None else timedelta(seconds=node["timeout"])
    for _ in range(node["count"]):
        try:
            values.append(await ctx.wait_for_external_event(node["name"], timeout=limit))
        except TimeoutError:
            values.append("late")
    return values if node["ordered"] else sorted(values)


async def _race(ctx: OrchestrationContext, node: Node) -> Any:
    """An activity against a time: the loser is cancelled."""
    try:
        async with asyncio.timeout(node["limit"]):
            return await _run(ctx, node["part"])
    except TimeoutError:
        return "late"


def registry() -> Registry:
    """All of them, by name."""
    names = Registry()
    names.add_activity(work)
    names.add_activity(work_in_thread)
    names.add_activity(work_once, at_most_once=True, after_fault=found_begun)
    names.add_activity(work_once_or_fail, at_most_once=True)
    names.add_orchestrator(programme)
    names.add_orchestrator(loop)
    names.add_entity(log)
    return names
