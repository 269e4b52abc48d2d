"""Waking waiters of this very process: a client that waits here need not poll while the session runs here too."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_ext.records.instance import InstanceRow

# Of how many instances that were last dealt with here the process remembers it.
_MOST_FOLLOWED = 10_000


class Watch:
    """What one waiter hears of one instance; a row that came while it did not listen is kept for it."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._row: InstanceRow | None = None

    def hear(self, row: InstanceRow) -> None:
        """Take note of a row; it takes the place of one that the waiter has not asked for yet."""
        self._row = row
        self._news.set()

    async def next_row(self, seconds: float) -> InstanceRow | None:
        """The newest row since the last call, or None when `seconds` have passed without one."""
        if not self._news.is_set() and seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        row, self._row = self._row, None
        self._news.clear()
        return row


class Signals:
    """Hands every row that a session of this process wrote to those who wait for the instance."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        # Since when a row of each instance is awaited from a session here; None once one was written.
        self._followed: dict[str, datetime | None] = {}

    def follow(self, instance_id: str, now: datetime) -> None:
        """Remember that something that will change the row of the instance is dealt with here."""
        self._followed.pop(instance_id, None)
        self._followed[instance_id] = now
        while len(self._followed) > _MOST_FOLLOWED:
            del self._followed[next(iter(self._followed))]

    def followed_for(self, instance_id: str, now: datetime) -> float | None:
        """Seconds since `follow`; None when there was none, infinite once a row was written since."""
        if instance_id not in self._followed:
            return None
        since = self._followed[instance_id]
        return inf if since is None else (now - since).total_seconds()

    def publish(self, row: InstanceRow) -> None:
        """Wake the waiters of the row's instance."""
        if row.instance_id in self._followed:
            self._followed[row.instance_id] = None
        for watch in self._watches.get(row.instance_id, ()):
            watch.hear(row)

    @contextmanager
    def watch(self, instance_id: str) -> Generator[Watch]:
        """Listen to an instance for the length of a block."""
        watch = Watch()
        self._watches[instance_id].add(watch)
        try:
            yield watch
        finally:
            watching = self._watches[instance_id]
            watching.discard(watch)
            if not watching:
                del self._watches[instance_id]
