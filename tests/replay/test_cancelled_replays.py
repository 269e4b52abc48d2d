"""Cancellations at a replay: what history has and the code does not, and the other way round; and mixtures of all."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import NonDeterminismError
from durable_ext.records.events import Event, Input, TaskScheduled, TimerCreated
from durable_ext.replay.turn import replay, run_turn

from .conftest import Begin
from .events import answer, at, cancelled, completed, facts, fired, raised, refusal, started, task, timer
from .situation import fresh, registry_of, turn_of

TWICE = RetryPolicy(first_interval=timedelta(seconds=5), max_attempts=2)


def test_it_is_passed_over_also_when_the_code_only_waits_then() -> None:
    async def main(ctx: OrchestrationContext) -> None:
        wanted = ctx.call_activity("slow")
        await asyncio.sleep(10)
        wanted.cancel()
        await ctx.wait_for_external_event("go")

    old = [
        turn_of(0, [started(), task(0, "slow"), timer(1, 10)]),
        turn_of(1, [fired(1), raised("other")], seconds=10),
        turn_of(2, [raised("other")], seconds=11),
    ]
    live = fresh(registry_of(main))
    replay(live, old)
    assert facts(run_turn(live, [raised("go")], at(12)).events)[1:] == facts([completed()])


@pytest.mark.parametrize(
    ("recorded", "told"),
    [
        ([cancelled(0), cancelled(1), task(3, "next")], None),
        ([cancelled(1), task(3, "next")], None),
        ([task(3, "next")], None),
        (
            [cancelled(1), cancelled(0), task(3, "next")],
            r"event 2: history has TaskCancelled\(0\), .* TaskScheduled\(3",
        ),
        (
            [cancelled(2), task(3, "next")],
            r"event 1: history has TaskCancelled\(2\), the code .* TaskScheduled\(3, next\)",
        ),
        (
            [cancelled(0), task(3, "next"), cancelled(1)],
            r"event 3: history has TaskCancelled\(1\), the code .* nothing",
        ),
        (
            [cancelled(0), cancelled(1)],
            r"event 3: history has nothing at this point, the code .* TaskScheduled\(3, next\)",
        ),
    ],
)
def test_a_cancellation_the_code_does_not_ask_for(recorded: list[Event], told: str | None) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        calls = [ctx.call_activity("a"), ctx.call_activity("b")]
        await asyncio.sleep(10)
        for call in calls:
            call.cancel()
        await ctx.call_activity("next")

    first = [started(), task(0, "a"), task(1, "b"), timer(2, 10)]
    turns = [turn_of(0, first), turn_of(1, [fired(2), *recorded], seconds=10)]
    live = fresh(registry_of(main))
    if told is None:
        replay(live, turns)
    else:
        with pytest.raises(NonDeterminismError, match=told):
            replay(live, turns)
    live.drop()


async def juggle(ctx: OrchestrationContext) -> list[Any]:
    """Whatever comes, it asks for more, cancels some and goes on: by the dice of its execution."""
    under_way: list[asyncio.Future[Any]] = []
    seen: list[Any] = []
    while len(seen) < 12:
        for _ in range(ctx.random.randint(0, 3)):
            retry = TWICE if ctx.random.random() < 0.3 else None
            under_way.append(ctx.call_activity("do", ctx.random.random(), retry=retry))
        ctx.random.shuffle(under_way)
        for _ in range(ctx.random.randint(0, len(under_way) // 2)):
            under_way.pop().cancel()
        done, _ = await asyncio.wait(
            [*under_way, ctx.wait_for_external_event("go on")],
            timeout=ctx.random.choice([None, 3]),
            return_when=asyncio.FIRST_COMPLETED,
        )
        seen.append(sorted(str(one.exception() or one.result()) for one in done))
        under_way = [one for one in under_way if one not in done]
    return seen


@pytest.mark.parametrize("number", range(20))
def test_mixtures(begin: Begin, number: int) -> None:
    """Answers, refusals and timers in any order: the end of the test replays it all, from every cut."""
    dice = random.Random(number)  # noqa: S311 - has to be predictable
    situation = begin(juggle)
    asked: list[Event] = situation.start()
    for _ in range(100):
        if situation.live.finished:
            break
        inputs = [_outcome(event, dice) for event in dice.sample(asked, min(len(asked), dice.randint(0, 3)))]
        asked += situation.turn(*(one for one in inputs if one is not None), *[raised("go on")] * dice.randint(0, 1))
    assert situation.live.finished


def _outcome(event: Event, dice: random.Random) -> Input | None:
    match event:
        case TaskScheduled():
            return dice.choice([answer(event.id, "ok"), refusal(event.id)])
        case TimerCreated():
            return fired(event.id)
        case _:
            return None
