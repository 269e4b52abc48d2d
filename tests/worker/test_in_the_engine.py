"""Terms of an activity in the whole engine: what an orchestrator sees of them, in a session and through the queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import (
    ActivityContext,
    ActivityOutcomeUnknownError,
    ActivityTimedOutError,
    OrchestrationContext,
    Registry,
    RetryPolicy,
    TaskFailedError,
    Worker,
)
from durable_ext.authoring.options import Placement
from durable_ext.records.events import TaskCancelled, TaskScheduled

from ..pumped import pumped
from .running import PATIENCE

TWICE = RetryPolicy(first_interval=timedelta(milliseconds=1), max_attempts=2)
PLACEMENTS: list[Placement] = ["local", "queue"]


async def outcome_of(worker: Worker, name: str, value: Any = None) -> tuple[Any, list[type]]:
    """What the orchestration returned, and the kinds of its events."""
    instance_id = await worker.client.start(name, value)
    status = await worker.client.wait_for_completion(instance_id, timedelta(seconds=PATIENCE))
    turns = await worker.client.history(instance_id)
    return status.output, [type(event) for turn in turns for event in turn.events]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("with_fault", [False, True])
def test_one_that_began_somewhere_else(placement: Placement, with_fault: bool) -> None:
    """Somebody has claimed the work item of the second activity by the time it is scheduled."""
    ran: list[str] = []
    registry = Registry()

    async def claim_the_next(ctx: ActivityContext) -> None:
        # The next activity is decided in turn 1, behind the outcome of this one.
        assert await claim(ctx.instance_id, f"{ctx.execution_id}-1-1", "somebody else")

    async def charge(amount: int) -> str:
        ran.append("charge")
        return f"charged {amount}"

    def look(ctx: ActivityContext, amount: int) -> str:
        return f"found {amount}"

    async def main(ctx: OrchestrationContext) -> str:
        await ctx.call_activity("claim_the_next", placement="local")
        try:
            return await ctx.call_activity(charge, 7, retry=TWICE, placement=placement)
        except TaskFailedError as error:
            if error.failure.is_caused_by(ActivityTimedOutError):
                return "took too long"
            return "unknown" if error.failure.is_caused_by(ActivityOutcomeUnknownError) else "failed"

    registry.add_activity(claim_the_next)
    registry.add_activity(charge, at_most_once=True, after_fault=look if with_fault else None)
    registry.add_orchestrator(main)
    claim: Any = None

    async def test() -> None:
        nonlocal claim
        async with pumped(registry) as worker:
            claim = worker.provider.claim
            output, kinds = await outcome_of(worker, "main")
            assert output == ("found 7" if with_fault else "unknown")
            assert kinds.count(TaskScheduled) == 2, "the policy did not try it again"

    asyncio.run(test())
    assert ran == []


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_one_that_takes_too_long_is_tried_again(placement: Placement) -> None:
    registry = Registry()

    async def slow(ctx: ActivityContext) -> None:
        await asyncio.Event().wait()

    async def main(ctx: OrchestrationContext) -> bool:
        try:
            await ctx.call_activity("slow", retry=TWICE, placement=placement)
        except TaskFailedError as error:
            return error.failure.is_caused_by(ActivityTimedOutError)
        return False

    registry.add_activity(slow, time_limit=timedelta(milliseconds=10))
    registry.add_orchestrator(main)

    async def test() -> None:
        async with pumped(registry) as worker:
            output, kinds = await outcome_of(worker, "main")
            assert output is True
            assert kinds.count(TaskScheduled) == 2

    asyncio.run(test())


def test_a_thread_of_a_cancelled_activity_is_told_at_once() -> None:
    """The process of the session stops what it runs itself, as soon as the turn is committed."""
    registry, told = Registry(), threading.Event()

    def watch(ctx: ActivityContext) -> None:
        if ctx.wait_cancelled(PATIENCE):
            told.set()

    async def main(ctx: OrchestrationContext) -> str:
        try:
            async with asyncio.timeout(0.01):
                await ctx.call_activity("watch", placement="local")
        except TimeoutError:
            await ctx.call_activity(until_told)
        return "told"

    def until_told() -> None:
        assert told.wait(PATIENCE / 2)

    _add(registry, watch, until_told)
    registry.add_orchestrator(main)

    async def test() -> None:
        async with pumped(registry) as worker:
            output, kinds = await outcome_of(worker, "main")
            assert output == "told"
            assert kinds.count(TaskCancelled) == 1

    asyncio.run(test())


def _add(registry: Registry, *activities: Callable[..., Any]) -> None:
    for activity in activities:
        registry.add_activity(activity)
