"""While an instance is suspended its inputs are recorded and kept back; resuming hands them over in their order."""

from __future__ import annotations

import asyncio

from durable_ext.authoring.context import OrchestrationContext

from .conftest import Begin
from .events import answer, completed, continued, facts, raised, resumed, started, suspended, task


async def two_calls(ctx: OrchestrationContext) -> list[object]:
    first = await ctx.call_activity("a")
    return [first, await ctx.call_activity("b")]


def test_an_answer_waits_for_the_resume(begin: Begin) -> None:
    situation = begin(two_calls)
    situation.start()
    assert situation.turn(suspended()) == []
    assert situation.turn(answer(0, 1)) == []
    assert facts(situation.turn(resumed())) == facts([task(1, "b")])
    assert facts(situation.turn(answer(1, 2))) == facts([completed([1, 2])])


def test_all_of_it_in_one_batch(begin: Begin) -> None:
    situation = begin(two_calls)
    situation.start()
    assert facts(situation.turn(suspended(), answer(0, 1), resumed())) == facts([task(1, "b")])


def test_events_keep_their_order(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[object]:
        return [await ctx.wait_for_external_event("n") for _ in range(3)]

    situation = begin(main)
    situation.start()
    situation.turn(raised("n", 1), suspended(), raised("n", 2))
    situation.turn(raised("n", 3))
    assert facts(situation.turn(resumed())) == facts([completed([1, 2, 3])])


def test_twice_is_as_once(begin: Begin) -> None:
    situation = begin(two_calls)
    situation.start()
    situation.turn(suspended(), answer(0, 1), suspended())
    situation.turn(suspended())
    assert facts(situation.turn(resumed(), resumed())) == facts([task(1, "b")])


def test_resuming_what_runs_changes_nothing(begin: Begin) -> None:
    situation = begin(two_calls)
    situation.start()
    assert situation.turn(resumed()) == []
    assert facts(situation.turn(answer(0, 1))) == facts([task(1, "b")])


def test_suspended_before_it_started(begin: Begin) -> None:
    situation = begin(two_calls)
    assert situation.turn(suspended(), started()) == []
    assert facts(situation.turn(resumed())) == facts([task(0, "a")])


def test_suspended_again_after_a_resume(begin: Begin) -> None:
    situation = begin(two_calls)
    situation.start()
    situation.turn(suspended(), answer(0, 1))
    assert facts(situation.turn(resumed(), suspended(), answer(1, 2))) == facts([task(1, "b")])
    assert facts(situation.turn(resumed())) == facts([completed([1, 2])])


def test_the_end_comes_while_kept_inputs_are_handed_over(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        await asyncio.wait([ctx.call_activity("a"), ctx.call_activity("b")], return_when=asyncio.FIRST_COMPLETED)
        return "one was enough"

    situation = begin(main)
    situation.start()
    situation.turn(suspended(), answer(1), answer(0))
    assert facts(situation.turn(resumed())) == facts([completed("one was enough")])


def test_kept_events_go_along_when_it_continues_as_new(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.continue_as_new(await ctx.wait_for_external_event("n"))

    situation = begin(main)
    situation.start()
    situation.turn(suspended(), raised("n", 1), raised("n", 2), raised("other", 3))
    assert facts(situation.turn(resumed())) == facts([continued(1, raised("n", 2), raised("other", 3))])
