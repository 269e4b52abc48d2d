"""Nobody wants the outcome any more: async code is cancelled, a thread is told, and no outcome is reported (S6)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from durable_ext.authoring.activity_context import ActivityContext

from .running import PATIENCE, Running, failure_of, registry_of, running, until, value_of


async def _cancelled(work: asyncio.Task[Any]) -> None:
    work.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([work])
    assert work.cancelled()


@pytest.mark.parametrize("seconds", [None, 600])
def test_async_code_is_cancelled_and_cleans_up(seconds: float | None) -> None:
    seen: list[str] = []

    async def do(ctx: ActivityContext) -> None:
        seen.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            # With a time limit it is a task of its own, and told before it is cancelled.
            assert ctx.is_cancelled or seconds is None
            seen.append("cleaned up")

    async def main() -> None:
        async with running(registry_of(do, seconds=seconds)) as found:
            work = asyncio.create_task(found.run("do"))
            await until(lambda: seen)
            await _cancelled(work)
            assert seen == ["begun", "cleaned up"]

    asyncio.run(main())


def _return_all_the_same() -> str:
    return "all the same"


def _raise_something_else() -> str:
    raise ValueError("something else")


@pytest.mark.parametrize("seconds", [None, 600])
@pytest.mark.parametrize("reaction", [_return_all_the_same, _raise_something_else])
def test_a_cancelled_activity_has_no_outcome(reaction: Callable[[], str], seconds: float | None) -> None:
    contexts: list[ActivityContext] = []

    async def do(ctx: ActivityContext) -> str:
        contexts.append(ctx)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return reaction()
        return "never"

    async def main() -> None:
        async with running(registry_of(do, seconds=seconds)) as found:
            work = asyncio.create_task(found.run("do"))
            await until(lambda: contexts)
            assert not contexts[0].is_cancelled
            await _cancelled(work)
            assert contexts[0].is_cancelled

    asyncio.run(main())


def test_a_cancellation_of_its_own_making_is_a_failure() -> None:
    async def do() -> None:
        raise asyncio.CancelledError("by itself")

    def in_a_thread() -> None:
        raise asyncio.CancelledError("by itself")

    async def main() -> None:
        for code in (do, in_a_thread):
            async with running(registry_of(code)) as found:
                assert failure_of(await found.run("do")).type == "asyncio.exceptions.CancelledError"

    asyncio.run(main())


class Threads:
    """An activity in a thread that waits until it is told, and then until it may end."""

    def __init__(self) -> None:
        self.begun: list[ActivityContext] = []
        self.told: list[bool] = []
        self.may_end = threading.Event()

    def do(self, ctx: ActivityContext) -> str:
        self.begun.append(ctx)
        self.told.append(ctx.wait_cancelled(PATIENCE))
        self.may_end.wait(PATIENCE)
        return "stopped"


def test_a_thread_is_told_while_it_runs() -> None:
    async def main() -> None:
        threads = Threads()
        async with running(registry_of(threads.do)) as found:
            work = asyncio.create_task(found.run("do"))
            await until(lambda: threads.begun)
            assert not threads.begun[0].is_cancelled
            await _cancelled(work)
            assert threads.begun[0].is_cancelled
            await until(lambda: threads.told == [True])
            threads.may_end.set()

    asyncio.run(main())


def test_a_thread_keeps_its_slot_until_it_ends() -> None:
    async def main() -> None:
        threads = Threads()
        async with running(registry_of(threads.do), slots=2) as found:
            first, second = (asyncio.create_task(found.run("do")) for _ in range(2))
            await until(lambda: len(threads.begun) == 2)
            await _cancelled(first)
            await _cancelled(second)
            assert not found.runner.admits("do", "auto")
            third = asyncio.create_task(found.run("do"))
            await until(lambda: threads.told == [True, True])
            assert len(threads.begun) == 2, "both slots are taken"
            threads.may_end.set()
            await until(lambda: len(threads.begun) == 3)
            await _cancelled(third)
            await _until_free(found, 2)

    asyncio.run(main())


async def _until_free(found: Running, slots: int) -> None:
    """As many may begin at once again, and not one more waits."""
    both: list[Any] = []

    async def meet() -> None:
        both.append(None)
        await until(lambda: len(both) == slots)

    found.runner._registry.add_activity(meet)  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*[found.run("meet") for _ in range(slots)])


def test_one_that_waits_for_a_slot_leaves_no_trace() -> None:
    async def main() -> None:
        end = asyncio.Event()
        ran: list[int] = []

        async def do(number: int) -> None:
            ran.append(number)
            await end.wait()

        async with running(registry_of(do), slots=1) as found:
            first = asyncio.create_task(found.run("do", 1))
            waits = asyncio.create_task(found.run("do", 2))
            await until(lambda: ran)
            await _cancelled(waits)
            end.set()
            assert value_of(await first) is None
            assert found.runner.admits("other", "auto")
            end.clear()
            third = asyncio.create_task(found.run("do", 3))
            await until(lambda: ran == [1, 3])
            assert found.runner.admits("do", "auto"), "it is known to be short"
            end.set()
            assert value_of(await third) is None

    asyncio.run(main())


def test_what_is_not_cancelled_is_not_told() -> None:
    async def main() -> None:
        contexts: list[ActivityContext] = []

        def do(ctx: ActivityContext) -> bool:
            contexts.append(ctx)
            return ctx.wait_cancelled(0)

        async with running(registry_of(do)) as found:
            assert value_of(await found.run("do")) is False
            assert not contexts[0].is_cancelled

    asyncio.run(main())


def test_a_context_that_a_test_makes() -> None:
    bare = ActivityContext("i", "e", 1)
    assert not bare.is_cancelled
    assert not bare.wait_cancelled(PATIENCE)
    stop = threading.Event()
    told = ActivityContext("i", "e", 1, cancelled=stop)
    assert not told.is_cancelled
    stop.set()
    assert told.is_cancelled
    assert told.wait_cancelled(PATIENCE)


def test_what_is_cancelled_early_teaches_nothing_short() -> None:
    """A long activity that keeps losing its race is not taken for a short one, which would be kept here (S3)."""

    async def main() -> None:
        go_on = asyncio.Event()

        async def do() -> None:
            await go_on.wait()

        async with running(registry_of(do)) as found:
            found.runner._durations["do"] = 60  # pyright: ignore[reportPrivateUsage]
            for _ in range(50):
                work = asyncio.create_task(found.run("do"))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await _cancelled(work)
            assert not found.runner.admits("do", "auto")

    asyncio.run(main())
