"""Every scenario, stopped at every verb of the provider, in three ways and three worlds (T3), over SQLite.

*before*: the process dies before the call; *after*: it dies after the effect of the call; *lost*: the effect is there,
the answer is lost, and the process goes on. In three worlds: instances kept in memory, every turn replayed from
scratch, every message delivered twice. `durable_ext.testing.aftermath` says what has to hold afterwards.
"""

from __future__ import annotations

from typing import Any

import pytest

from durable_ext.testing.crash_points import Plans, try_points
from durable_ext.testing.scenario import WORLDS, World

from .workloads import SCENARIOS


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_crash_point(name: str, world: World, record_property: Any) -> None:
    report = try_points(SCENARIOS[name], Plans(store="sqlite", worlds=(world,)))
    record_property("crash_points", report.points)
    assert report.all_survived, str(report)
    # Messages of entities have ids made at random, and in another order there are fewer calls.
    assert report.unreached <= report.points // 4
    assert report.survived == report.points >= 12, "a scenario has more storage calls than that"
