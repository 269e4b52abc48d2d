"""`except` by type in an orchestrator: activities, children, retries, gather (R4)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import ActivityOutcomeUnknownError, TaskFailedError
from durable_ext.records.failures import Failure, failure_from

from .conftest import Begin
from .events import answer, child_refusal, completed, facts, fired, refusal


class OutOfStockError(Exception):
    def __init__(self, sku: str) -> None:
        super().__init__(sku)
        self.properties = {"sku": sku}


STOCK = failure_from(OutOfStockError("a"))


def test_an_activity(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            await ctx.call_activity("charge", 5)
        except OutOfStockError as error:
            also = isinstance(error, TaskFailedError) and f"{error.failure.properties['sku']} {error.task_name}"
            return str(also)
        return "none"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0, STOCK))) == facts([completed("a charge")])


def test_a_child_that_let_it_through(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            await ctx.call_sub_orchestrator("child", 5)
        except OutOfStockError as error:
            return str(error)
        return "none"

    situation = begin(main)
    situation.start()
    passed_on = failure_from(TaskFailedError("charge", STOCK))
    text = "child failed: TaskFailedError: charge failed: OutOfStockError: a"
    assert facts(situation.turn(child_refusal(0, passed_on))) == facts([completed(text)])


def test_a_built_in_one_is_no_timeout_of_the_orchestrators_own(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            async with asyncio.timeout(60):
                await ctx.call_activity("charge", 5)
        except TimeoutError as error:
            return "theirs" if isinstance(error, TaskFailedError) else "ours"
        return "none"

    situation = begin(main)
    situation.start()
    timed_out = Failure(type="TimeoutError", message="no answer")
    assert facts(situation.turn(refusal(1, timed_out))) == facts([completed("theirs")])


def test_after_retries(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        seen: list[str] = []

        def wanted(failure: Failure) -> bool:
            seen.append(failure.properties["sku"])
            return failure.is_caused_by(OutOfStockError) and len(seen) < 2

        policy = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=5, retry_if=wanted)
        try:
            await ctx.call_activity("charge", 5, retry=policy)
        except OutOfStockError:
            return f"given up: {seen}"
        return "none"

    situation = begin(main)
    situation.start()
    situation.turn(refusal(0, STOCK), seconds=1)
    situation.turn(fired(1), seconds=2)
    assert facts(situation.turn(refusal(2, STOCK))) == facts([completed("given up: ['a', 'a']")])


def test_together(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[str]:
        calls = [ctx.call_activity("charge", number) for number in range(2)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        return [base.__name__ for result in results for base in (OutOfStockError, KeyError) if isinstance(result, base)]

    situation = begin(main)
    situation.start()
    found = situation.turn(refusal(0, STOCK), refusal(1, Failure(type="KeyError", message="'x'")))
    assert facts(found) == facts([completed(["OutOfStockError", "KeyError"])])


def test_in_a_task_group(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        found = "none"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_charge(ctx))
        except* OutOfStockError as errors:
            found = str(errors.exceptions[0])
        return found

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0, STOCK))) == facts([completed("charge failed: OutOfStockError: a")])


async def _charge(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("charge", 1)


def test_in_a_generator(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Generator[Any, Any, str]:
        try:
            yield ctx.call_activity("charge", 5)
        except OutOfStockError:
            return "caught"
        return "none"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0, STOCK))) == facts([completed("caught")])


def test_errors_of_the_engine(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            await ctx.call_activity("charge", 5)
        except ActivityOutcomeUnknownError:
            return "unknown"
        return "none"

    situation = begin(main)
    situation.start()
    unknown = failure_from(ActivityOutcomeUnknownError("it began before"))
    assert facts(situation.turn(refusal(0, unknown))) == facts([completed("unknown")])


def test_an_error_text_of_asyncio_is_no_foreign_future(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("charge", 5)

    situation = begin(main)
    situation.start()
    situation.turn(refusal(0, Failure(type="RuntimeError", message="it is attached to a different loop")))
    assert situation.failure.type == "durable_ext.errors.TaskFailedError"


def test_the_orchestrators_own_error_has_its_properties(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("charge", 5)
        raise OutOfStockError("b")

    situation = begin(main)
    situation.start()
    situation.turn(answer(0))
    assert situation.failure.properties == {"sku": "b"}
