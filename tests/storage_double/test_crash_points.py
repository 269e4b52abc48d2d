"""Scenarios on the Azure provider, stopped at every storage call: finer than the provider's verbs (T3).

Besides the ways of `tests/scenarios/test_crash_points.py`: *throttled*: the call fails without effect, as after too
many 503, and the process goes on; *repeated*: the answer is lost and the client makes the call again, so that an insert
meets its own row, an etag or a receipt is no longer the one that was read, and a message is there twice; *stalled*: the
process sleeps before the call for longer than its leases hold, while another one works, and then goes on. *overtaken*,
*belated*, *orphaned* and *straggling* are told there.

Of long scenarios a sample is tried, the same each time (`tests/scenarios/crash_sample.py`); `make crash-points` tries
all.
"""

from __future__ import annotations

from typing import Any

import pytest

from durable_ext.testing.crash_points import Plans, try_points
from durable_ext.testing.injection import Fault
from durable_ext.testing.scenario import WAYS, WORLDS, WayName, World
from tests.scenarios.crash_sample import most_points
from tests.scenarios.workloads import LONG, SCENARIOS

TRIED = SCENARIOS | LONG


def _ways(world: World) -> list[WayName]:
    """Storage is the same before a call as after the one before it, so one world will do for what fails before.

    `make crash-points` tries all.
    """
    return [name for name, way in WAYS.items() if world == "cached" or way.fault is Fault.AFTER or way.stalls]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", TRIED)
def test_every_crash_point(name: str, world: World, record_property: Any) -> None:
    plans = Plans(store="azure", worlds=(world,), ways=_ways(world), most=most_points(world))
    report = try_points(TRIED[name], plans)
    record_property("crash_points", report.points)
    assert report.all_survived, str(report)
    assert report.unreached == 0, "runs differ"
    assert report.survived == report.points >= 9, "a scenario has more storage calls than that"
