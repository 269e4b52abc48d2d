"""Time of an orchestrator is the turn's time; asyncio's own ways to wait are durable timers (R2)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from durable_ext.authoring.context import OrchestrationContext

from .conftest import Begin
from .events import SECOND, answer, at, cancelled, completed, facts, fired, task, timer


def test_sleep(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        await asyncio.sleep(90)
        return ctx.now.isoformat()

    situation = begin(main)
    assert facts(situation.start()) == facts([timer(0, 90)])
    assert facts(situation.turn(fired(0), seconds=91)) == facts([completed(at(91).isoformat())])


def test_sleep_of_no_time_makes_no_timer(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(-1)
        return "done"

    assert facts(begin(main).start()) == facts([completed("done")])


def test_a_callback_that_is_due_makes_no_timer(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        rung = asyncio.Event()
        asyncio.get_running_loop().call_later(0, rung.set)
        await rung.wait()
        return "rung"

    assert facts(begin(main).start()) == facts([completed("rung")])


def test_timeout_that_is_met(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        async with asyncio.timeout(60):
            got = await ctx.call_activity("a")
        await ctx.call_activity("b")
        return got

    situation = begin(main)
    assert facts(situation.start()) == facts([timer(0, 60), task(1, "a")])
    assert situation.live.wants_timer(0)
    assert facts(situation.turn(answer(1, "in time"))) == facts([task(2, "b")])
    assert not situation.live.wants_timer(0)
    assert situation.turn(fired(0), seconds=60) == []
    assert facts(situation.turn(answer(2), seconds=61)) == facts([completed("in time")])


def test_timeout_that_is_not_met(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            async with asyncio.timeout(60):
                return await ctx.call_activity("a")
        except TimeoutError:
            return "gave up"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(fired(0), seconds=60)) == facts([cancelled(1), completed("gave up")])


def test_an_answer_after_the_timeout_changes_nothing(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            async with asyncio.timeout(60):
                return await ctx.call_activity("a")
        except TimeoutError:
            return await ctx.call_activity("apologise")

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(fired(0), seconds=60)) == facts([cancelled(1), task(2, "apologise")])
    assert situation.turn(answer(1, "late"), seconds=61) == []
    assert facts(situation.turn(answer(2, "sorry"), seconds=62)) == facts([completed("sorry")])


def test_wait_for(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        first = await asyncio.wait_for(ctx.call_activity("a"), 10)
        try:
            await asyncio.wait_for(ctx.call_activity("b"), 10)
        except TimeoutError:
            return f"{first}, then nothing"
        return "both"

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a"), timer(1, 10)])
    assert facts(situation.turn(answer(0, "one"))) == facts([task(2, "b"), timer(3, 11)])
    assert facts(situation.turn(fired(3), seconds=11)) == facts([cancelled(2), completed("one, then nothing")])


def test_a_timer_for_a_time(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext, hour: int) -> None:
        await ctx.create_timer(datetime(2030, 1, 1, hour, tzinfo=timezone(timedelta(hours=1))))

    [decision] = begin(main).start(14)
    assert facts([decision]) == facts([timer(0, 3600)])


def test_a_time_without_zone_is_utc(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.create_timer(datetime(2030, 1, 1, 13))  # noqa: DTZ001

    assert facts(begin(main).start()) == facts([timer(0, 3600)])


def test_a_timer_of_ninety_days(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.create_timer(timedelta(days=90))

    assert facts(begin(main).start()) == facts([timer(0, 90 * 86400)])


def test_a_timer_that_is_cancelled_is_no_longer_wanted(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        reminder = ctx.create_timer(60 * SECOND)
        answered = asyncio.ensure_future(ctx.call_activity("a"))
        await asyncio.wait([reminder, answered], return_when=asyncio.FIRST_COMPLETED)
        reminder.cancel()
        await ctx.call_activity("b")
        return answered.result()

    situation = begin(main)
    assert facts(situation.start()) == facts([timer(0, 60), task(1, "a")])
    assert situation.live.wants_timer(0)
    situation.turn(answer(1, "first"))
    assert not situation.live.wants_timer(0)
    situation.turn(fired(0), seconds=60)
    assert facts(situation.turn(answer(2), seconds=61)) == facts([completed("first")])


def test_a_timer_that_nobody_has_made_is_not_wanted(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")

    situation = begin(main)
    situation.start()
    assert not situation.live.wants_timer(7)


def test_a_timer_that_has_fired_is_not_wanted_again(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await asyncio.sleep(1)
        await ctx.create_timer(SECOND)
        await ctx.call_activity("a")

    situation = begin(main)
    situation.start()
    situation.turn(fired(0))
    situation.turn(fired(1))
    assert not situation.live.wants_timer(0)
    assert not situation.live.wants_timer(1)


def test_a_timeout_that_is_moved_makes_a_new_timer(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        async with asyncio.timeout(10) as limit:
            await ctx.call_activity("a")
            limit.reschedule(asyncio.get_running_loop().time() + 100)
            return await ctx.call_activity("b")

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(answer(1))) == facts([timer(2, 101), task(3, "b")])
    assert not situation.live.wants_timer(0)
    assert situation.live.wants_timer(2)
    situation.turn(answer(3, "ok"))


@pytest.mark.parametrize("micros", [0, 1, 123457, 999999])
def test_times_are_exact_to_the_microsecond(begin: Begin, micros: int) -> None:
    async def main(ctx: OrchestrationContext, pause: float) -> str:
        await asyncio.sleep(pause)
        return ""

    decision = facts(begin(main).start(1 + micros / 1e6))[0]
    due = datetime(2030, 1, 1, 12, 0, 1, micros, tzinfo=UTC)
    assert datetime.fromisoformat(decision["fireAt"]) == due
