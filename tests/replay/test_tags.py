"""The tag of an activity: recorded, and the same at every replay (duroxide.md 5.16)."""

from __future__ import annotations

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import NonDeterminismError
from durable_ext.records.events import TaskScheduled
from durable_ext.replay.turn import replay

from .conftest import Begin
from .events import payload, started
from .situation import fresh, registry_of, turn_of


def scheduled(tag: str) -> TaskScheduled:
    return TaskScheduled(id=0, name="work", input=payload(None), tag=tag)


@pytest.mark.parametrize(("asked", "recorded"), [(None, ""), ("default", ""), ("gpu", "gpu")])
def test_a_tag_is_recorded(begin: Begin, asked: str | None, recorded: str) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("work", tag=asked)

    assert begin(main).start() == [scheduled(recorded)]


@pytest.mark.parametrize(("recorded", "asked"), [("", "gpu"), ("gpu", None), ("gpu", "cpu")])
def test_another_tag_at_a_replay_is_found(recorded: str, asked: str | None) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("work", tag=asked)

    live = fresh(registry_of(main))
    with pytest.raises(NonDeterminismError, match="TaskScheduled"):
        replay(live, [turn_of(0, [started(), scheduled(recorded)])])
    live.drop()
