"""Scenarios with several processes that differ: in tags, in what is registered, in room, in versions (T3).

The first one meets the faults; its neighbours have what it does not, so that work has to go from one to the other.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.testing.scenario import Neighbour, Scenario
from durable_ext.worker.settings import WorkerSettings

from . import versioned

_PLACEMENTS: tuple[Any, ...] = ("auto", "local", "queue")


async def render(ctx: OrchestrationContext) -> list[str]:
    """With a tag and without, wherever it is placed."""
    calls = [ctx.call_activity("plain", placement) for placement in _PLACEMENTS]
    calls += [ctx.call_activity("render", placement, tag="gpu", placement=placement) for placement in _PLACEMENTS]
    return await asyncio.gather(*calls)


async def shared(ctx: OrchestrationContext) -> list[str]:
    """Activities of which no process has all."""
    calls = [ctx.call_activity(name, p, placement=p) for p in _PLACEMENTS for name in ("here", "there")]
    return await asyncio.gather(*calls)


async def two_sessions(ctx: OrchestrationContext, rounds: int) -> list[str]:
    """Activities of two sessions, in processes that have room for one each."""
    found: list[str] = []
    for number in range(rounds):
        calls = [ctx.call_activity("plain", f"{name}{number}", session_id=name) for name in ("s", "t")]
        found += await asyncio.gather(*calls)
    return found


async def said(value: str) -> str:
    return value


def site(*activities: str) -> Registry:
    """An app with these activities."""
    names = Registry()
    for orchestrator in (render, shared, two_sessions):
        names.add_orchestrator(orchestrator)
    for activity in activities:
        names.add_activity(said, activity)
    return names


_settings = partial(WorkerSettings, activity_slots=8)
_patient = _settings(leave_unknown=timedelta(minutes=30))
_narrow = _settings(most_affinities=1)

DEPLOYMENTS: dict[str, Scenario] = {
    "tagged activities": Scenario(
        registry=site("render"),
        settings=_settings(work_tags=("gpu",)),
        neighbours=(Neighbour(registry=site("plain")),),
        orchestrator="render",
        expect=[*_PLACEMENTS, *_PLACEMENTS],
    ),
    "activities registered elsewhere": Scenario(
        registry=site("here"),
        settings=_patient,
        neighbours=(Neighbour(registry=site("there"), settings=_patient),),
        orchestrator="shared",
        expect=[placement for placement in _PLACEMENTS for _ in range(2)],
    ),
    "sessions of two processes": Scenario(
        registry=site("plain"),
        settings=_narrow,
        neighbours=(Neighbour(registry=site("plain"), settings=_narrow),),
        orchestrator="two_sessions",
        input=2,
        expect=["s0", "t0", "s1", "t1"],
        # A session stays for its lease with a process that is gone.
        recovers_within=timedelta(minutes=10),
    ),
    "a rolling deployment": Scenario(
        registry=versioned.registry("1.0", default="1.0"),
        settings=versioned.takes(None),
        neighbours=(Neighbour(registry=versioned.registry("2.0", default="2.0"), settings=versioned.takes(None)),),
        orchestrator="poll",
        events=(("paid", 1),),
        expect="2.0",
        # Chance decides who gets a message; what the wrong one puts off comes back after seconds.
        recovers_within=timedelta(minutes=2),
    ),
}
