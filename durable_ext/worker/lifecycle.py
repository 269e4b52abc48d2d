"""Publishes life-cycle events behind the commits they are of, in the background. Delivery is best effort.

No turn waits for it and none fails with it. What cannot be sent is tried again for a bounded time, and what waits has a
bound. A process that dies takes along what it has not sent; when the message that led to the change comes back, as it
does after a crash, the change is published again under the same id (P6).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import OrderedDict, deque
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from durable_ext.authoring.lifecycle import PUBLISHED, LifecycleEvent, LifecyclePublisher
from durable_ext.records.events import ExecutionCompleted, ExecutionFailed, ExecutionTerminated
from durable_ext.records.failures import reason_of
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.turns import Turn

logger = logging.getLogger("durable_ext.lifecycle")

_MOST_WAITING = 10_000
_BATCH = 50
_LONGEST_ATTEMPT = 30.0
_MOST_REMEMBERED = 10_000


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """Who publishes, and what. `hub` is the name that events give; `retries` follow a failed attempt, with
    `retry_interval` before each."""

    publisher: LifecyclePublisher
    hub: str = ""
    statuses: frozenset[RuntimeStatus] = PUBLISHED
    retries: int = 0
    retry_interval: timedelta = timedelta(minutes=5)


class Notices:
    """The events of one worker that wait to be published. Without a publisher there are none."""

    def __init__(self, lifecycle: Lifecycle | None) -> None:
        self._lifecycle = lifecycle
        self._waiting: deque[LifecycleEvent] = deque()
        self._in_hand = 0
        self._told: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending = False
        self._closing = asyncio.Event()
        self._dropped = 0

    def committed(self, turn: Turn, name: str) -> None:
        """A turn of an orchestration of this name was committed, or is found to have been."""
        lifecycle = self._lifecycle
        if lifecycle is None or is_entity(turn.execution.instance_id):
            return
        for status, reason in _changes(turn):
            if status in lifecycle.statuses:
                self._add(_event(lifecycle, turn, name, status, reason))

    def committed_again(self, turns: Iterable[Turn], message_id: str, name: str) -> None:
        """A message that these turns may have answered for has come back: perhaps nobody was told of them (P6)."""
        if self._lifecycle is not None:
            for turn in turns:
                if message_id == turn.trigger_id or message_id in turn.message_ids:
                    self.committed(turn, name)

    async def close(self, grace: timedelta) -> None:
        """Send what waits, for as long as `grace`; a pause before a retry is cut short, and what is left is dropped."""
        self._closing.set()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace.total_seconds()
        while self._tasks and (left := end - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._in_hand:
            logger.warning("%d life-cycle events were not published before the end", self._in_hand)
        self._waiting.clear()
        self._in_hand = 0

    def _add(self, event: LifecycleEvent) -> None:
        if event.id in self._told:
            return
        self._told[event.id] = None
        if len(self._told) > _MOST_REMEMBERED:
            self._told.popitem(last=False)
        if self._in_hand >= _MOST_WAITING:
            self._dropped += 1
            if self._dropped == 1:
                logger.error("%d life-cycle events wait to be published; what follows is dropped", self._in_hand)
            return
        self._in_hand += 1
        self._waiting.append(event)
        if not self._sending:
            self._sending = True
            self._begin(self._send())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                if not await self._attempt(batch, 0):
                    self._begin(self._try_again(batch))
        finally:
            self._sending = False

    async def _try_again(self, batch: Sequence[LifecycleEvent]) -> None:
        """Those behind do not wait for it: the topic promises no order."""
        lifecycle = self._lifecycle
        for number in range(1, 1 if lifecycle is None else lifecycle.retries + 1):
            await self._pause(lifecycle)
            if await self._attempt(batch, number):
                return

    async def _pause(self, lifecycle: Lifecycle | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if lifecycle is None else lifecycle.retry_interval.total_seconds()):
                await self._closing.wait()

    async def _attempt(self, batch: Sequence[LifecycleEvent], number: int) -> bool:
        """Whether these events are dealt with: sent, or dropped."""
        lifecycle = self._lifecycle
        if lifecycle is None:
            return True
        try:
            async with asyncio.timeout(_LONGEST_ATTEMPT):
                await lifecycle.publisher.publish(batch)
        except Exception as error:  # noqa: BLE001 - whatever the publisher raises, the engine goes on
            if number < lifecycle.retries and getattr(error, "retryable", True) and self._may_wait(number):
                logger.info("%d life-cycle events are tried again: %s", len(batch), reason_of(error))
                return False
            logger.warning("%d life-cycle events are not published: %s", len(batch), reason_of(error))
        self._in_hand -= len(batch)
        self._say_dropped()
        return True

    def _may_wait(self, number: int) -> bool:
        """At the end each has one more attempt, and no other."""
        return number == 0 or not self._closing.is_set()

    def _say_dropped(self) -> None:
        if self._dropped and self._in_hand < _MOST_WAITING // 2:
            logger.error("%d life-cycle events were dropped", self._dropped)
            self._dropped = 0


def _changes(turn: Turn) -> Iterator[tuple[RuntimeStatus, str]]:
    # The first turn of an execution that follows a continue-as-new has no message: it goes on. What is terminated in
    # its first turn has never run.
    if turn.number == 0 and turn.message_ids and not isinstance(turn.events[-1], ExecutionTerminated):
        yield RuntimeStatus.RUNNING, ""
    match turn.events[-1] if turn.events else None:
        case ExecutionCompleted():
            yield RuntimeStatus.COMPLETED, ""
        case ExecutionFailed() as event:
            yield RuntimeStatus.FAILED, event.failure.summary
        case ExecutionTerminated() as event:
            yield RuntimeStatus.TERMINATED, event.reason
        case _:
            pass


def _event(lifecycle: Lifecycle, turn: Turn, name: str, status: RuntimeStatus, reason: str) -> LifecycleEvent:
    change = f"{turn.execution.instance_id}\n{turn.execution.execution_id}\n{status.value}"
    return LifecycleEvent(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, change)),
        hub=lifecycle.hub,
        name=name,
        instance_id=turn.execution.instance_id,
        status=status,
        time=turn.time,
        reason=reason,
    )
