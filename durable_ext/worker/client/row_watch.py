"""Waiting for the next row of an instance: by signal where a session of this process writes it, else by polling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from durable_ext.records.instance import InstanceRow
from durable_ext.worker.signals import Watch

_POLL_FIRST = 0.05
_POLL_LAST = 2.0
# What is dealt with here is published here, unless this process gives it away.
_POLL_HERE = 1.0


class RowWatch:
    """Looks at one instance again and again, for one waiter. `read` raises InstanceNotFoundError.

    `followed_for` are the seconds since this process has had something to do for the instance, None when it has not.
    Its session publishes what comes of it, so that even the first look can wait for that. Infinite when a row was
    published since: then the look comes at once.
    """

    def __init__(self, watch: Watch, read: Callable[[], Awaitable[InstanceRow]], followed_for: float | None) -> None:
        self._watch = watch
        self._read = read
        self._pause = _POLL_FIRST if followed_for is None else _POLL_HERE
        self._patience = 0 if followed_for is None else max(0, _POLL_HERE - followed_for)

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
