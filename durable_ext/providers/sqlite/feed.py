"""Where deliveries come from: a receiver sleeps until a message is due, or this process puts one, or another may have.

What other processes put is found by polling, and the poll slows down while a queue is empty. `:memory:` has no other
processes and needs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from durable_ext.providers.contract import Clock
from durable_ext.providers.sqlite.queues import Queues
from durable_ext.records.messages import Delivery

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25
# Times have microseconds, so that a wait for a due time may end just short of it.
_SHORTEST_PAUSE = 0.001


class QueueFeed:
    """Long poll of the queues of one hub. `polls` says whether other processes may put messages."""

    def __init__(self, queues: Queues, clock: Clock, *, polls: bool) -> None:
        self._queues = queues
        self._clock = clock
        self._polls = polls
        self._pauses: dict[str, float] = {}

    async def receive(self, queue: str, *, limit: int, lease: timedelta, wait: timedelta) -> Sequence[Delivery]:
        """Up to `limit` deliveries; empty when nothing came within `wait`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait.total_seconds()
        event = self._queues.event(queue)
        while True:
            event.clear()
            due = await self._queues.next_visible(queue)
            until_due = None if due is None else (due - self._clock()).total_seconds()
            if until_due is not None and until_due <= 0:
                if found := await self._queues.take(queue, limit, lease):
                    self._pauses.pop(queue, None)
                    return found
                continue  # another process was faster
            left = end - loop.time()
            if left <= 0:
                return ()
            if await _set_within(event, self._pause(queue, left, until_due)):
                self._pauses.pop(queue, None)

    def _pause(self, queue: str, left: float, until_due: float | None) -> float:
        pause = left if until_due is None else min(left, until_due)
        if self._polls:
            poll = self._pauses.get(queue, _FIRST_PAUSE)
            self._pauses[queue] = min(poll * 2, _LONGEST_PAUSE)
            pause = min(pause, poll)
        return max(pause, _SHORTEST_PAUSE)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
