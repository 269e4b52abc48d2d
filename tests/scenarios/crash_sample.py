"""How many crash points of a scenario a test run tries: all of them take the better part of an hour."""

from __future__ import annotations

import os

from durable_ext.testing.scenario import World

# Set to "all" where every point is wanted, as `make mutations` does.
ASKED = "CRASH_POINTS"
_MOST: dict[World, int] = {"cached": 24, "scratch": 12, "doubled": 16}


def most_points(world: World) -> int | None:
    """Points of one scenario, store and world; None: all."""
    return None if os.environ.get(ASKED) == "all" else _MOST[world]
