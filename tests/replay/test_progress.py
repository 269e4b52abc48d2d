"""Answers come, one after the other or together, and the code goes on."""

from __future__ import annotations

import asyncio

from durable_ext.authoring.context import OrchestrationContext

from .conftest import Begin
from .events import NOON, SECOND, answer, child, child_answer, completed, facts, fired, raised, task, timer


async def double(value: int) -> int:
    return value * 2


async def one_after_the_other(ctx: OrchestrationContext, first: int) -> int:
    second = await ctx.call_activity(double, first)
    return await ctx.call_activity(double, second)


def test_two_activities(begin: Begin) -> None:
    situation = begin(one_after_the_other, double)
    assert facts(situation.start(1)) == facts([task(0, "double", 1)])
    assert facts(situation.turn(answer(0, 2))) == facts([task(1, "double", 2)])
    assert facts(situation.turn(answer(1, 4))) == facts([completed(4)])


def test_identical_calls_get_their_own_answers(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[int]:
        return list(await asyncio.gather(ctx.call_activity(double, 1), ctx.call_activity(double, 1)))

    situation = begin(main, double)
    situation.start()
    assert situation.turn(answer(1, 20)) == []
    assert facts(situation.turn(answer(0, 10))) == facts([completed([10, 20])])


def test_many_activities(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> int:
        total = 0
        for number in range(10):
            total += await ctx.call_activity(double, number)
        return total

    situation = begin(main, double)
    situation.start()
    for number in range(9):
        assert facts(situation.turn(answer(number, number * 2))) == facts([task(number + 1, "double", number + 1)])
    assert facts(situation.turn(answer(9, 18))) == facts([completed(90)])


def test_answers_of_one_batch_are_taken_one_by_one(begin: Begin) -> None:
    """Each decision stands right behind the input it follows from."""

    async def each(ctx: OrchestrationContext, number: int) -> None:
        got = await ctx.call_activity(double, number)
        await ctx.call_activity("store", got)

    async def main(ctx: OrchestrationContext) -> None:
        await asyncio.gather(each(ctx, 1), each(ctx, 2))

    situation = begin(main, double)
    situation.start()
    situation.turn(answer(1, 4), answer(0, 2))
    assert facts(list(situation.turns[-1].events)) == facts(
        [answer(1, 4), task(2, "store", 4), answer(0, 2), task(3, "store", 2)]
    )


def test_an_activity_then_a_timer_then_an_event_then_a_child(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        await ctx.call_activity("a")
        await ctx.create_timer(10 * SECOND)
        name = await ctx.wait_for_external_event("who", str)
        return await ctx.call_sub_orchestrator("greet", name)

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a")])
    assert facts(situation.turn(answer(0))) == facts([timer(1, 11)])
    assert situation.turn(fired(1), seconds=11) == []
    assert facts(situation.turn(raised("who", "Ada"), seconds=12)) == facts([child(2, "greet", "Ada")])
    assert facts(situation.turn(child_answer(2, "hello Ada"), seconds=13)) == facts([completed("hello Ada")])


def test_an_answer_is_decoded_to_what_the_activity_returns(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        return type(await ctx.call_activity(tags_of, "x")).__name__

    async def tags_of(_: str) -> set[str]:
        return set()

    situation = begin(main, tags_of)
    situation.start()
    assert facts(situation.turn(answer(0, ["a"]))) == facts([completed("set")])


def test_an_answer_that_does_not_fit_is_the_callers_error(begin: Begin) -> None:
    situation = begin(one_after_the_other, double)
    situation.start(1)
    situation.turn(answer(0, "two"))
    assert situation.failure.type == "durable_ext.errors.PayloadError"


def test_a_named_activity_is_decoded_as_asked(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        return type(await ctx.call_activity("elsewhere", result_type=tuple[int, ...])).__name__

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(0, [1]))) == facts([completed("tuple")])


def test_an_answer_for_nothing_that_was_asked_is_ignored(begin: Begin) -> None:
    situation = begin(one_after_the_other, double)
    situation.start(1)
    assert situation.turn(answer(999, 5)) == []
    assert facts(situation.turn(answer(0, 2))) == facts([task(1, "double", 2)])


def test_a_second_answer_changes_nothing(begin: Begin) -> None:
    situation = begin(one_after_the_other, double)
    situation.start(1)
    assert facts(situation.turn(answer(0, 2), answer(0, 99))) == facts([task(1, "double", 2)])


def test_options_of_a_call_are_recorded(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity(double, 1, placement="queue", tags={"team": "a"})

    [decision] = facts(begin(main, double).start())
    assert decision["placement"] == "queue"
    assert decision["tags"] == {"team": "a"}


def test_the_loop_that_runs_the_worker_is_not_disturbed(begin: Begin) -> None:
    situation = begin(one_after_the_other, double)

    async def worker() -> None:
        outside = asyncio.current_task()
        situation.start(1)
        situation.turn(answer(0, 2))
        assert asyncio.current_task() is outside
        await asyncio.wait_for(asyncio.sleep(0), 1)
        assert facts(situation.turn(answer(1, 4))) == facts([completed(4)])

    asyncio.run(worker())
    assert situation.turns[0].time == NOON
