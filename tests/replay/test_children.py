"""Child orchestrations: their ids, their outcomes."""

from __future__ import annotations

import asyncio
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import TaskFailedError
from durable_ext.records.events import ChildScheduled
from durable_ext.records.instance import Parent

from .conftest import Begin
from .events import (
    child,
    child_answer,
    child_refusal,
    completed,
    continued,
    facts,
    failure,
    started,
)


def test_an_id_of_its_own_or_the_one_that_was_asked_for(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[Any]:
        return list(
            await asyncio.gather(
                ctx.call_sub_orchestrator("ship"),
                ctx.call_sub_orchestrator("ship"),
                ctx.call_sub_orchestrator("ship", instance_id="parcel-1"),
            )
        )

    situation = begin(main)
    decided = situation.start()
    assert facts(decided) == facts([child(0, "ship"), child(1, "ship"), child(2, "ship", instance_id="parcel-1")])
    ids = [event.instance_id for event in decided if isinstance(event, ChildScheduled)]
    assert ids == ["e1:0", "e1:1", "parcel-1"]
    executions = {event.execution_id for event in decided if isinstance(event, ChildScheduled)}
    assert len(executions) == 3
    situation.turn(child_answer(2, "c"), child_answer(0, "a"))
    assert facts(situation.turn(child_answer(1, "b"))) == facts([completed(["a", "b", "c"])])


def test_a_child_that_fails(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            await ctx.call_sub_orchestrator("ship", 1)
        except TaskFailedError as error:
            return f"{error.task_name}: {error.failure.summary}"
        return "shipped"

    situation = begin(main)
    situation.start()
    assert facts(situation.turn(child_refusal(0))) == facts([completed("ship: OutOfStock: no stock")])


def test_a_child_that_fails_fails_its_parent(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_sub_orchestrator("ship")

    situation = begin(main)
    situation.start()
    situation.turn(child_refusal(0))
    assert situation.failure.type == "durable_ext.errors.TaskFailedError"
    assert situation.failure.cause == failure()


def test_a_child_may_be_given_version_and_tags(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_sub_orchestrator("ship", version="2", tags={"team": "a"})

    [decision] = facts(begin(main).start())
    assert (decision["version"], decision["tags"]) == ("2", {"team": "a"})


def test_a_bad_id_is_the_callers_error(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            ctx.call_sub_orchestrator("ship", instance_id="a/b")
        except ValueError as error:
            return str(error)
        return ""

    [decision] = facts(begin(main).start())
    assert "contains /" in decision["result"]["json"]


def test_an_unawaited_child_then_continue_as_new(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.call_sub_orchestrator("ship")
        ctx.continue_as_new("again")

    assert facts(begin(main).start()) == facts([child(0, "ship"), continued("again")])


def test_a_child_knows_its_parent(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str | None:
        return ctx.parent_instance_id

    parent = Parent(instance_id="boss", execution_id="e0", task_id=3)
    assert facts(begin(main).turn(started(parent=parent))) == facts([completed("boss")])
