"""Failures are data on their way, and exceptions at both ends (R4)."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import TaskFailedError

from .conftest import Begin
from .events import answer, completed, facts, failure, refusal, task
from .situation import Situation, registry_of


class BrokenTextError(Exception):
    def __str__(self) -> str:
        raise LookupError("no text")


class FinalError(Exception):
    retryable = False


async def careless(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("charge", 5)


def test_a_failure_nobody_catches_fails_the_instance(begin: Begin) -> None:
    situation = begin(careless)
    situation.start()
    situation.turn(refusal(0))
    assert situation.failure.type == "durable_ext.errors.TaskFailedError"
    assert situation.failure.message == "charge failed: OutOfStock: no stock"
    assert situation.failure.cause == failure()
    assert situation.failure.is_caused_by("OutOfStock")


def test_code_can_catch_it_and_look_at_it(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[object]:
        try:
            await ctx.call_activity("charge", 5)
        except TaskFailedError as error:
            found = error.failure
            return [error.task_name, found.type, found.message, found.is_caused_by("OutOfStock")]
        return []

    situation = begin(main)
    situation.start()
    expected = completed(["charge", "shop.OutOfStock", "no stock", True])
    assert facts(situation.turn(refusal(0))) == facts([expected])


def test_compensation(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        try:
            await ctx.call_activity("charge", 5)
        except TaskFailedError:
            await ctx.call_activity("refund", 5)
            raise

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0))) == facts([task(1, "refund", 5)])
    situation.turn(answer(1))
    assert situation.failure.cause == failure()


def test_gather_fails_with_the_first_and_keeps_the_rest_running(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            await asyncio.gather(ctx.call_activity("a"), ctx.call_activity("b"))
        except TaskFailedError as error:
            return error.task_name
        return "none"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(1))) == facts([completed("b")])


def test_gather_can_return_exceptions(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[str]:
        results = await asyncio.gather(ctx.call_activity("a"), ctx.call_activity("b"), return_exceptions=True)
        return [type(result).__name__ for result in results]

    situation = begin(main)
    situation.start()
    assert situation.turn(refusal(0)) == []
    assert facts(situation.turn(answer(1, "x"))) == facts([completed(["TaskFailedError", "str"])])


def test_a_chain_of_causes(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        try:
            await ctx.call_activity("charge")
        except TaskFailedError as error:
            raise RuntimeError("order not placed") from error

    situation = begin(main)
    situation.start()
    situation.turn(refusal(0))
    links = [situation.failure.type]
    link = situation.failure.cause
    while link is not None:
        links.append(link.type)
        link = link.cause
    assert links == ["RuntimeError", "durable_ext.errors.TaskFailedError", "shop.OutOfStock"]


@pytest.mark.parametrize(
    ("error", "text", "retryable"),
    [
        (BrokenTextError(), "the text of the exception cannot be had: its __str__ raised LookupError", True),
        (ValueError("\udc80.txt"), "\\udc80.txt", True),
        (SystemExit(3), "3", True),
        (FinalError("over"), "over", False),
        (asyncio.CancelledError("mine"), "the orchestrator was cancelled", True),
        (ExceptionGroup("several", [ValueError("one")]), "several (1 sub-exception)", True),
        (StopAsyncIteration("odd"), "odd", True),
    ],
)
def test_whatever_is_raised_becomes_a_failure(
    begin: Begin, error: BaseException, text: str, *, retryable: bool
) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        raise error

    situation = begin(main)
    situation.start()
    assert (situation.failure.message, situation.failure.retryable) == (text, retryable)


def test_a_failure_that_nobody_looks_at_does_no_harm(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        ctx.call_activity("a")
        return await ctx.call_activity("b")

    situation = begin(main)
    situation.start()
    assert situation.turn(refusal(0)) == []
    assert facts(situation.turn(answer(1, "fine"))) == facts([completed("fine")])


def test_the_keyboard_is_not_the_orchestrators() -> None:
    """Ctrl-C while code runs is meant for the process."""

    async def main(ctx: OrchestrationContext) -> None:
        raise KeyboardInterrupt

    situation = Situation(registry_of(main))
    with pytest.raises(KeyboardInterrupt):
        situation.start()
    situation.live.drop()
