"""Errors that the contract does not allow, met by what the engine does by itself: nobody is there to be told.

A provider that raises something else than a StorageError is wrong, and must not end a loop that every instance of this
process lives by. So the loop logs the error with its stack, counts it, and tries again as after an outage.
"""

from __future__ import annotations

import asyncio
import logging

from durable_ext.records.failures import reason_of
from durable_ext.worker.telemetry import SILENCE, Counted, Telemetry

logger = logging.getLogger("durable_ext.worker")

# An error of one kind at one place is logged so often, in seconds, however often it is met.
_PAUSE = 60.0


class Mishaps:
    """Those of one process."""

    def __init__(self, telemetry: Telemetry = SILENCE) -> None:
        self._telemetry = telemetry
        self._said: dict[tuple[str, type[Exception]], float] = {}

    def met(self, where: str, error: Exception) -> None:
        """An error was met; `where` is one of few places: receive, lease, heartbeat ..."""
        self._telemetry.count(Counted.MISHAP, where)
        now = asyncio.get_running_loop().time()
        said = self._said.get((where, type(error)))
        if said is None or now - said >= _PAUSE:
            self._said[where, type(error)] = now
            logger.error("%s: an error no provider may raise; tried again: %s", where, reason_of(error), exc_info=error)
