"""An activity that takes longer than its time limit has failed, whatever its code makes of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.errors import ActivityTimedOutError
from durable_ext.testing import virtual_time

from .running import PATIENCE, failure_of, pass_time, registry_of, running, until, value_of

FOREVER = 10**6


def in_virtual_time(test: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(lambda _clock: test)


def elapsed() -> float:
    return asyncio.get_running_loop().time()


# Async ones.


def test_async_code_is_cancelled_at_the_limit() -> None:
    seen: list[Any] = []

    async def do(ctx: ActivityContext) -> None:
        try:
            await pass_time(FOREVER)
        except asyncio.CancelledError:
            seen.append((elapsed(), ctx.is_cancelled))
            raise
        finally:
            await pass_time(2)
            seen.append("cleaned up")

    async def main() -> None:
        async with running(registry_of(do, seconds=60)) as found:
            failure = failure_of(await found.run("do"))
            assert failure.is_caused_by(ActivityTimedOutError)
            assert failure.retryable
            assert "'do' took longer than its time limit of 0:01:00" in failure.message
            assert 62 <= elapsed() < 63, "its cleanup was waited for"

    in_virtual_time(main())
    assert seen == [(pytest.approx(60, abs=0.1), True), "cleaned up"]


async def _returns() -> str:
    try:
        await pass_time(FOREVER)
    except asyncio.CancelledError:
        return "all the same"
    return "in time"


async def _raises() -> str:
    try:
        await pass_time(FOREVER)
    except asyncio.CancelledError as error:
        raise ValueError("something else") from error
    return "in time"


async def _exits() -> str:
    try:
        await pass_time(FOREVER)
    finally:
        raise SystemExit(3)


@pytest.mark.parametrize("code", [_returns, _raises, _exits])
def test_whatever_it_makes_of_its_cancellation_it_has_timed_out(code: Any) -> None:
    async def main() -> None:
        async with running(registry_of(code, seconds=60)) as found:
            assert failure_of(await found.run("do")).is_caused_by(ActivityTimedOutError)

    in_virtual_time(main())


def test_code_that_goes_on_is_not_waited_for_and_keeps_its_slot(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        end = asyncio.Event()

        async def stubborn() -> None:
            while not end.is_set():
                try:
                    await end.wait()
                except asyncio.CancelledError:
                    continue

        async with running(registry_of(stubborn, seconds=60), slots=1) as found:
            with caplog.at_level(logging.WARNING, "durable_ext.activities"):
                assert failure_of(await found.run("do")).is_caused_by(ActivityTimedOutError)
            assert elapsed() < 70
            assert not found.runner.admits("do", "auto"), "its slot is still taken"
            again = asyncio.create_task(found.run("do"))
            await pass_time(600)
            assert not again.done()
            end.set()
            assert value_of(await again) is None
            assert found.runner.admits("other", "auto")

    in_virtual_time(main())
    (record,) = caplog.records
    assert "do was cancelled and goes on all the same" in record.getMessage()


def test_what_ends_in_time_has_its_own_outcome() -> None:
    async def do(seconds: int) -> int:
        await pass_time(seconds)
        if seconds == 5:
            raise ValueError("five")
        return seconds

    async def main() -> None:
        async with running(registry_of(do, seconds=60)) as found:
            assert value_of(await found.run("do", 59)) == 59
            assert failure_of(await found.run("do", 5)).type == "ValueError"

    in_virtual_time(main())


def test_an_end_of_its_own_making_is_no_end_of_time() -> None:
    async def cancels_itself() -> None:
        raise asyncio.CancelledError("by itself")

    async def exits() -> None:
        raise SystemExit(3)

    async def main() -> None:
        for code, kind in ((cancels_itself, "asyncio.exceptions.CancelledError"), (exits, "SystemExit")):
            async with running(registry_of(code, seconds=60)) as found:
                assert failure_of(await found.run("do")).type == kind

    in_virtual_time(main())


def test_waiting_for_a_slot_does_not_count() -> None:
    async def do() -> float:
        await pass_time(50)
        return elapsed()

    async def main() -> None:
        async with running(registry_of(do, seconds=60), slots=1) as found:
            outcomes = await asyncio.gather(*[found.run("do") for _ in range(3)])
            assert [round(value_of(outcome)) for outcome in outcomes] == [50, 100, 150]

    in_virtual_time(main())


def test_one_that_runs_at_most_once_is_not_tried_again_by_a_policy() -> None:
    """It may have had its effect."""

    async def do() -> None:
        await pass_time(FOREVER)

    async def main() -> None:
        async with running(registry_of(do, seconds=60, at_most_once=True, after_fault=do)) as found:
            for _ in range(2):
                failure = failure_of(await found.run("do"))
                assert failure.is_caused_by(ActivityTimedOutError)
                assert not failure.retryable
            assert elapsed() < 130, "after_fault has the same limit"

    in_virtual_time(main())


# In threads. The limit is real time, so it is short; what they wait for comes, or the test fails by its patience.


def test_a_thread_is_told_and_its_outcome_is_known_at_once() -> None:
    end = threading.Event()
    told: list[bool] = []

    def do(ctx: ActivityContext) -> str:
        told.append(ctx.wait_cancelled(PATIENCE))
        end.wait(PATIENCE)
        return "too late"

    async def main() -> None:
        async with running(registry_of(do, seconds=0.02), slots=1) as found:
            failure = failure_of(await found.run("do"))
            assert failure.is_caused_by(ActivityTimedOutError)
            assert not end.is_set(), "the thread still runs"
            assert not found.runner.admits("do", "auto"), "its slot is still taken"
            again = asyncio.create_task(found.run("do"))
            await until(lambda: told == [True])
            assert not again.done()
            end.set()
            assert failure_of(await again).is_caused_by(ActivityTimedOutError)
            await until(lambda: found.runner.admits("other", "auto"))

    asyncio.run(main())
    assert told == [True, True]


def test_a_thread_that_ends_in_time() -> None:
    def do(ctx: ActivityContext, text: str) -> str:
        assert not ctx.wait_cancelled(0)
        if text == "fail":
            raise ValueError(text)
        return text

    async def main() -> None:
        async with running(registry_of(do, seconds=PATIENCE)) as found:
            assert value_of(await found.run("do", "ok")) == "ok"
            assert failure_of(await found.run("do", "fail")).type == "ValueError"

    asyncio.run(main())
