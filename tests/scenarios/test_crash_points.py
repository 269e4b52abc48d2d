"""Every scenario, stopped at verbs of the provider, in eight ways and three worlds (T3), over SQLite.

*before*: the process dies before the call; *after*: it dies after the effect of the call; *lost*: the effect is there,
the answer is lost, and the process goes on; *stalled*: it sleeps through its leases while another works, and goes on;
*overtaken*: another process settles what it held while it sleeps, and it goes on before that one does anything more;
*belated*: the same, and the effect of the call was there before; *orphaned*: the same, and the call is its last;
*straggling*: the call is given up, and takes effect once another process has settled the oldest message in hand.
In three worlds: instances kept in memory, every turn replayed from scratch, every message delivered twice.
`durable_ext.testing.aftermath` says what has to hold afterwards.

Of long scenarios a sample is tried, the same each time: `crash_sample` says how much. `make crash-points` tries all.
"""

from __future__ import annotations

from typing import Any

import pytest

from durable_ext.testing.crash_points import Plans, try_points
from durable_ext.testing.scenario import STALLS, THREE_WAYS, WORLDS, World

from .crash_sample import most_points
from .workloads import SCENARIOS


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_crash_point(name: str, world: World, record_property: Any) -> None:
    plans = Plans(store="sqlite", worlds=(world,), ways=(*THREE_WAYS, *STALLS), most=most_points(world))
    report = try_points(SCENARIOS[name], plans)
    record_property("crash_points", report.points)
    assert report.all_survived, str(report)
    assert report.unreached == 0, "runs differ"
    assert report.survived == report.points >= 12, "a scenario has more storage calls than that"


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("session of activities", "sqlite doubled stalled 13"),
        ("session of activities", "azure doubled stalled 14"),
        ("sessions of two processes", "azure doubled throttled 34"),
        ("an entity with several executions", "sqlite doubled stalled 28"),
        ("terminated with children", "sqlite cached overtaken 0"),
        ("terminated with children", "azure cached overtaken 3"),
        ("rewound with a child", "sqlite cached stalled 6"),
        ("session of activities", "sqlite doubled belated 8"),
        ("child that tells and goes on", "sqlite cached before 8"),
        ("child that tells and goes on", "sqlite cached stalled 4"),
        ("child that tells and goes on", "sqlite cached stalled 5"),
        ("an entity that tells others behind a call", "sqlite cached before 19"),
    ],
)
def test_points_that_were_not_survived_once(name: str, point: str) -> None:
    """Copies of work items that went round for ever; copies that multiplied; an answer of an entity that was owed by
    a turn committed after its trigger was lost; a termination that came together with the start of the child.

    A start that slept while the child ran, which began it anew, or told the parent that its id was taken; an event of
    an execution whose next one was committed before it was sent; what an entity decided after it had answered; two
    processes, one of which got all messages, while the other held the affinity."""
    report = try_points(SCENARIOS[name], Plans(only=point))
    assert report.all_survived, str(report)
