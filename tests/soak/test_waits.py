"""How long instances of a soak waited, and when the first host sleeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest

from benchmarks.soak.chaos import Record
from benchmarks.soak.figures import figures
from benchmarks.soak.plan import Settings, make_plan
from benchmarks.soak.soak import Outcome
from benchmarks.soak.waits import LONGEST_WAIT, longest_wait
from durable_ext.records.events import TimerCreated, TimerFired

from .test_account import NOW, right, started, turns


def test_an_outcome_that_comes_late_has_waited() -> None:
    evidence = right()
    (log,) = evidence.logs["chain-1"]
    late = msgspec.structs.replace(log[1], time=log[0].time + timedelta(seconds=300))
    assert longest_wait(evidence) == (1.0, "chain-1: TaskCompleted of task 0")
    slow = replace(evidence, logs={"chain-1": [(log[0], late)]})
    assert longest_wait(slow) == (300.0, "chain-1: TaskCompleted of task 0")


def test_a_timer_waits_from_when_it_is_due() -> None:
    log = turns(
        "timers-1",
        (started("timers"), TimerCreated(id=0, fire_at=NOW + timedelta(seconds=60))),
        (TimerFired(task_id=0),),
    )
    late = msgspec.structs.replace(log[1], time=NOW + timedelta(seconds=67))
    evidence = replace(right(), rows={}, logs={"timers-1": [(log[0], late)]})
    assert longest_wait(evidence) == (7.0, "timers-1: TimerFired of task 0")


@pytest.mark.parametrize(("seconds", "clean"), [(LONGEST_WAIT, True), (LONGEST_WAIT + 1, False)])
def test_a_soak_with_a_long_wait_is_not_clean(seconds: float, clean: bool) -> None:
    evidence = right()
    (log,) = evidence.logs["chain-1"]
    late = msgspec.structs.replace(log[1], time=log[0].time + timedelta(seconds=seconds))
    found = figures(replace(evidence, logs={"chain-1": [(log[0], late)]}), [], [], Record())
    assert Outcome({**found, "rests": True}, []).is_clean is clean


def test_the_first_host_sleeps_for_minutes_once_it_is_killed_no_more() -> None:
    settings = Settings(minutes=20, seed=3)
    pauses = make_plan(settings).pauses
    assert len(pauses) >= 3
    for at, seconds in pauses:
        assert settings.seconds / 3 < at < at + seconds < settings.seconds
        assert 60 <= seconds <= 180
    assert all(one[0] + one[1] < other[0] for one, other in pairwise(pauses))
