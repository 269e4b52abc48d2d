"""Tells receivers of this process that this process has put something on their queue: no poll in between."""

from __future__ import annotations

import asyncio

# A message hidden no longer than this wakes its receivers when it appears; a later one is found by polling.
_LONGEST_ALARM = 60


class Wakes:
    """One event for each queue."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def event(self, queue: str) -> asyncio.Event:
        """Set when something was put on the queue; a receiver clears it before it looks."""
        return self._events.setdefault(queue, asyncio.Event())

    def wake(self, queue: str, hidden: int = 0) -> None:
        """A message was put, hidden for so many seconds."""
        event = self.event(queue)
        if hidden == 0:
            event.set()
        elif hidden <= _LONGEST_ALARM:
            asyncio.get_running_loop().call_later(hidden, event.set)
