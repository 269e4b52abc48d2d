"""Retries: each attempt is a decision of its own, and the pause between them a durable timer."""

from __future__ import annotations

import asyncio
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.retry import RetryPolicy

from .conftest import Begin
from .events import SECOND, answer, child_answer, child_refusal, completed, facts, failure, fired, refusal, task, timer

POLICY = RetryPolicy(first_interval=10 * SECOND, max_attempts=3, coefficient=2)


async def patient(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("a", 1, retry=POLICY)


def test_success_at_the_third_attempt(begin: Begin) -> None:
    situation = begin(patient)
    assert facts(situation.start()) == facts([task(0, "a", 1)])
    assert facts(situation.turn(refusal(0), seconds=1)) == facts([timer(1, 11)])
    assert facts(situation.turn(fired(1), seconds=11)) == facts([task(2, "a", 1, attempt=2)])
    assert facts(situation.turn(refusal(2), seconds=12)) == facts([timer(3, 32)])
    assert facts(situation.turn(fired(3), seconds=32)) == facts([task(4, "a", 1, attempt=3)])
    assert facts(situation.turn(answer(4, "ok"), seconds=33)) == facts([completed("ok")])


def test_the_last_failure_is_the_callers(begin: Begin) -> None:
    situation = begin(patient)
    situation.start()
    for attempt, why in enumerate(["first", "second"]):
        situation.turn(refusal(2 * attempt, failure(why)), seconds=100 * attempt)
        situation.turn(fired(2 * attempt + 1), seconds=100 * attempt + 50)
    situation.turn(refusal(4, failure("third")), seconds=300)
    assert situation.failure.cause == failure("third")


def test_what_is_not_worth_it_is_not_tried_again(begin: Begin) -> None:
    situation = begin(patient)
    situation.start()
    situation.turn(refusal(0, failure("never", retryable=False)))
    assert situation.failure.cause == failure("never", retryable=False)


def test_the_first_attempts_stand_in_the_order_of_the_calls(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        return list(
            await asyncio.gather(
                ctx.call_activity("a", retry=POLICY), ctx.call_activity("b"), ctx.call_activity("c", retry=POLICY)
            )
        )

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a"), task(1, "b"), task(2, "c")])
    assert facts(situation.turn(refusal(2), refusal(0))) == facts([timer(3, 11), timer(4, 11)])


def test_a_child_is_tried_again_under_another_id(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        return await ctx.call_sub_orchestrator("ship", retry=POLICY)

    situation = begin(main)
    [first] = facts(situation.start())
    situation.turn(child_refusal(0), seconds=1)
    [second] = facts(situation.turn(fired(1), seconds=11))
    assert first["instanceId"] != second["instanceId"]
    assert facts(situation.turn(child_answer(2, "ok"), seconds=12)) == facts([completed("ok")])


def test_the_argument_order_of_durable_functions(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        return [
            await ctx.call_activity_with_retry("a", POLICY, 1),
            await ctx.call_sub_orchestrator_with_retry("ship", POLICY, 2),
        ]

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a", 1)])
    assert facts(situation.turn(refusal(0), seconds=1)) == facts([timer(1, 11)])
    situation.turn(fired(1), seconds=11)
    [decision] = facts(situation.turn(answer(2, "x"), seconds=12))
    assert (decision["type"], decision["name"]) == ("ChildScheduled", "ship")
    assert facts(situation.turn(child_answer(3, "y"), seconds=13)) == facts([completed(["x", "y"])])


def test_nothing_is_tried_after_the_timeout(begin: Begin) -> None:
    limited = RetryPolicy(first_interval=10 * SECOND, max_attempts=9, timeout=25 * SECOND)

    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a", retry=limited)

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0), seconds=1)) == facts([timer(1, 11)])
    situation.turn(fired(1), seconds=11)
    situation.turn(refusal(2), seconds=16)
    assert situation.failure.cause == failure()
