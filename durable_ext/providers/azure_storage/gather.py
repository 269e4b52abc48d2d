"""One put in flight for each queue; what arrives for that queue meanwhile shares the next queue message (S7).

Free when idle, since nothing waits for company. Messages that are due at different times cannot share, so each time is
a lane of its own; lanes of delayed messages run a few at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from durable_ext.errors import StorageError, StorageUnavailableError
from durable_ext.records.codec import encode_messages
from durable_ext.records.limits import MAX_ITEMS_PER_MESSAGE, MAX_QUEUE_MESSAGE_BYTES
from durable_ext.records.messages import Message

_DELAYED_AT_ONCE = 8

# Puts one body on a queue, hidden until a time.
Put = Callable[[str, bytes, datetime | None], Awaitable[None]]


class Parcel:
    """A message on its way, encoded. One that names a blob travels alone and has no `message`."""

    __slots__ = ("body", "due", "message", "queue", "ticket")

    def __init__(self, queue: str, due: datetime | None, body: bytes, message: Message | None) -> None:
        self.queue = queue
        self.due = due
        self.body = body
        self.message = message
        self.ticket: _Ticket | None = None


class _Ticket:
    """Tells a sender that all its parcels are stored, or that one was not."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stored(self) -> None:
        self._left -= 1
        if self._left == 0 and not self.done.done():
            self.done.set_result(None)

    def failed(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Gather:
    """The lanes of one process."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._lanes: dict[tuple[str, datetime | None], deque[Parcel]] = {}
        self._pumps: set[asyncio.Task[None]] = set()
        self._delayed = asyncio.Semaphore(_DELAYED_AT_ONCE)

    async def send(self, parcels: Iterable[Parcel]) -> None:
        """Return when all parcels are stored. Raises the StorageError of the first that was not."""
        todo = list(parcels)
        if not todo:
            return
        ticket = _Ticket(len(todo))
        for parcel in todo:
            parcel.ticket = ticket
            self._enqueue(parcel)
        await ticket.done

    async def close(self) -> None:
        """Stop; who still waits gets StorageUnavailableError. Repeatable."""
        for lane in self._lanes.values():
            _fail(lane, StorageUnavailableError("the provider was closed before the message was sent"))
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def _enqueue(self, parcel: Parcel) -> None:
        key = (parcel.queue, parcel.due)
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(parcel)
            return
        self._lanes[key] = deque((parcel,))
        pump = asyncio.create_task(self._pump(key))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _pump(self, key: tuple[str, datetime | None]) -> None:
        lane = self._lanes[key]
        try:
            while lane:
                if key[1] is None:
                    await self._put_next(key, lane)
                else:
                    async with self._delayed:
                        await self._put_next(key, lane)
        finally:
            del self._lanes[key]

    async def _put_next(self, key: tuple[str, datetime | None], lane: deque[Parcel]) -> None:
        batch = take(lane)
        try:
            await self._put(key[0], _body(batch), key[1])
        except StorageError as error:
            _fail(batch, error)
        except BaseException as error:
            stopped = StorageUnavailableError("sending was stopped") if _is_cancelled(error) else error
            _fail(batch, stopped)
            _fail(lane, stopped)
            raise
        else:
            for parcel in batch:
                if parcel.ticket is not None:
                    parcel.ticket.stored()


def take(lane: deque[Parcel]) -> list[Parcel]:
    """The parcels of the next queue message, taken off the lane: as many as fit by size and count."""
    batch = [lane.popleft()]
    size = len(batch[0].body)
    if batch[0].message is None:
        return batch
    while lane and len(batch) < MAX_ITEMS_PER_MESSAGE:
        following = lane[0]
        size += len(following.body)
        if following.message is None or size > MAX_QUEUE_MESSAGE_BYTES:
            break
        batch.append(lane.popleft())
    return batch


def _body(batch: list[Parcel]) -> bytes:
    if len(batch) == 1:
        return batch[0].body
    return encode_messages([parcel.message for parcel in batch if parcel.message is not None])


def _fail(parcels: Iterable[Parcel], error: BaseException) -> None:
    for parcel in parcels:
        if parcel.ticket is not None:
            parcel.ticket.failed(error)


def _is_cancelled(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError)
