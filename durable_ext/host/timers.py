"""Lets the app's timers fire. Each process fires its own: nothing here is shared between processes.

Runs of one timer never overlap; the next occurrence is looked for when a run is over. A missed one is not made up for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from durable_ext.errors import StorageError
from durable_ext.host.outage import Outage
from durable_ext.host.schedules import Schedule, read_schedule
from durable_ext.providers.contract import Clock

logger = logging.getLogger("durable_ext.host")

# Sleep in pieces, so that a clock that was set right, or a laptop that slept, delays a timer by no more.
_LONGEST_SLEEP = 60.0


class Timer(Protocol):
    """What is needed of a function with a timer trigger."""

    @property
    def name(self) -> str: ...
    @property
    def schedule(self) -> str: ...
    @property
    def run_on_startup(self) -> bool: ...
    async def invoke(self, past_due: bool = False) -> None: ...


class Timers:
    """The timers of one app. Raises ConfigurationError for a schedule that cannot be read."""

    def __init__(self, timers: Sequence[Timer], environ: Mapping[str, str], clock: Clock, outage: Outage) -> None:
        self._timers = [(timer, read_schedule(timer.schedule, environ)) for timer in timers]
        self._clock = clock
        self._outage = outage

    async def run(self) -> None:
        """Fire until cancelled."""
        async with asyncio.TaskGroup() as group:
            for timer, schedule in self._timers:
                group.create_task(self._run(timer, schedule))

    async def _run(self, timer: Timer, schedule: Schedule) -> None:
        if timer.run_on_startup:
            await self._fire(timer)
        while (due := schedule(self._clock())) is not None:
            await self._sleep_until(due)
            await self._fire(timer)
        logger.warning("timer %s: its schedule %r never occurs again", timer.name, timer.schedule)

    async def _sleep_until(self, due: datetime) -> None:
        while (left := (due - self._clock()).total_seconds()) > 0:  # noqa: ASYNC110 - only the clock can tell
            await asyncio.sleep(min(left, _LONGEST_SLEEP))

    async def _fire(self, timer: Timer) -> None:
        try:
            await timer.invoke()
        except StorageError as error:
            self._outage.noticed(error, "timer")
        except Exception as error:  # noqa: BLE001 - a failed run is logged and must not end the schedule
            _tell(timer.name, error)


def _tell(name: str, error: Exception) -> None:
    logger.error("timer %s failed", name, exc_info=error)
