"""Messages that cannot be processed, kept with their reason until an operator decides (P11)."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection
from typing import Any

from durable_ext.providers.sqlite.times import time_of, time_text
from durable_ext.records.limits import MAX_PAGE_BYTES
from durable_ext.records.messages import Quarantined

_COLUMNS = "id, queue, body, reason, instance_id, dequeue_count, time, stack"


def keep(db: Connection, message: Quarantined) -> None:
    """Keep a message; doing it twice writes the same row (P13)."""
    db.execute(
        f"INSERT OR REPLACE INTO quarantine ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own columns
        (
            message.id,
            message.queue,
            message.body,
            message.reason,
            message.instance_id,
            message.dequeue_count,
            time_text(message.time),
            message.stack,
        ),
    )


def oldest(db: Connection, limit: int) -> list[Quarantined]:
    """The oldest kept messages, in the order of their times; fewer where they are long."""
    found = db.execute(f"SELECT {_COLUMNS} FROM quarantine ORDER BY time, id LIMIT ?", (limit,))  # noqa: S608 - our own columns
    kept: list[Quarantined] = []
    length = 0
    for row in found:
        kept.append(_message_of(row))
        length += len(kept[-1].body) + len(kept[-1].stack)
        if length > MAX_PAGE_BYTES:
            break
    return kept


def find(db: Connection, message_id: str) -> Quarantined | None:
    """One kept message, or None."""
    found = db.execute(f"SELECT {_COLUMNS} FROM quarantine WHERE id = ?", (message_id,)).fetchone()  # noqa: S608 - our own columns
    return None if found is None else _message_of(found)


def release(db: Connection, message_id: str, visible_at: str | None, home_of: Callable[[str], str]) -> str | None:
    """Forget a message, after putting it back on its queue when `visible_at` is given; its queue, None without it.

    `home_of` tells the queue of a body: one given up by a process that had not received it names none.
    """
    found = db.execute("SELECT queue, body FROM quarantine WHERE id = ?", (message_id,)).fetchone()
    if found is None:
        return None
    queue, body = str(found[0]), str(found[1])
    if visible_at is not None:
        queue = queue or home_of(body)
        db.execute("INSERT INTO messages (queue, visible_at, body) VALUES (?, ?, ?)", (queue, visible_at, body))
    db.execute("DELETE FROM quarantine WHERE id = ?", (message_id,))
    return queue


def _message_of(row: tuple[Any, ...]) -> Quarantined:
    message_id, queue, body, reason, instance_id, dequeue_count, time, stack = row
    return Quarantined(
        id=message_id,
        queue=queue,
        body=body,
        reason=reason,
        instance_id=instance_id,
        dequeue_count=dequeue_count,
        time=time_of(time),
        stack=stack or "",  # a row that an earlier build wrote has none
    )
