"""Tells receivers of this process that this process has put something on their queue: no poll in between."""

from __future__ import annotations

import asyncio

# A message hidden for longer than this, or one more than so many at once, is found by polling.
_LONGEST_ALARM = 24 * 3600
_MOST_ALARMS = 10_000


class Wakes:
    """One event for each queue."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}
        self._alarms = 0

    def event(self, queue: str) -> asyncio.Event:
        """Set when something was put on the queue; a receiver clears it before it looks."""
        return self._events.setdefault(queue, asyncio.Event())

    def wake(self, queue: str, hidden: int = 0) -> None:
        """A message was put, hidden for so many seconds: its receivers are woken when it appears."""
        event = self.event(queue)
        if hidden == 0:
            event.set()
        elif hidden <= _LONGEST_ALARM and self._alarms < _MOST_ALARMS:
            self._alarms += 1
            asyncio.get_running_loop().call_later(hidden, self._ring, event)

    def _ring(self, event: asyncio.Event) -> None:
        self._alarms -= 1
        event.set()
