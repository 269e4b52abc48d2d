"""What is told stays right when the process is stopped at every storage call, in three ways and three worlds (T3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from durable_ext.authoring.lifecycle import LifecycleEvent
from durable_ext.records.ids import is_entity
from durable_ext.testing.crash_points import Plans, try_points
from durable_ext.testing.scenario import WORLDS, Played, Scenario, World
from durable_ext.worker.lifecycle import Lifecycle
from durable_ext.worker.settings import WorkerSettings
from tests.scenarios.two_stores import StoreName

from .hearing import Ears, app


class Watched:
    """One listener and one publisher for all runs; each run begins with nothing told."""

    def __init__(self) -> None:
        self.ears = Ears()
        self.told: list[LifecycleEvent] = []

    async def publish(self, events: Sequence[LifecycleEvent]) -> None:
        self.told += events

    def forget(self) -> None:
        self.ears.forget()
        self.told.clear()

    def check(self, played: Played) -> None:
        """One trace for each start, no span for what is not in history, no event told as something else."""
        assert len(self.ears.traces()) == 1
        turns = [_turn_of(span) for span in self.ears.named("orchestration:rounds")]
        assert len(turns) == len(set(turns)), "a turn has one span, from the process that committed it"
        by_id: dict[str, tuple[str, Any]] = {}
        for one in self.told:
            assert not is_entity(one.instance_id)
            assert by_id.setdefault(one.id, (one.instance_id, one.status)) == (one.instance_id, one.status)
        statuses = [one.status.value for one in self.told if one.instance_id == played.history[0].execution.instance_id]
        assert set(statuses) <= {"Running", "Completed"}


def scenario(watched: Watched) -> Scenario:
    """An activity, and a round more, told to both."""
    settings = WorkerSettings(telemetry=watched.ears.listener, lifecycle=Lifecycle(publisher=watched), activity_slots=8)
    return Scenario(
        registry=app(watched.ears),
        orchestrator="rounds",
        input=1,
        expect=None,
        instance_id="it",
        fresh=watched.forget,
        check=watched.check,
        settings=settings,
    )


@pytest.mark.parametrize(("store", "world"), [*(("sqlite", world) for world in WORLDS), ("azure", "cached")])
def test_every_crash_point(store: StoreName, world: World) -> None:
    report = try_points(scenario(Watched()), Plans(store=store, worlds=(world,)))
    assert report.all_survived, str(report)
    assert report.unreached == 0
    assert report.points >= 12


def _turn_of(span: ReadableSpan) -> tuple[Any, Any]:
    attributes: dict[str, Any] = dict(span.attributes or {})
    return attributes["durabletask.task.execution_id"], attributes["durabletask.task.turn"]
