"""Three hundred seeds: whole hubs with everything going wrong at once, and nothing lost or counted twice (T4)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from durable_ext.testing.simulation.seeds import Totals, play_all, story_of

_SEEDS = 300


def test_three_hundred_seeds(record_property: Callable[[str, object], None]) -> None:
    totals = Totals()
    stories: list[str] = []
    for result in play_all(range(_SEEDS), os.cpu_count() or 1):
        totals.add(result)
        if result.outcome.wrong:
            stories += story_of(result)
    record_property("simulation", "; ".join(totals.lines()))
    assert not stories, "\n".join(stories)
    assert totals.survived == _SEEDS
    # A load that does little, or faults that do not come, would survive anything.
    assert totals.instances > 2 * _SEEDS
    assert totals.calls > 100 * _SEEDS
    assert all(totals.faults[kind] > 30 for kind in KINDS), totals.faults


KINDS = (
    *("refused", "lost", "repeated", "delayed", "straggling", "dies_before", "dies_after", "short", "hidden"),
    *("throttled", "kill", "stop", "stall", "burst"),
)

# Longer than other tests: each seed is a run of some hundred calls.
pytestmark = pytest.mark.timeout(600)
