"""`task_all` and `task_any` in `async def` orchestrators and in generators: one task in several, nested, raced, done
already, failed. Every situation is replayed from every prefix (see conftest)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError

from .conftest import Begin
from .events import SECOND, answer, cancelled, completed, facts, fired, raised, refusal, task, timer

Code = Generator[Any, Any, Any]


def test_all_in_async_code(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        return await ctx.task_all([ctx.call_activity("a", 1), ctx.call_activity("b", 2)])

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a", 1), task(1, "b", 2)])
    assert situation.turn(answer(1, "y")) == []
    assert facts(situation.turn(answer(0, "x"))) == facts([completed(["x", "y"])])


def test_all_of_nothing_and_of_a_generator_expression(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        assert await ctx.task_any([]) is None
        return [await ctx.task_all([]), await ctx.task_all(ctx.call_activity("a", n) for n in range(2))]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, 1), answer(1, 2))) == facts([completed([[], [1, 2]])])


def test_all_fails_with_the_first_and_the_others_go_on(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        calls = [ctx.call_activity(name) for name in "abc"]
        try:
            await ctx.task_all(calls)
        except TaskFailedError as error:
            return [error.task_name, calls[1].done(), await calls[1]]
        return []

    situation = begin(main)
    situation.start()
    assert situation.turn(refusal(2)) == []
    assert facts(situation.turn(answer(1, "late"))) == facts([completed(["c", False, "late"])])


def test_the_winner_of_a_race_is_the_very_task(begin: Begin) -> None:
    """The losers are cancelled: a timer no longer fires, a wait no longer eats its event."""

    async def main(ctx: OrchestrationContext) -> list[Any]:
        approval = ctx.wait_for_external_event("approval")
        refusal_ = ctx.wait_for_external_event("refusal")
        deadline = ctx.create_timer(60 * SECOND)
        winner = await ctx.task_any([approval, refusal_, deadline])
        for task_ in (approval, refusal_, deadline):
            if task_ is not winner:
                task_.cancel()
        name = "approval" if winner is approval else "refusal" if winner is refusal_ else "deadline"
        return [name, winner.result(), await ctx.wait_for_external_event("approval", timeout=SECOND, default="none")]

    situation = begin(main)
    assert facts(situation.start()) == facts([timer(0, 60)])
    assert facts(situation.turn(raised("refusal", "no"))) == facts([timer(1, 2)])
    assert not situation.live.wants_timer(0)
    assert facts(situation.turn(raised("approval", "late"))) == facts([completed(["refusal", "no", "late"])])

    late = begin(main)
    late.start()
    assert facts(late.turn(fired(0), seconds=60)) == facts([timer(1, 61)])
    assert facts(late.turn(fired(1), seconds=61)) == facts([completed(["deadline", None, "none"])])


def test_a_loser_that_is_an_activity_is_withdrawn(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        slow, quick = ctx.call_activity("slow"), ctx.call_activity("quick")
        winner = await ctx.task_any([slow, quick])
        slow.cancel()
        return await winner

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(1, "q"))) == facts([cancelled(0), completed("q")])


def test_any_of_what_is_done_already(begin: Begin) -> None:
    """The first in the list, at once; of those, failed ones too."""

    async def main(ctx: OrchestrationContext) -> list[Any]:
        a, b, c = (ctx.call_activity(name) for name in "abc")
        await b
        with pytest.raises(TaskFailedError):
            await a
        return [(await ctx.task_any([c, b, a])) is b, (await ctx.task_any([c, a, b])) is a, c.done()]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0), answer(1))) == facts([completed([True, True, False])])


def test_a_winner_that_failed_is_no_error_until_it_is_asked(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        winner = await ctx.task_any([ctx.call_activity("a"), ctx.call_activity("b")])
        try:
            await winner
        except TaskFailedError as error:
            return error.task_name
        return ""

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(1))) == facts([completed("b")])
    assert situation.logs == []


def test_one_task_in_several_composites(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        a, b, c = (ctx.call_activity(name) for name in "abc")
        both, other, either, twice = (
            ctx.task_all([a, b]),
            ctx.task_all([b, c]),
            ctx.task_any([a, b]),
            ctx.task_all([a, a]),
        )
        first = await either
        return [first is b, await twice, await both, await other, (await either) is first]

    situation = begin(main)
    situation.start()
    situation.turn(answer(1, "B"))
    assert situation.turn(answer(0, "A")) == []
    expected = [True, ["A", "A"], ["A", "B"], ["B", "C"], True]
    assert facts(situation.turn(answer(2, "C"))) == facts([completed(expected)])


def test_one_task_in_several_composites_of_a_generator(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        a, b = ctx.call_activity("a"), ctx.call_activity("b")
        both: Any = ctx.task_all([a, b, a])
        either: Any = ctx.task_any([a, b])
        first = yield either
        results = yield both
        again = yield either
        own: Any = a
        return [first is b, results, again is b, own.parent is either, both.children == [a, b, a]]

    situation = begin(main)
    situation.start()
    situation.turn(answer(1, "B"))
    expected = [True, ["A", "B", "A"], True, True, True]
    assert facts(situation.turn(answer(0, "A"))) == facts([completed(expected)])


def test_composites_of_composites(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        pairs = [ctx.task_any([ctx.call_activity("a"), ctx.call_activity("b")]) for _ in range(2)]
        deadline = ctx.create_timer(60 * SECOND)
        whole = ctx.task_all(pairs)
        winner = await ctx.task_any([whole, deadline])
        if winner is not whole:
            return ["late"]
        deadline.cancel()
        return [await task_ for task_ in whole.result()]

    situation = begin(main)
    situation.start()
    situation.turn(answer(1, "first"))
    assert facts(situation.turn(answer(2, "second"))) == facts([completed(["first", "second"])])

    late = begin(main)
    late.start()
    late.turn(answer(1, "first"))
    assert facts(late.turn(fired(4), seconds=60)) == facts([completed(["late"])])


def test_a_failure_deep_inside_comes_out(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> Code:
        inner = ctx.task_all([ctx.call_activity("a"), ctx.call_activity("b")])
        try:
            yield ctx.task_all([inner, ctx.call_activity("c")])
        except TaskFailedError as error:
            return [error.task_name, getattr(inner, "is_faulted")]  # noqa: B009 - typed as a future

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(1))) == facts([completed(["b", True])])


def test_with_what_asyncio_has(begin: Begin) -> None:
    """Composites, tasks and `asyncio.timeout` take one another."""

    async def part(ctx: OrchestrationContext, name: str) -> str:
        return str(await ctx.call_activity(name)) + "!"

    async def main(ctx: OrchestrationContext) -> list[Any]:
        own = asyncio.create_task(part(ctx, "a"))
        winner = await ctx.task_any([own, ctx.create_timer(60 * SECOND)])
        together = await asyncio.gather(ctx.task_all([own, part(ctx, "b")]), ctx.task_any([own]))
        try:
            async with asyncio.timeout(5):
                await ctx.task_any([ctx.wait_for_external_event("never")])
        except TimeoutError:
            return [winner is own, together[0], together[1] is own]
        return []

    situation = begin(main)
    situation.start()
    situation.turn(answer(1, "a"))
    situation.turn(answer(2, "b"))
    assert facts(situation.turn(fired(3), seconds=10)) == facts([completed([True, ["a!", "b!"], True])])


def test_cancelling_all_cancels_what_is_not_done(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[bool]:
        a, b = ctx.call_activity("a"), ctx.call_activity("b")
        whole = ctx.task_all([a, b])
        await a
        whole.cancel()
        try:
            await whole
        except asyncio.CancelledError:
            return [a.cancelled(), b.cancelled()]
        return []

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, 1))) == facts([cancelled(1), completed([False, True])])


def test_retried_calls_in_a_race(begin: Begin) -> None:
    policy = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=2)

    async def main(ctx: OrchestrationContext) -> list[Any]:
        calls = [ctx.call_activity(name, retry=policy) for name in "ab"]
        winner = await ctx.task_any(calls)
        return [calls.index(winner), await winner, await ctx.task_all(calls)]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(refusal(0))) == facts([timer(2, 2)])
    assert situation.turn(answer(1, "b")) == []
    assert facts(situation.turn(fired(2))) == facts([task(3, "a", attempt=2)])
    assert facts(situation.turn(answer(3, "a"))) == facts([completed([1, "b", ["a", "b"]])])


@pytest.mark.parametrize("wrong", [5, None, "a"])
def test_what_is_no_task(begin: Begin, wrong: Any) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.task_any([ctx.call_activity("a"), wrong])

    situation = begin(main)
    situation.start()
    expected = f"task_any takes a task of the context, not {type(wrong).__name__}"
    assert (situation.failure.type, situation.failure.message) == ("TypeError", expected)


def test_ids_of_tasks(begin: Begin) -> None:
    """The number of the call; of an event its name; composites have none."""
    policy = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=2)

    def main(ctx: OrchestrationContext) -> Code:
        tasks: list[Any] = [
            ctx.call_activity("a"),
            ctx.call_activity("b", retry=policy),
            ctx.wait_for_external_event("go"),
            ctx.wait_for_external_event("soon", timeout=SECOND),
            ctx.call_sub_orchestrator("c"),
            ctx.create_timer(SECOND),
            ctx.call_entity("@counter@x", "get"),
        ]
        whole: Any = ctx.task_all(tasks)
        yield tasks[0]
        return [*(one.id for one in tasks), whole.id]

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0)))[-1:] == facts([completed([0, 1, "go", "soon", 2, 3, 4, -1])])
