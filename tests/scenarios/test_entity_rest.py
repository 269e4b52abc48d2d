"""An entity that has to rest waits for nobody who waits for it (S4, S5)."""

from __future__ import annotations

import pytest

from durable_ext.testing.crash_points import Plans, try_points

from .workloads import SCENARIOS


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["entities locked", "entities wanted by several"])
def test_a_lock_granted_long_ago_does_not_keep_its_holder_waiting(name: str) -> None:
    """The process slept: what it hands on afterwards finds entities whose time without a rest is over."""
    report = try_points(SCENARIOS[name], Plans(store="sqlite", worlds=("cached",), ways=("stalled",)))
    assert report.all_survived, str(report)
    assert report.points >= 12
