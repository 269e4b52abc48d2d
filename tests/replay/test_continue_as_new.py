"""Continue-as-new: the next execution, what goes with it and what does not."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.records.events import ContinuedAsNew
from durable_ext.replay.outbox import successor

from .conftest import Begin
from .events import (
    NOON,
    SECOND,
    answer,
    completed,
    continued,
    facts,
    fired,
    payload,
    raised,
    started,
    suspended,
    task,
    terminated,
)
from .situation import Situation, fresh, registry_of


async def on_event(ctx: OrchestrationContext) -> None:
    ctx.continue_as_new(await ctx.wait_for_external_event("go"))


def test_what_is_asked_for_afterwards_is_dropped(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        ctx.call_activity("before")
        ctx.continue_as_new(1)
        ctx.call_activity("after")
        ctx.set_custom_status("after")
        ctx.send_event("other", "after")
        return "ignored"

    assert facts(begin(main).start()) == facts([task(0, "before"), continued(1)])


def test_waiting_ends_the_execution_too(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.continue_as_new(1)
        await ctx.call_activity("never")

    assert facts(begin(main).start()) == facts([continued(1)])


def test_the_last_call_counts(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.continue_as_new(1)
        ctx.continue_as_new(2)

    assert facts(begin(main).start()) == facts([continued(2)])


def test_a_failure_afterwards_is_not_swallowed(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.continue_as_new(1)
        raise ValueError("too bad")

    situation = begin(main)
    situation.start()
    assert situation.failure.message == "too bad"


def test_events_nobody_waited_for_go_along(begin: Begin) -> None:
    situation = begin(on_event)
    situation.start(None, raised("other", 1), raised("later", 2), raised("other", 3))
    expected = continued("now", raised("other", 1), raised("other", 3), raised("later", 2))
    assert facts(situation.turn(raised("go", "now"))) == facts([expected])


def test_late_ones_of_the_same_batch_go_along(begin: Begin) -> None:
    situation = begin(on_event)
    situation.start(None, raised("other", 1))
    decided = situation.turn(raised("go", "now"), raised("go", "again"), answer(9), raised("other", 2))
    assert facts(decided) == facts([continued("now", raised("other", 1), raised("go", "again"), raised("other", 2))])


def test_events_can_be_left_behind(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")
        ctx.continue_as_new(keep_events=False)

    situation = begin(main)
    situation.start(None, raised("other", 1))
    assert facts(situation.turn(raised("go"))) == facts([continued(None)])


def test_commands_to_the_instance_that_come_too_late_go_along(begin: Begin) -> None:
    situation = begin(on_event)
    situation.start()
    decided = situation.turn(raised("go", 1), suspended(), terminated())
    assert facts(decided) == facts([continued(1, suspended(), terminated())])


def test_the_version_stays_or_changes(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext, version: str | None) -> None:
        ctx.continue_as_new(version=version)

    [kept], [changed] = begin(main).start(), begin(main).start("2")
    assert isinstance(kept, ContinuedAsNew)
    assert isinstance(changed, ContinuedAsNew)
    assert (kept.version, changed.version) == (None, "2")


def test_the_version_of_the_start_is_kept(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.continue_as_new(1)

    situation = begin(main)
    [ending] = situation.turn(msgspec.structs.replace(started(), version="1"))
    assert isinstance(ending, ContinuedAsNew)
    assert ending.version == "1"


def _follow(situation: Situation) -> Situation:
    """The next execution, after turn 0."""
    last = situation.turns[-1]
    ending = last.events[-1]
    assert isinstance(ending, ContinuedAsNew)
    execution, inputs = successor(last, started("first"), ending)
    following = Situation(situation.registry)
    following.live = fresh(situation.registry, execution)
    following.turn(*inputs)
    return following


def test_the_next_execution_gets_them_in_their_order() -> None:
    async def main(ctx: OrchestrationContext, round_: int) -> list[object]:
        if round_ == 1:
            await ctx.wait_for_external_event("go")
            ctx.continue_as_new(2)
        return [await ctx.wait_for_external_event("n") for _ in range(2)]

    situation = Situation(registry_of(main))
    situation.start(1, raised("n", 1))
    situation.turn(raised("go"), raised("n", 2))
    assert facts(_follow(situation).turns[0].events[3:]) == facts([completed([1, 2])])


def test_a_suspension_that_came_too_late_suspends_the_next() -> None:
    async def main(ctx: OrchestrationContext, round_: int | None) -> str:
        await ctx.wait_for_external_event("go")
        if not round_:
            ctx.continue_as_new(2)
        return "done"

    situation = Situation(registry_of(main))
    situation.start()
    situation.turn(raised("go"), suspended())
    following = _follow(situation)
    assert following.turn(raised("go")) == []


def test_the_successor_is_derived() -> None:
    situation = Situation(registry_of(on_event))
    situation.start()
    situation.turn(raised("go", 7), raised("x"))
    last = situation.turns[-1]
    ending = last.events[-1]
    assert isinstance(ending, ContinuedAsNew)
    execution, inputs = successor(last, started("first"), ending)
    assert (execution.instance_id, execution.generation) == ("order-1", 1)
    assert execution.execution_id == ending.execution_id != "e1"
    assert facts(inputs) == facts([msgspec.structs.replace(started(7), previous="e1"), raised("x")])
    assert successor(last, started("first"), ending)[0] == execution


@pytest.mark.parametrize("rounds", [1, 5])
def test_an_eternal_orchestration(rounds: int) -> None:
    async def main(ctx: OrchestrationContext, count: int) -> None:
        await asyncio.sleep(60)
        ctx.continue_as_new(count + 1)

    situation = Situation(registry_of(main))
    situation.start(0)
    for number in range(rounds):
        ending = situation.live.apply(fired(0), NOON + 61 * SECOND)[-1]
        assert isinstance(ending, ContinuedAsNew)
        assert ending.input.data == payload(number + 1).data
        execution, inputs = successor(situation.turns[-1], started(), ending)
        situation = Situation(situation.registry)
        situation.live = fresh(situation.registry, execution)
        situation.turn(*inputs)
