"""A recorded history, other code, and the error where they part."""

from __future__ import annotations

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import AnyFunction
from durable_ext.errors import NonDeterminismError
from durable_ext.records.events import Input
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.turn import replay

from ..replay.events import EXECUTION, answer
from ..replay.situation import Situation, registry_of

Context = OrchestrationContext


async def one(ctx: Context) -> None:
    await ctx.call_activity("a")
    await ctx.call_activity("b")
    await ctx.call_activity("c")


def recorded(code: AnyFunction, *turns: Input) -> Situation:
    situation = Situation(registry_of(code))
    situation.start()
    for event in turns:
        situation.turn(event)
    return situation


ONE = (answer(0), answer(1))


def fresh(code: AnyFunction) -> LiveExecution:
    registry = registry_of(code)
    return LiveExecution(EXECUTION, registry, registry.converter)


def parted(live: LiveExecution, situation: Situation) -> NonDeterminismError:
    with pytest.raises(NonDeterminismError) as found:
        replay(live, situation.turns)
    live.drop()
    return found.value
