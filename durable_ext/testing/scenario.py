"""What a test plays, and the ways in which it is disturbed: values, no behaviour (T3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.authoring.status import InstanceStatus
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.turns import Turn
from durable_ext.testing.injection import Fault
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings

StoreName = Literal["azure", "sqlite"]
# Instances kept in memory between turns; every turn replayed from scratch; every delivery given twice.
World = Literal["cached", "scratch", "doubled"]
WayName = Literal[
    "before", "after", "lost", "throttled", "repeated", "stalled", "overtaken", "belated", "orphaned", "straggling"
]
WORLDS: tuple[World, ...] = ("cached", "scratch", "doubled")

# An event: its name, its data, and how long after the one before it is raised, three seconds unless told.
Sent = tuple[str, Any] | tuple[str, Any, timedelta]
# What else happens from outside, with a client that meets no faults. `asyncio.sleep` lets virtual time pass.
Outside = Callable[[Client], Awaitable[object]]

EVENT_PAUSE = timedelta(seconds=3)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A fault at a call, and whether the process dies of it, makes the call again, or sleeps at it.

    `settles`: it sleeps until another process has settled what it held, and that one sleeps from then until it goes on.
    What it has given up takes effect when that process has settled the first of what it held.
    """

    fault: Fault
    dies: bool = False
    repeats: bool = False
    stalls: bool = False
    settles: bool = False


WAYS: Mapping[WayName, Way] = {
    "before": Way(fault=Fault.BEFORE, dies=True),
    "after": Way(fault=Fault.AFTER, dies=True),
    "lost": Way(fault=Fault.AFTER),
    "throttled": Way(fault=Fault.BEFORE),
    "repeated": Way(fault=Fault.AFTER, repeats=True),
    "stalled": Way(fault=Fault.BEFORE, stalls=True),
    "overtaken": Way(fault=Fault.BEFORE, stalls=True, settles=True),
    "belated": Way(fault=Fault.LATE, stalls=True, settles=True),
    "orphaned": Way(fault=Fault.BEFORE, stalls=True, settles=True, dies=True),
    "straggling": Way(fault=Fault.STRAGGLING, stalls=True, settles=True),
}
THREE_WAYS: tuple[WayName, ...] = ("before", "after", "lost")
STALLS: tuple[WayName, ...] = tuple(name for name, way in WAYS.items() if way.stalls)


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over. `status`: None when the instance is purged. `history`: the turns of all its executions, the
    oldest first. `runs`: how often each activity ran in this run, by name."""

    status: InstanceStatus | None
    history: tuple[Turn, ...]
    runs: Mapping[str, int]


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Another process that works beside the first and meets no faults: its app, and how it runs."""

    registry: Registry
    settings: WorkerSettings = WorkerSettings(activity_slots=8)


class ScenarioOptions(TypedDict, total=False):
    """What may be said of a scenario beside its orchestrator and its input; see Scenario."""

    expect: Any
    status: RuntimeStatus | None
    events: Sequence[Sent]
    first: Outside
    then: Outside
    check: Callable[[Played], object]
    mocks: Mapping[Any, Any]
    at_most_once: Collection[Any]
    fresh: Callable[[], object]
    instance_id: str
    starts_after: timedelta
    within: timedelta
    recovers_within: timedelta
    settings: WorkerSettings
    neighbours: Sequence[Neighbour]


def _nothing() -> None:
    pass


async def _nobody(_client: Client) -> None:
    pass


def _anything(_played: Played) -> None:
    pass


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One orchestration from start to end.

    `expect`: its output; left out, what the run without faults gives. `status`: how it ends, None for purged.
    `events` are raised one after the other. `first` happens before the start, `then` after start and events.
    `check` looks at every run that is over and raises AssertionError when it does not like it; `fresh` is called before
    each run. `mocks`: other activities, by function or name (CountedRegistry). `at_most_once`: activities that may not
    run twice for one call. `starts_after`: the start is scheduled. `within`: the virtual time it may take.
    `recovers_within`: how much more of it a fault may cost, beside what is done again. `settings` are those of the
    process that meets the fault, and of the one after it; `neighbours` work beside them.
    """

    registry: Registry
    orchestrator: str
    input: Any = None
    expect: Any = msgspec.UNSET
    status: RuntimeStatus | None = RuntimeStatus.COMPLETED
    events: Sequence[Sent] = ()
    first: Outside = _nobody
    then: Outside = _nobody
    check: Callable[[Played], object] = _anything
    mocks: Mapping[Any, Any] = {}
    at_most_once: Collection[Any] = ()
    fresh: Callable[[], object] = _nothing
    instance_id: str = "it"
    starts_after: timedelta | None = None
    within: timedelta = timedelta(hours=1)
    recovers_within: timedelta = timedelta(minutes=5)
    settings: WorkerSettings = WorkerSettings(activity_slots=8)
    neighbours: Sequence[Neighbour] = ()

    @property
    def once(self) -> frozenset[str]:
        """The names of the activities that may not run twice for one call."""
        marked = {name for name, one in self.registry.activities.items() if getattr(one, "at_most_once", False)}
        return frozenset(marked | {self.registry.name_of(one) for one in self.at_most_once})
