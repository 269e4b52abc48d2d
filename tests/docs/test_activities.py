"""Every example of docs/activities.md runs as it stands there."""

from __future__ import annotations

import statistics

from .module_pages import run_as_module


def test_every_example_runs() -> None:
    run_as_module("activities.md", "shop_of_activities", statistics=statistics)
