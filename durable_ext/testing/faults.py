"""Faults for tests: a provider that fails where a plan says, and every crash point of an orchestration in one line.

    report = faults.crash_everywhere(app, process_order, Order("A-1"), events=[("approval", True)])

docs/testing.md tells what is checked and how to read a failure (T3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Unpack

from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.testing.crash_points import CrashFailure, CrashPointError, CrashReport, Plans, Progress, try_points
from durable_ext.testing.injection import Fault, FaultGate, FaultyProvider, InjectedFaultError, Plan, no_faults
from durable_ext.testing.scenario import Neighbour, Played, Scenario, ScenarioOptions, StoreName, WayName, World

__all__ = [
    "CrashFailure",
    "CrashOptions",
    "CrashPointError",
    "CrashReport",
    "Fault",
    "FaultGate",
    "FaultyProvider",
    "InjectedFaultError",
    "Neighbour",
    "Plan",
    "Played",
    "Scenario",
    "crash_everywhere",
    "no_faults",
]


class HasRegistry(Protocol):
    """A DurableApp or a DurableBlueprint."""

    @property
    def registry(self) -> Registry: ...


class CrashOptions(ScenarioOptions, total=False):
    """The options of `crash_everywhere`."""

    store: StoreName
    worlds: Sequence[World]
    ways: Sequence[WayName]
    only: str | None
    most: int | None
    progress: Progress
    raises: bool


def crash_everywhere(
    app: Registry | HasRegistry,
    orchestrator: Callable[..., Any] | str,
    input: Any = None,  # noqa: A002 - the field's word for it
    **options: Unpack[CrashOptions],
) -> CrashReport:
    """Play an orchestration without faults, then stop it at every storage call in every way, and look each time.

    `app`: a DurableApp, a DurableBlueprint or a Registry; `orchestrator`: the function or its name. All runs are on
    virtual time, in this process and in memory; call it from a plain function, not on an event loop.

    What is played (Scenario): `expect` is the output, by default that of the run without faults; `unittest.mock.ANY`
    takes any. `status`: how it ends, Completed by default, None for purged. `events`: (name, data) or (name, data,
    pause before), raised one after the other. `first` and `then`: async functions of a Client, before the start and
    after the events. `mocks`: other activities, by function or name. `at_most_once`: activities that may not run twice
    for one call, beside those that are registered so. `fresh` is called before each run. `check` gets what was Played
    and raises AssertionError. `starts_after`, `instance_id`, `settings`; `neighbours`: processes beside the first that
    meet no faults; `within`: the virtual time it may take, an hour by default; `recovers_within`: how much longer it
    may take after a fault, five minutes by default, beside the time for doing all of it again.

    What is tried: `worlds` ("cached", "scratch", "doubled") times `ways` ("before", "after", "lost"; also "throttled",
    "repeated", "stalled", "overtaken", "belated", "orphaned", "straggling") times each call of `store`, "azure" (calls
    of storage over the double, the default) or "sqlite" (provider verbs). `most`: at most so many points of each world,
    the same each time. `only`: one point, as a report names it. `progress` is told the points tried and all.

    Raises CrashPointError, with the report, when a point is not survived, unless `raises` is False; ConfigurationError
    and InvalidInputError for what cannot be played.
    """
    asked: dict[str, Any] = {**options}
    registry = app if isinstance(app, Registry) else app.registry
    name = registry.name_of(orchestrator)
    if name not in registry.orchestrators:
        known = ", ".join(sorted(registry.orchestrators)) or "none"
        raise ConfigurationError(f"no orchestrator is registered under the name {name!r}; registered: {known}")
    _refuse_running_loop()
    raises, progress = asked.pop("raises", True), asked.pop("progress", None)
    plans = Plans(**{field: asked.pop(field) for field in Plans.__struct_fields__ if field in asked})
    unknown = asked.keys() - set(Scenario.__struct_fields__)
    if unknown:
        raise ConfigurationError(f"crash_everywhere has no option {', '.join(sorted(unknown))}")
    scenario = Scenario(registry=registry, orchestrator=name, input=input, **asked)
    report = try_points(scenario, plans, progress)
    if raises and report.failures:
        raise CrashPointError(report)
    return report


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError(
        "crash_everywhere runs event loops of its own: call it from a plain def test, or with asyncio.to_thread"
    )
