"""The version an execution is pinned to: which function runs it, first and at every replay, and what it hands on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import NonDeterminismError
from durable_ext.records.events import ChildScheduled, ContinuedAsNew, ExecutionStarted, TaskScheduled
from durable_ext.replay.outbox import successor
from durable_ext.replay.turn import replay

from .events import answer, completed, facts, started
from .situation import Situation, fresh


async def old(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("old", ctx.version)


async def new(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("new", ctx.version)


def app(*, default: str | None = None) -> Registry:
    registry = Registry(default_version=default)
    registry.add_orchestrator(old, "main", version="1.0")
    registry.add_orchestrator(new, "main", version="2.0")
    return registry


def begun(registry: Registry, version: str | None) -> Situation:
    situation = Situation(registry)
    situation.turn(msgspec.structs.replace(started(None), version=version))
    return situation


@pytest.mark.parametrize(("version", "activity"), [("1.0", "old"), ("2.0", "new")])
def test_the_function_of_the_version_runs(version: str, activity: str) -> None:
    situation = begun(app(), version)
    assert [event.name for event in situation.turns[0].events if isinstance(event, TaskScheduled)] == [activity]
    assert facts(situation.turn(answer(0, "done"))) == facts([completed("done")])
    situation.verify()


def test_a_default_that_changes_changes_nothing_that_runs() -> None:
    situation = begun(app(default="1.0"), "1.0")
    replay(live := fresh(app(default="2.0")), situation.turns)
    live.drop()


def test_a_version_whose_function_is_gone_is_unharmed() -> None:
    situation = begun(app(), "1.0")
    gone = Registry()
    gone.add_orchestrator(new, "main", version="2.0")
    with pytest.raises(NonDeterminismError, match="ExecutionFailed"):
        replay(fresh(gone), situation.turns)


@pytest.mark.parametrize("version", ["3.0", None])
def test_no_function_for_the_version(version: str | None) -> None:
    situation = begun(app(), version)
    assert situation.failure.type.endswith("VersionMismatchError")
    assert "registered versions: 2.0, 1.0" in situation.failure.message


@pytest.mark.parametrize(("asked", "following"), [(None, "1.0"), ("2.0", "2.0")])
def test_continue_as_new_keeps_the_version_unless_told(asked: str | None, following: str) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.continue_as_new(version=asked)

    registry = Registry(default_version="9.0")
    registry.add_orchestrator(main)
    situation = begun(registry, "1.0")
    ending, first = situation.end, situation.turns[0].events[0]
    assert isinstance(ending, ContinuedAsNew)
    assert isinstance(first, ExecutionStarted)
    _, (start, *_) = successor(situation.turns[0], first, ending)
    assert start == msgspec.structs.replace(first, version=following, input=ending.input, previous="e1")


def test_children_get_the_default_their_own_or_what_is_asked_for() -> None:
    async def main(ctx: OrchestrationContext) -> None:
        calls = [
            ctx.call_sub_orchestrator("ship"),
            ctx.call_sub_orchestrator("ship", version="1.0"),
            ctx.call_sub_orchestrator("ship", version=""),
            ctx.call_sub_orchestrator(new),
        ]
        ctx.start_new_orchestration("ship")
        ctx.start_new_orchestration(old)
        for call in calls:
            await call

    registry = Registry(default_version="7")
    registry.add_orchestrator(main, "main")
    registry.add_orchestrator(new, "ship", version="2.0")
    registry.add_orchestrator(old, "ship", version="1.0")
    situation = begun(registry, None)
    scheduled = [event for event in situation.turns[0].events if isinstance(event, ChildScheduled)]
    assert [(event.name, event.version) for event in scheduled] == [
        ("ship", "7"),
        ("ship", "1.0"),
        ("ship", None),
        ("ship", "2.0"),
        ("ship", "7"),
        ("ship", "1.0"),
    ]


def test_the_input_is_decoded_for_the_version() -> None:
    async def typed(ctx: OrchestrationContext, value: int) -> int:
        return ctx.get_input() + value

    async def other(ctx: OrchestrationContext, value: str) -> str:
        return value

    registry = Registry()
    registry.add_orchestrator(typed, "main", version="1.0")
    registry.add_orchestrator(other, "main", version="2.0")
    situation = Situation(registry)
    decided = situation.turn(msgspec.structs.replace(started(2), version="1.0"))
    assert facts(decided) == facts([completed(4)])
