"""Values under keys: recorded when they are set, read from memory, taken along when the execution starts over."""

from __future__ import annotations

from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import InvalidInputError, NonDeterminismError, PayloadError
from durable_ext.records.events import ContinuedAsNew, ExecutionStarted
from durable_ext.records.limits import MAX_VALUE_BYTES, MAX_VALUES
from durable_ext.records.value_events import ValueCleared, ValuesCleared, ValueSet
from durable_ext.replay.outbox import successor
from durable_ext.replay.turn import replay
from durable_ext.replay.values import values_of

from .conftest import Begin
from .events import answer, completed, facts, payload, raised, started, status, task
from .situation import Situation, fresh, registry_of, turn_of


def kept(situation: Situation) -> dict[str, Any]:
    return {key: value.value.data for key, value in values_of(situation.turns).items()}


def test_setting_is_a_decision_and_reading_is_none(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        ctx.set_value("a", 1)
        ctx.set_value("a", ctx.get_value("a", int, 0) + 1)
        return [ctx.get_value("a"), ctx.get_value("b"), ctx.get_value("b", str, "none"), ctx.values]

    decided = begin(main).start()
    assert decided[:2] == [ValueSet(key="a", value=payload(1)), ValueSet(key="a", value=payload(2))]
    assert facts(decided[2:]) == facts([completed([2, None, "none", {"a": 2}])])


def test_a_value_changes_turn_by_turn(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        for number in range(3):
            ctx.set_value("count", ctx.get_value("count", int, 0) + await ctx.call_activity("add", number))
        return ctx.get_value("count")

    situation = begin(main)
    situation.start()
    for number in range(3):
        situation.turn(answer(number, 10))
    assert facts([situation.end]) == facts([completed(30)])
    assert kept(situation) == {"count": b"30"}


def test_clearing(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        ctx.set_value("a", 1)
        ctx.set_value("b", 2)
        ctx.clear_value("a")
        ctx.clear_value("never there")
        seen = [ctx.values]
        ctx.clear_values()
        ctx.set_value("c", "")
        return [*seen, ctx.values]

    situation = begin(main)
    decided = situation.start()
    assert [type(event) for event in decided[2:5]] == [ValueCleared, ValueCleared, ValuesCleared]
    assert facts([situation.end]) == facts([completed([{"b": 2}, {"c": ""}])])
    assert kept(situation) == {"c": b'""'}


def test_what_was_set_long_ago_is_cleared(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        ctx.set_value("old", 1)
        ctx.set_value("set again", 1)
        await ctx.call_activity("a")
        ctx.set_value("set again", 2)
        ctx.clear_values(set_before=ctx.now)
        return ctx.values

    situation = begin(main)
    situation.start()
    assert situation.turn(answer(0))[1:2] == [ValueCleared(key="old")]
    assert kept(situation) == {"set again": b"2"}


async def again(ctx: OrchestrationContext, number: int) -> Any:
    ctx.set_custom_status(number)
    if number:
        return ctx.values
    ctx.set_value("a", 1)
    ctx.continue_as_new(1)
    ctx.set_value("too late", 1)
    ctx.set_custom_status("too late")
    return None


def test_the_next_execution_has_them(begin: Begin) -> None:
    situation = begin(again)
    situation.start(0)
    end, first = situation.end, situation.turns[0].events[0]
    assert isinstance(end, ContinuedAsNew)
    assert isinstance(first, ExecutionStarted)
    _, (start,) = successor(situation.turns[0], first, end)
    assert isinstance(start, ExecutionStarted)
    assert (set(start.values), start.status_changes) == ({"a"}, 1)
    following = begin(again)
    following.turn(start)
    assert facts([following.end]) == facts([completed({"a": 1})])
    assert kept(following) == {"a": b"1"}


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        (ValueSet(key="other", value=payload(1)), "ValueSet(a)"),
        (ValueCleared(key="a"), "ValueSet(a)"),
        (ValuesCleared(), "ValueSet(a)"),
        (task(0, "x"), "ValueSet(a)"),
    ],
)
def test_another_key_at_a_replay_is_found(recorded: Any, asked: str) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.set_value("a", 1)
        await ctx.wait_for_external_event("never")

    live = fresh(registry_of(main))
    with pytest.raises(NonDeterminismError, match="history has") as caught:
        replay(live, [turn_of(0, [started(), recorded])])
    assert f"the code asked for {asked}" in str(caught.value)
    live.drop()


def test_limits(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        ctx.set_value("long", "x" * (MAX_VALUE_BYTES - 2))
        for number in range(MAX_VALUES - 1):
            ctx.set_value(f"key {number}", number)
        ctx.set_value("long", "set again")
        with pytest.raises(InvalidInputError, match="one more than the 100"):
            ctx.set_value("too many", 1)
        with pytest.raises(InvalidInputError, match="16384 is the most"):
            ctx.set_value("long", "x" * (MAX_VALUE_BYTES - 1))
        with pytest.raises(InvalidInputError, match="key"):
            ctx.set_value("", 1)
        with pytest.raises(PayloadError):
            ctx.set_value("long", object())
        with pytest.raises(PayloadError):
            ctx.get_value("long", int)
        return str(ctx.get_value("long"))

    situation = begin(main)
    situation.start()
    assert facts([situation.end]) == facts([completed("set again")])


def test_a_value_of_another_instance_is_asked_for_once(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> Any:
        return await ctx.get_value_of("other", "a", int)

    situation = begin(main)
    (asked,) = situation.start()
    assert facts([asked]) == facts([task(0, "durable.read_value", {"instance_id": "other", "key": "a"})])
    situation.turn(answer(0, 7))
    assert facts([situation.end]) == facts([completed(7)])


def test_an_event_changes_nothing_that_is_kept(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.set_value("a", 1)
        await ctx.wait_for_external_event("go")

    situation = begin(main)
    situation.start()
    situation.turn(raised("other"))
    assert kept(situation) == {"a": b"1"}
    assert status(1) not in situation.turns[0].events
