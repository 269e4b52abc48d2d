"""Waiting for the next row of an instance: by signal where a session of this process writes it, else by polling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from durable_ext.records.instance import InstanceRow
from durable_ext.worker.signals import Watch

_POLL_FIRST = 0.05
_POLL_LAST = 2.0
# What was started here runs here, unless this process gives it away.
_POLL_HERE = 1.0


class RowWatch:
    """Looks at one instance again and again, for one waiter. `read` raises InstanceNotFoundError.

    `started_ago` are the seconds since this process started the instance, or None: its session publishes its rows, so
    that even the first look can wait for that. Infinite when a row was published since: then the look comes at once.
    """

    def __init__(self, watch: Watch, read: Callable[[], Awaitable[InstanceRow]], started_ago: float | None) -> None:
        self._watch = watch
        self._read = read
        self._pause = _POLL_FIRST if started_ago is None else _POLL_HERE
        self._patience = 0 if started_ago is None else max(0, _POLL_HERE - started_ago)

    def looked(self) -> None:
        """The waiter has looked for itself: the next look comes after a pause."""
        self._patience = self._pause

    async def next_row(self, ready: Callable[[InstanceRow], bool]) -> InstanceRow:
        """The row once `ready` holds for it."""
        row = await self._watch.next_row(self._patience)
        self.looked()
        pause = self._pause
        while True:
            if row is None:
                row = await self._read()
            if ready(row):
                return row
            row = await self._watch.next_row(pause)
            pause = min(pause * 1.5, _POLL_LAST)
