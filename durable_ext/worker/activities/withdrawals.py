"""Work items nobody waits for any more: not begun when they come, stopped while they run.

The orchestrator's process notes them in storage; other processes cannot be told, so they look: before they begin an
item that has waited, and once a while as long as any runs. A bounded number of calls for a process, and none for work
items that are begun at once and end soon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

from durable_ext.errors import StorageError
from durable_ext.providers.contract import Clock, Provider
from durable_ext.records.messages import FinishTask, Message
from durable_ext.worker.mishaps import Mishaps

logger = logging.getLogger("durable_ext.worker")

# An item younger than this is begun without a look, and a look is good for as long.
_MOMENT = timedelta(seconds=1)
# Clocks of two machines differ by less.
_SKEW = timedelta(minutes=1)
_MOST_KNOWN = 10_000


class Withdrawals:
    """The withdrawn work items this process has heard of, and the tasks of those it runs from the queue."""

    def __init__(self, provider: Provider, clock: Clock, interval: timedelta, mishaps: Mishaps) -> None:
        self._provider = provider
        self._mishaps = mishaps
        self._clock = clock
        self._interval = interval
        self._known: set[str] = set()
        self._known_since: datetime | None = None
        self._looked_at: datetime | None = None
        self._looking = asyncio.Lock()
        self._running: dict[asyncio.Task[FinishTask], Message] = {}
        self._stopped: set[asyncio.Task[FinishTask]] = set()
        self._watching: asyncio.Task[None] | None = None

    async def withdraw(self, work_items: Sequence[str]) -> None:
        """Have these work items not begun, and stopped where they run. Raises StorageError."""
        self._known.update(work_items)
        self._stop_withdrawn()
        await self._provider.withdraw(work_items, self._clock())

    async def run(self, message: Message, work: Callable[[], Coroutine[Any, Any, FinishTask]]) -> FinishTask | None:
        """The outcome of a work item; None when it was withdrawn before it began or while it ran.

        Raises StorageError, and what `work` raises.
        """
        if self._clock() - message.sent_at >= _MOMENT:
            await self._look(message.sent_at, _MOMENT)
        if message.id in self._known:
            logger.info("work item %s is not begun: nobody waits for it any more", message.id)
            return None
        return await self._watched(asyncio.create_task(work()), message)

    async def close(self) -> None:
        """Watch no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watched(self, task: asyncio.Task[FinishTask], message: Message) -> FinishTask | None:
        self._running[task] = message
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            return await task
        except asyncio.CancelledError:
            if task in self._stopped and not _is_asked_to_stop():
                logger.info("work item %s is stopped: nobody waits for it any more", message.id)
                return None
            raise
        finally:
            del self._running[task]
            self._stopped.discard(task)

    async def _watch(self) -> None:
        while self._running:
            await asyncio.sleep(self._interval.total_seconds())
            if not self._running:
                return
            try:
                await self._look(min(message.sent_at for message in self._running.values()), self._interval)
            except StorageError as error:
                logger.warning("withdrawn work items are looked up again later: %s", error)
            except Exception as error:  # noqa: BLE001 - who looks no more stops nothing any more
                self._mishaps.met("withdrawals", error)
            self._stop_withdrawn()

    async def _look(self, since: datetime, age: timedelta) -> None:
        """Learn what was withdrawn since a time, unless that was done within `age`."""
        async with self._looking:
            now = self._clock()
            since -= _SKEW
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
                self._known_since = self._looked_at = None
            if self._known_since is not None and self._looked_at is not None and since >= self._known_since:
                if now - self._looked_at < age:
                    return
                since = self._looked_at - _SKEW
            else:
                self._known_since = since
            self._known |= await self._provider.withdrawn(since)
            self._looked_at = now

    def _stop_withdrawn(self) -> None:
        for task, message in self._running.items():
            if message.id in self._known:
                self._stopped.add(task)
                task.cancel()


def _is_asked_to_stop() -> bool:
    """Whether the task that waits is itself being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
