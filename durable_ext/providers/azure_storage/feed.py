"""Where deliveries come from without a Functions trigger: polls that slow down while a queue is empty.

A put of this process wakes its queue at once, so that only messages of other processes wait for a poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from durable_ext.providers.azure_storage.names import HubNames
from durable_ext.providers.azure_storage.queues import Queues
from durable_ext.providers.contract import Feed
from durable_ext.records.messages import Delivery

# Most that storage hands out at once.
_BATCH = 32
# Without a message for so long the whole hub counts as idle.
_IDLE_AFTER = timedelta(minutes=2)
# How long a queue of an idle hub rests, for each queue that is polled: all polls together are under one a second.
_IDLE_PAUSE = timedelta(seconds=1.1)


class StorageFeed(Feed):
    """Long poll with back-off, from `first_pause` to `longest_pause`, doubling; to `idle_pause` when the hub is idle.

    So long may a message of another process wait; what this process puts, it takes at once. `idle_pause` None: a
    little over a second for each queue that is polled. All three may be set at any time.
    """

    def __init__(self, queues: Queues, names: HubNames) -> None:
        self._queues = queues
        self._names = names
        self.first_pause = timedelta(milliseconds=10)
        self.longest_pause = timedelta(seconds=1)
        self.idle_pause: timedelta | None = None
        self._pauses: dict[str, timedelta] = {}
        self._next_poll: dict[str, float] = {}
        self._polled: set[str] = set()
        self._busy_at: float | None = None

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        return await self._receive(self._names.control[partition], limit, lease, wait)

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        return await self._receive(await self._queues.open_tag(tag), limit, lease, wait)

    async def _receive(self, queue: str, limit: int, lease: timedelta, wait: timedelta) -> Sequence[Delivery]:
        loop = asyncio.get_running_loop()
        end = loop.time() + wait.total_seconds()
        event = self._queues.wakes.event(queue)
        self._polled.add(queue)
        if self._busy_at is None:
            self._busy_at = loop.time()
        await self._rest(queue, event, end)  # of a pause that an earlier call began
        while True:
            event.clear()
            found = await self._queues.receive(queue, min(limit, _BATCH), lease)
            if found:
                self._is_busy(queue)
                return found
            pause = min(self._pauses.get(queue, self.first_pause), self._longest())
            self._pauses[queue], self._next_poll[queue] = pause * 2, loop.time() + pause.total_seconds()
            if loop.time() >= end:
                return found
            await self._rest(queue, event, end)

    async def _rest(self, queue: str, event: asyncio.Event, end: float) -> None:
        """Wait until the queue is to be polled: its pause is over, the call at its end, or a message put here."""
        seconds = min(self._next_poll.get(queue, 0), end) - asyncio.get_running_loop().time()
        if seconds > 0 and await _set_within(event, seconds):
            self._is_busy(queue)

    def _is_busy(self, queue: str) -> None:
        """Something was found in the queue, or put there."""
        self._pauses.pop(queue, None)
        self._next_poll.pop(queue, None)
        self._busy_at = asyncio.get_running_loop().time()

    def _longest(self) -> timedelta:
        """How long a pause may get now."""
        since = asyncio.get_running_loop().time() - (self._busy_at or 0)
        if since < _IDLE_AFTER.total_seconds():
            return self.longest_pause
        idle = _IDLE_PAUSE * len(self._polled) if self.idle_pause is None else self.idle_pause
        return max(self.longest_pause, idle)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
