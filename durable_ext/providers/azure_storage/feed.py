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


class StorageFeed(Feed):
    """Long poll with back-off, from `first_pause` to `longest_pause`, doubling.

    The longest is how long a message of another process may wait when all is idle; both may be set at any time.
    """

    def __init__(self, queues: Queues, names: HubNames) -> None:
        self._queues = queues
        self._names = names
        self.first_pause = timedelta(milliseconds=10)
        self.longest_pause = timedelta(seconds=1)
        self._pauses: dict[str, timedelta] = {}

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
        while True:
            event.clear()
            found = await self._queues.receive(queue, min(limit, _BATCH), lease)
            left = end - loop.time()
            if found:
                self._pauses.pop(queue, None)
                return found
            if left <= 0:
                return found
            pause = min(self._pauses.get(queue, self.first_pause), self.longest_pause)
            self._pauses[queue] = pause * 2
            if await _set_within(event, min(pause.total_seconds(), left)):
                self._pauses.pop(queue, None)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
