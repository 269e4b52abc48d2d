"""A storage outage as people want to hear of it: once when it begins, once when it is over, whoever notices it.

What a provider may not raise is no outage: each such error is a mishap of its own, and is tried again all the same.
"""

from __future__ import annotations

import asyncio
import logging

from durable_ext.errors import StorageError
from durable_ext.worker.mishaps import Mishaps

logger = logging.getLogger("durable_ext.host")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Outage:
    """Shared by everything in a process that calls storage without being asked by somebody who could be told."""

    def __init__(self, mishaps: Mishaps | None = None) -> None:
        self._mishaps = mishaps or Mishaps()
        self._since: float | None = None

    def noticed(self, error: Exception, where: str) -> None:
        """A call failed. Logged when it is the first of the outage."""
        if not isinstance(error, StorageError):
            self._mishaps.met(where, error)
        elif self._since is None:
            self._since = asyncio.get_running_loop().time()
            logger.warning("storage: %s; trying again, at most %d seconds apart", error, LONGEST_PAUSE)

    def over(self) -> None:
        """A call succeeded."""
        if self._since is not None:
            seconds = asyncio.get_running_loop().time() - self._since
            self._since = None
            logger.warning("storage: works again, after %.1f seconds", seconds)


class Backoff:
    """Growing pauses of one caller. The pace has a bound, the number of attempts has none: a host outlives outages."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def reset(self) -> None:
        """The next failure is a first one again."""
        self._next = FIRST_PAUSE

    def longer(self) -> float:
        """Seconds to wait after one more failure."""
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        return pause

    async def pause(self) -> None:
        """Wait after one more failure."""
        await asyncio.sleep(self.longer())
