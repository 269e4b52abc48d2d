"""Cancelling what the code waits for, and ending the instance from outside."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.authoring.context import OrchestrationContext

from .conftest import Begin
from .events import answer, cancelled, completed, facts, raised, refusal, resumed, suspended, task, terminated, timer


def test_terminate_ends_the_execution(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")

    situation = begin(main)
    situation.start()
    assert situation.turn(terminated()) == []
    assert situation.live.finished
    assert situation.turns[-1].is_terminal


def test_what_comes_with_or_after_a_terminate_is_dropped(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")
        await ctx.call_activity("b")

    situation = begin(main)
    situation.start()
    situation.turn(terminated(), answer(0), raised("e"))
    assert facts(situation.turns[-1].events) == facts([terminated()])


def test_terminate_runs_no_cleanup_of_the_code(begin: Begin) -> None:
    ran: list[str] = []

    async def main(ctx: OrchestrationContext) -> None:
        try:
            await ctx.call_activity("a")
        except asyncio.CancelledError:
            ran.append("cancelled")
            raise
        finally:
            ctx.call_activity("undo")
            ran.append("after the call")

    situation = begin(main)
    situation.start()
    assert situation.turn(terminated()) == []
    assert ran == []


def test_terminate_while_suspended(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")

    situation = begin(main)
    situation.start()
    situation.turn(suspended(), answer(0))
    assert situation.turn(terminated(), resumed()) == []
    assert facts(situation.turns[-1].events) == facts([terminated()])


def test_terminate_before_the_code_ran_at_all(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")

    situation = begin(main)
    assert facts(situation.start(None, terminated())) == facts([task(0, "a")])
    assert situation.turns[-1].is_terminal


def test_a_cancelled_task_of_the_code(begin: Begin) -> None:
    async def helper(ctx: OrchestrationContext) -> str:
        try:
            return await ctx.call_activity("slow")
        except asyncio.CancelledError:
            await ctx.call_activity("undo")
            raise

    async def main(ctx: OrchestrationContext) -> str:
        running = asyncio.ensure_future(helper(ctx))
        await ctx.call_activity("fast")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return "undone"

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "fast"), task(1, "slow")])
    assert facts(situation.turn(answer(0))) == facts([cancelled(1), task(2, "undo")])
    assert facts(situation.turn(answer(2))) == facts([completed("undone")])


def test_the_loser_of_a_race_may_still_answer(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        done, pending = await asyncio.wait(
            [ctx.call_activity("a"), ctx.call_activity("b")], return_when=asyncio.FIRST_COMPLETED
        )
        for loser in pending:
            loser.cancel()
        await ctx.call_activity("c")
        return done.pop().result()

    situation = begin(main)
    situation.start()
    situation.turn(answer(1, "b won"))
    assert situation.turn(answer(0, "late")) == []
    assert facts(situation.turn(answer(2))) == facts([completed("b won")])


def test_what_was_cancelled_may_still_fail(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        ctx.call_activity("a").cancel()
        return await ctx.call_activity("b")

    situation = begin(main)
    situation.start()
    assert situation.turn(refusal(0)) == []
    assert facts(situation.turn(answer(1, "b"))) == facts([completed("b")])


def test_code_that_cancels_itself_fails(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        waiting = ctx.call_activity("a")
        waiting.cancel()
        await waiting

    situation = begin(main)
    situation.start()
    assert situation.failure.message == "the orchestrator was cancelled"


def test_shield(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        wanted = ctx.call_activity("a")
        try:
            await asyncio.wait_for(asyncio.shield(wanted), 10)
        except TimeoutError:
            return await wanted
        return "in time"

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a"), timer(1, 10)])
    situation.turn(terminated())
