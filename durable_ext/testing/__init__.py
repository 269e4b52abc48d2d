"""For our users' tests and ours: the engine in process on virtual time, faults to inject, a provider suite to inherit.

Names are loaded when they are first used: a test run that has the package installed and does not use it pays nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_ext.testing.activity_calls import ActivityCall, Calls
    from durable_ext.testing.generator_wrapper import orchestrator_generator_wrapper
    from durable_ext.testing.harness import Harness
    from durable_ext.testing.harness_engine import WaitsForeverError
    from durable_ext.testing.harness_instance import HarnessInstance
    from durable_ext.testing.histories import check_replay
    from durable_ext.testing.mocking import in_turn

_HOMES = {
    "ActivityCall": "activity_calls",
    "Calls": "activity_calls",
    "Harness": "harness",
    "HarnessInstance": "harness_instance",
    "WaitsForeverError": "harness_engine",
    "check_replay": "histories",
    "in_turn": "mocking",
    "orchestrator_generator_wrapper": "generator_wrapper",
}

__all__ = [
    "ActivityCall",
    "Calls",
    "Harness",
    "HarnessInstance",
    "WaitsForeverError",
    "check_replay",
    "in_turn",
    "orchestrator_generator_wrapper",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'durable_ext.testing' has no attribute {name!r}")
    value = getattr(import_module(f"durable_ext.testing.{home}"), name)
    globals()[name] = value
    return value
