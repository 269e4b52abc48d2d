"""Queues: messages hidden until a time, receipts that change whenever that time is set. Nothing expires."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import count

from durable_ext.providers.azure_storage.client import (
    PeekedMessage,
    QueueMessage,
    Receipt,
    StorageRefusedError,
    refusal,
)
from durable_ext.providers.contract import Clock
from durable_ext.testing.queued import Queued

_MAX_MESSAGE = 64 * 1024
_MAX_BATCH = 32
_MAX_HIDDEN = 7 * 24 * 3600


class _Kept:
    """A message in its queue."""

    __slots__ = ("dequeue_count", "inserted", "place", "receipt", "text", "visible_at")

    def __init__(self, text: str, inserted: datetime) -> None:
        self.text = text
        self.inserted = inserted
        self.dequeue_count = 0
        self.receipt = ""
        self.visible_at: datetime
        # Among those that became visible at the same time.
        self.place = 0


class Queues:
    """The queue service of one account. What has been visible for longest is handed out first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[str, dict[str, _Kept]] = {}
        # Replaced whenever a time to be visible was set.
        self._changed = asyncio.Event()
        self._numbers = count(1)

    def create(self, queue: str) -> None:
        """One that is there stays as it is."""
        self._queues.setdefault(queue, {})

    def delete(self, queue: str) -> None:
        """With all its messages."""
        self._queues.pop(queue, None)

    def put(self, queue: str, text: str, hidden: int) -> Receipt:
        """413 for a text over 64 KiB."""
        call = f"put message on {queue}"
        if len(text.encode()) > _MAX_MESSAGE:
            raise StorageRefusedError(call, 413, "RequestBodyTooLarge")
        _check_range(call, hidden, 0, _MAX_HIDDEN)
        kept = _Kept(text, self._clock())
        self._hide(kept, hidden)
        message_id = f"message-{next(self._numbers)}"
        self._messages(call, queue)[message_id] = kept
        return Receipt(message_id, kept.receipt)

    def get(self, queue: str, limit: int, lease: int) -> list[QueueMessage]:
        """What is visible, hidden from now on."""
        call = f"get messages from {queue}"
        _check_range(call, limit, 1, _MAX_BATCH)
        _check_range(call, lease, 1, _MAX_HIDDEN)
        visible = self._visible(call, queue)[:limit]
        for _, kept in visible:
            kept.dequeue_count += 1
            self._hide(kept, lease)
        return [QueueMessage(message_id, kept.receipt, kept.dequeue_count, kept.text) for message_id, kept in visible]

    def peek(self, queue: str) -> PeekedMessage | None:
        """What `get` would hand out first, left as it is. Times that people see have no fractions."""
        for _, kept in self._visible(f"peek into {queue}", queue):
            return PeekedMessage(kept.inserted.replace(microsecond=0), kept.dequeue_count, kept.text)
        return None

    def remove(self, queue: str, message_id: str, receipt: str) -> None:
        """404 when it is gone, 400 when it has another receipt."""
        self._held(f"delete message from {queue}", queue, message_id, receipt)
        del self._queues[queue][message_id]

    def update(self, queue: str, message_id: str, receipt: str, hidden: int) -> str:
        """Refused as `remove` is."""
        call = f"update message of {queue}"
        _check_range(call, hidden, 0, _MAX_HIDDEN)
        kept = self._held(call, queue, message_id, receipt)
        self._hide(kept, hidden)
        return kept.receipt

    async def arrival(self, queue: str) -> None:
        """Return once a message of the queue is visible."""
        while True:
            now = self._clock()
            soonest = min((kept.visible_at for kept in self._queues.get(queue, {}).values()), default=None)
            if soonest is not None and soonest <= now:
                return
            changed = self._changed
            try:
                async with asyncio.timeout(None if soonest is None else (soonest - now).total_seconds()):
                    await changed.wait()
            except TimeoutError:
                continue

    def queued(self) -> list[Queued]:
        """Every message as it lies there."""
        return [
            Queued(queue=queue, id=key, body=kept.text, received=kept.dequeue_count, visible_at=kept.visible_at)
            for queue, found in self._queues.items()
            for key, kept in found.items()
        ]

    def next_visible(self) -> datetime | None:
        """When the first message of all queues is visible, or was."""
        return min((kept.visible_at for queue in self._queues.values() for kept in queue.values()), default=None)

    def _hide(self, kept: _Kept, seconds: int) -> None:
        kept.visible_at = self._clock() + timedelta(seconds=seconds)
        kept.place = next(self._numbers)
        kept.receipt = f"receipt-{kept.place}"
        self._changed.set()
        self._changed = asyncio.Event()

    def _visible(self, call: str, queue: str) -> list[tuple[str, _Kept]]:
        now = self._clock()
        visible = [item for item in self._messages(call, queue).items() if item[1].visible_at <= now]
        return sorted(visible, key=lambda item: (item[1].visible_at, item[1].place))

    def _messages(self, call: str, queue: str) -> dict[str, _Kept]:
        messages = self._queues.get(queue)
        if messages is None:
            raise refusal(call, 404, "QueueNotFound")
        return messages

    def _held(self, call: str, queue: str, message_id: str, receipt: str) -> _Kept:
        kept = self._messages(call, queue).get(message_id)
        if kept is None:
            raise StorageRefusedError(call, 404, "MessageNotFound")
        if kept.receipt != receipt:
            raise StorageRefusedError(call, 400, "PopReceiptMismatch")
        return kept


def _check_range(call: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise StorageRefusedError(call, 400, "OutOfRangeQueryParameterValue")
