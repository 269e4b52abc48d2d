"""Processes for tests, with the options that tests give."""

from __future__ import annotations

import asyncio

from durable_ext.authoring.registry import Registry
from durable_ext.providers.contract import Clock
from durable_ext.testing import processes
from durable_ext.testing.injection import Plan, no_faults
from durable_ext.testing.processes import LEASE, Process, ProcessSettings, Store
from durable_ext.worker.settings import WorkerSettings

__all__ = ["LEASE", "Process", "Store", "make_process", "no_faults", "pause"]


async def pause(seconds: float) -> None:
    """Let virtual time pass."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


def make_process(
    store: Store,
    registry: Registry,
    clock: Clock,
    *,
    plan: Plan = no_faults,
    settings: WorkerSettings | None = None,
    sessions: bool = True,
    doubled: bool = False,
    most_attempts: int = 50,
) -> Process:
    """A process over a store. `sessions` False: every turn replays from scratch; `doubled`: all messages come twice.

    `most_attempts`: a message that failed so often is given up.
    """
    worker = settings or WorkerSettings(sessions=sessions, activity_slots=8)
    chosen = ProcessSettings(worker=worker, plan=plan, doubled=doubled, most_attempts=most_attempts)
    return processes.make_process(store, registry, clock, chosen)
