"""The app of the soak: one orchestrator for each kind of load, and activities that write down each of their runs.

What each orchestrator returns depends on its input alone, so that `plan.py` can say it without running anything.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func

from benchmarks.soak.effects import BEGIN, END, FOLDER, TIDY, Notes
from durable_ext import ActivityContext, DurableApp, EntityContext, EntityId, OrchestrationContext, RetryPolicy

app = DurableApp()
_notes = Notes(Path(os.environ[FOLDER]))


class OnPurposeError(Exception):
    """What a failing activity raises."""


@app.activity
async def add(ctx: ActivityContext, call: dict[str, int]) -> int:
    """`value` plus `by`, after `pause` milliseconds."""
    _notes.write(ctx.idempotency_key, BEGIN)
    await asyncio.sleep(call["pause"] / 1000)
    _notes.write(ctx.idempotency_key, END)
    return call["value"] + call["by"]


@app.activity
def add_in_thread(ctx: ActivityContext, call: dict[str, int]) -> int:
    """The same, in a thread."""
    _notes.write(ctx.idempotency_key, BEGIN)
    time.sleep(call["pause"] / 1000)
    _notes.write(ctx.idempotency_key, END)
    return call["value"] + call["by"]


@app.activity
async def repeat(ctx: ActivityContext, call: dict[str, Any]) -> str:
    """A long text."""
    _notes.write(ctx.idempotency_key, BEGIN)
    _notes.write(ctx.idempotency_key, END)
    return call["text"] * call["times"]


@app.activity
async def fails_below(ctx: ActivityContext, task_id: int) -> int:
    """Fails as long as its task's number is lower: attempts of one call have growing numbers (0, 2, 4 ...)."""
    _notes.write(ctx.idempotency_key, BEGIN)
    _notes.write(ctx.idempotency_key, END)
    if ctx.task_id < task_id:
        raise OnPurposeError(f"task {ctx.task_id}")
    return ctx.task_id


@app.orchestrator
async def chain(ctx: OrchestrationContext, call: dict[str, int]) -> int:
    value = call["start"]
    for number in range(call["length"]):
        activity = "add" if number % 2 == 0 else "add_in_thread"
        given = {"value": value, "by": number, "pause": call["pause"]}
        value = await ctx.call_activity(activity, given, result_type=int)
    return value


@app.orchestrator
async def fan_out(ctx: OrchestrationContext, call: dict[str, int]) -> int:
    placements = ("auto", "queue", "local")
    calls = [
        ctx.call_activity(
            "add", {"value": number, "by": number, "pause": call["pause"]}, placement=placements[number % 3]
        )
        for number in range(call["width"])
    ]
    return sum(await asyncio.gather(*calls))


@app.orchestrator
async def timers(ctx: OrchestrationContext, milliseconds: list[int]) -> int:
    value = 0
    for pause in milliseconds:
        await asyncio.sleep(pause / 1000)
        value = await ctx.call_activity(add, {"value": value, "by": 1, "pause": 1})
    return value


@app.orchestrator
async def deadline(ctx: OrchestrationContext, seconds: float) -> str:
    try:
        return str(await ctx.wait_for_external_event("never", timeout=timedelta(seconds=seconds)))
    except TimeoutError:
        return "too late"


@app.orchestrator
async def collect(ctx: OrchestrationContext, count: int) -> list[int]:
    """All events in the order they came, until each of 0 to count - 1 was among them."""
    received: list[int] = []
    while len(set(received)) < count:
        received.append(await ctx.wait_for_external_event("ping"))
        ctx.set_custom_status(len(set(received)))
    return received


@app.orchestrator
async def tree(ctx: OrchestrationContext, call: dict[str, int]) -> int:
    if call["depth"] == 0:
        return await ctx.call_activity(add, {"value": call["value"], "by": 1, "pause": 5})
    below = {**call, "depth": call["depth"] - 1}
    children = [
        ctx.call_sub_orchestrator("tree", {**below, "value": call["value"] * call["width"] + number})
        for number in range(call["width"])
    ]
    return sum(await asyncio.gather(*children))


@app.orchestrator
async def rounds(ctx: OrchestrationContext, call: dict[str, int]) -> int:
    total = await ctx.call_activity(add, {"value": call["total"], "by": call["left"], "pause": 5})
    if call["left"] > 1:
        ctx.continue_as_new({"left": call["left"] - 1, "total": total})
    return total


@app.orchestrator
async def relay(ctx: OrchestrationContext, call: dict[str, Any]) -> list[int]:
    """One event a round, over continue-as-new: events that come early go along."""
    received = [*call["received"], await ctx.wait_for_external_event("ping")]
    if len(set(received)) < call["count"]:
        ctx.continue_as_new({"count": call["count"], "received": received})
    return received


@app.orchestrator
async def flaky(ctx: OrchestrationContext, failures: int) -> int:
    # Attempts and the pauses between them take turns: 0, pause 1, 2, pause 3, 4 ...
    policy = RetryPolicy(first_interval=timedelta(milliseconds=100), max_attempts=failures + 1)
    return await ctx.call_activity(fails_below, 2 * failures, retry=policy)


@app.orchestrator
async def doomed(ctx: OrchestrationContext, _: None = None) -> None:
    await ctx.call_activity(fails_below, 1_000_000)


@app.orchestrator
async def long_text(ctx: OrchestrationContext, call: dict[str, Any]) -> int:
    text = await ctx.call_activity(repeat, call)
    again = await ctx.call_activity(repeat, {"text": text, "times": 1})
    return len(again)


@app.entity
def ledger(context: EntityContext) -> None:
    """What it was told by whom, in order; it answers how much that is."""
    told = context.get_state(dict[str, list[int]])
    by, number = context.get_input(tuple[str, int])
    told[by] = [*told.get(by, ()), number]
    context.set_state(told)
    context.set_result(len(told[by]))


@app.orchestrator
async def tell(ctx: OrchestrationContext, call: dict[str, Any]) -> list[int]:
    """Tells ledgers its numbers, every other one without waiting; what they answer. `alone`: under their locks."""
    ledgers = [EntityId.parse(name) for name in call["ledgers"]]
    async with ctx.lock_entities(ledgers) if call["alone"] else nullcontext():
        answers: list[int] = []
        for number in range(call["count"]):
            for one in ledgers:
                if number % 2 and not call["alone"]:
                    ctx.signal_entity(one, "note", [ctx.instance_id, number])
                else:
                    answers.append(await ctx.call_entity(one, "note", [ctx.instance_id, number]))
        return answers


@app.orchestrator
async def held(ctx: OrchestrationContext, depth: int) -> None:
    """Waits until it is terminated, and its child with it."""
    if depth:
        await ctx.call_sub_orchestrator("held", depth - 1)
    await ctx.wait_for_external_event("never")


if schedule := os.environ.get(TIDY):

    @app.timer_trigger(arg_name="timer", schedule=schedule)
    async def tidy_often(timer: func.TimerRequest) -> None:
        """The janitor, more often than once a minute: for a soak that is shorter than that."""
        await (await app.worker()).tidy()
