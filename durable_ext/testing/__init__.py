"""For our users' tests and ours: virtual time, a provider suite to inherit, storage in memory, faults to inject."""

from __future__ import annotations

from durable_ext.testing.generator_wrapper import orchestrator_generator_wrapper

__all__ = ["orchestrator_generator_wrapper"]
