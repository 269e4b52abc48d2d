"""Three hundred seeds: whole hubs with everything going wrong at once, and nothing lost or counted twice (T4)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from durable_ext.testing.simulation.load import case_of
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


def test_the_load_has_everything() -> None:
    """What is drawn too seldom is not tried."""
    load = [planned for seed in range(_SEEDS) for planned in case_of(seed).load]
    text = b"".join(msgspec.json.encode(planned.programme) for planned in load).decode()
    orders = Counter(order.kind for planned in load for order in planned.orders)
    assert all(orders[kind] > 15 for kind in ORDERS), orders
    assert sum(not order.recursive for planned in load for order in planned.orders) > 15
    assert sum(len(planned.rewinds) for planned in load) > 100
    assert sum(len(planned.rewinds) > 1 for planned in load) > 15
    counts = {part: text.count(part) for part in PARTS}
    assert all(count > 40 for count in counts.values()), counts


ORDERS = ("event", "terminate", "suspend", "resume", "purge", "again", "restart", "copy")
PARTS = (
    *('"tag":"gpu"', '"tag":"east"', '"session"', '"once"', '"kind":"locked"', '"kind":"tell"', '"kind":"ask"'),
    *('"kind":"child"', '"kind":"loop"', '"kind":"wait"', '"kind":"forget"', '"until"', '"fails_first"'),
)
KINDS = (
    *("refused", "lost", "repeated", "delayed", "straggling", "dies_before", "dies_after", "short", "hidden"),
    *("throttled", "kill", "stop", "stall", "pause", "burst"),
)

# Longer than other tests: each seed is a run of some hundred calls.
pytestmark = pytest.mark.timeout(600)
