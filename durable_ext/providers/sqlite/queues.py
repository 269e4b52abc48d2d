"""The messages table: peek-lock queues. A message holds one record; receiving hides it under a new receipt.

The oldest visible message comes first, counted from the time it became visible, so that a stream of new ones starves
nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import TypeVar

import msgspec

from durable_ext.errors import LeaseLostError
from durable_ext.providers.contract import Clock
from durable_ext.providers.sqlite.database import Database
from durable_ext.providers.sqlite.times import time_of, time_text
from durable_ext.records.codec import DecodeError, decode_messages, encode_messages
from durable_ext.records.failures import stack_of
from durable_ext.records.ids import partition_of
from durable_ext.records.messages import Defect, Delivery, Message

T = TypeVar("T")

WORK = "workitems"
# No message has this receipt.
_NO_RECEIPT = -1


def control(partition: int) -> str:
    """The name of a control queue."""
    return f"control-{partition:02d}"


def work(tag: str) -> str:
    """The name of the queue of the work items with a tag."""
    return f"{WORK}-{tag}" if tag else WORK


class _Taken(msgspec.Struct, frozen=True):
    number: int
    receipt: int
    dequeue_count: int
    body: str


class Queues:
    """All queues of the hub. `event(queue)` is set whenever this process showed a message or will show one later."""

    def __init__(self, database: Database, partitions: int, clock: Clock) -> None:
        self._database = database
        self._partitions = partitions
        self._clock = clock
        self._events: dict[str, asyncio.Event] = {}

    def event(self, queue: str) -> asyncio.Event:
        """Set when a receiver should look again; it clears the event before it looks."""
        return self._events.setdefault(queue, asyncio.Event())

    async def send(self, messages: Sequence[Message]) -> None:
        """Put messages, each hidden until its `due`. All or nothing."""
        if not messages:
            return
        now = self._clock()
        await self._put(
            [(self._queue_of(message), time_text(max(message.due or now, now)), _body(message)) for message in messages]
        )

    def home_of(self, body: str) -> str:
        """The queue that the message of a body goes to. Raises DecodeError."""
        content = decode_messages(body)
        if isinstance(content, str):
            raise DecodeError("the message names a blob, and this store has none")
        return self._queue_of(content[0])

    async def put_body(self, queue: str, body: str) -> None:
        """Put a body as it is, visible at once."""
        await self._put([(queue, time_text(self._clock()), body)])

    async def write_to_any(self, operation: Callable[[Connection], T]) -> T:
        """Write what may put a message on a queue that only the write itself finds out."""
        return await self._write_and_wake(self._events, operation)

    async def reserve(self, message: Message, lease: timedelta) -> Delivery:
        """Put a message and receive it in the same transaction (S4)."""
        now = self._clock()
        queue, body, hidden = self._queue_of(message), _body(message), time_text(now + lease)

        def put(db: Connection) -> int:
            done = db.execute(
                "INSERT INTO messages (queue, visible_at, receipt, dequeue_count, body, put_at)"
                " VALUES (?, ?, 1, 1, ?, ?)",
                (queue, hidden, body, time_text(now)),
            )
            return done.lastrowid or 0

        number = await self._write_and_wake([queue], put)
        return Delivery(queue=queue, id=str(number), receipt="1", dequeue_count=1, messages=(message,))

    async def next_visible_of_all(self) -> datetime | None:
        """When the first message of any queue is visible, or was; None when there is no message at all."""

        def look(db: Connection) -> datetime | None:
            found = db.execute("SELECT min(visible_at) FROM messages").fetchone()
            return None if found[0] is None else time_of(found[0])

        return await self._database.read(look)

    async def next_visible(self, queue: str) -> datetime | None:
        """When the first message of the queue is visible, or was; None when the queue is empty."""

        def look(db: Connection) -> datetime | None:
            found = db.execute(
                "SELECT visible_at FROM messages WHERE queue = ? ORDER BY visible_at LIMIT 1", (queue,)
            ).fetchone()
            return None if found is None else time_of(found[0])

        return await self._database.read(look)

    async def oldest(self, queue: str) -> datetime | None:
        """When the message that would be received next was put; None when none is visible."""
        now = time_text(self._clock())

        def look(db: Connection) -> datetime | None:
            # A message that an earlier build put has no time of its own.
            found = db.execute(
                "SELECT coalesce(put_at, visible_at) FROM messages WHERE queue = ? AND visible_at <= ?"
                " ORDER BY visible_at, number LIMIT 1",
                (queue, now),
            ).fetchone()
            return None if found is None else time_of(found[0])

        return await self._database.read(look)

    async def take(self, queue: str, limit: int, lease: timedelta) -> list[Delivery]:
        """Receive up to `limit` visible messages. When the caller is cancelled meanwhile they are shown again."""
        now = self._clock()
        visible, hidden = time_text(now), time_text(now + lease)
        taken: list[_Taken] = []

        def receive(db: Connection) -> None:
            taken[:] = _receive(db, queue, visible, limit)
            db.executemany(
                "UPDATE messages SET visible_at = ?, receipt = receipt + 1, dequeue_count = dequeue_count + 1"
                " WHERE number = ?",
                [(hidden, row.number) for row in taken],
            )

        try:
            await self._database.write(receive)
        except asyncio.CancelledError:
            await self._show(queue, visible, [(row.number, row.receipt) for row in taken])
            raise
        return [delivery_of(queue, str(row.number), str(row.receipt), row.body, row.dequeue_count) for row in taken]

    async def complete(self, delivery: Delivery) -> None:
        """Delete the message, unless somebody else has it."""
        key = _key(delivery)
        await self._database.write(_deletion(key))

    async def abandon(self, delivery: Delivery, delay: timedelta) -> None:
        """Show the message after `delay`, unless somebody else has it."""
        await self._show(delivery.queue, time_text(self._clock() + delay), [_key(delivery)])

    async def extend(self, delivery: Delivery, lease: timedelta) -> Delivery:
        """Hide the message from now on; a new receipt. Raises LeaseLostError."""
        key = _key(delivery)
        hidden = time_text(self._clock() + lease)
        if not await self._database.write(lambda db: _hide_until(db, hidden, [key])):
            raise LeaseLostError(f"message {delivery.id} of {delivery.queue} is gone or was taken by another process")
        return msgspec.structs.replace(delivery, receipt=str(key[1] + 1))

    async def _put(self, rows: Sequence[tuple[str, str, str]]) -> None:
        now = time_text(self._clock())

        def put(db: Connection) -> None:
            db.executemany(
                "INSERT INTO messages (queue, visible_at, body, put_at) VALUES (?, ?, ?, ?)",
                [(*row, now) for row in rows],
            )

        await self._write_and_wake(dict.fromkeys(row[0] for row in rows), put)

    async def _show(self, queue: str, visible: str, keys: Sequence[tuple[int, int]]) -> None:
        if keys:
            await self._write_and_wake([queue], lambda db: _hide_until(db, visible, keys))

    async def _write_and_wake(self, queues: Iterable[str], operation: Callable[[Connection], T]) -> T:
        """Write, then wake who waits for these queues: a caller that is cancelled meanwhile may have written (P13)."""
        try:
            return await self._database.write(operation)
        finally:
            for queue in queues:
                self.event(queue).set()

    def _queue_of(self, message: Message) -> str:
        return (
            work(message.work_tag)
            if message.is_work_item
            else control(partition_of(message.instance_id, self._partitions))
        )


def delivery_of(queue: str, message_id: str, receipt: str | None, body: str, dequeue_count: int) -> Delivery:
    """A delivery of a body; a body that cannot be decoded becomes its defect (P11)."""
    messages: tuple[Message, ...] = ()
    defect: Defect | None = None
    try:
        content = decode_messages(body)
        if isinstance(content, str):
            raise DecodeError("the message names a blob, and this store has none")
        messages = content
    except (DecodeError, UnicodeError) as error:
        defect = Defect(reason=f"the message cannot be decoded: {error}", body=body, stack=stack_of(error))
    return Delivery(
        queue=queue, id=message_id, receipt=receipt, dequeue_count=dequeue_count, messages=messages, defect=defect
    )


def _receive(db: Connection, queue: str, visible: str, limit: int) -> list[_Taken]:
    found = db.execute(
        "SELECT number, receipt, dequeue_count, body FROM messages WHERE queue = ? AND visible_at <= ?"
        " ORDER BY visible_at, number LIMIT ?",
        (queue, visible, limit),
    )
    return [_Taken(number, receipt + 1, count + 1, body) for number, receipt, count, body in found.fetchall()]


def _hide_until(db: Connection, time: str, keys: Iterable[tuple[int, int]]) -> int:
    done = db.executemany(
        "UPDATE messages SET visible_at = ?, receipt = receipt + 1 WHERE number = ? AND receipt = ?",
        [(time, number, receipt) for number, receipt in keys],
    )
    return done.rowcount


def _deletion(key: tuple[int, int]) -> Callable[[Connection], None]:
    def delete(db: Connection) -> None:
        db.execute("DELETE FROM messages WHERE number = ? AND receipt = ?", key)

    return delete


def _body(message: Message) -> str:
    return encode_messages((message,)).decode()


def _key(delivery: Delivery) -> tuple[int, int]:
    """Number and receipt, as the queue has them."""
    receipt = delivery.receipt or ""
    if not (delivery.id.isdecimal() and receipt.isdecimal()):
        return _NO_RECEIPT, _NO_RECEIPT
    return int(delivery.id), int(receipt)
