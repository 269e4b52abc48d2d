"""A seeded simulation of whole task hubs on virtual time, with everything going wrong at once (T4)."""

from __future__ import annotations

from durable_ext.testing.simulation.case import Case, from_text, to_text
from durable_ext.testing.simulation.load import case_of
from durable_ext.testing.simulation.world import Outcome, play

__all__ = ["Case", "Outcome", "case_of", "from_text", "play", "to_text"]
