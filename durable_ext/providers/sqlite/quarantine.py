"""Messages that cannot be processed, kept with their reason until an operator decides (P11)."""

from __future__ import annotations

from sqlite3 import Connection

from durable_ext.providers.sqlite.times import time_of, time_text
from durable_ext.records.messages import Quarantined

_COLUMNS = "id, queue, body, reason, instance_id, dequeue_count, time"


def keep(db: Connection, message: Quarantined) -> None:
    """Keep a message; doing it twice writes the same row (P13)."""
    db.execute(
        f"INSERT OR REPLACE INTO quarantine ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own columns
        (
            message.id,
            message.queue,
            message.body,
            message.reason,
            message.instance_id,
            message.dequeue_count,
            time_text(message.time),
        ),
    )


def oldest(db: Connection, limit: int) -> list[Quarantined]:
    """The oldest kept messages, in the order of their times."""
    found = db.execute(f"SELECT {_COLUMNS} FROM quarantine ORDER BY time, id LIMIT ?", (limit,))  # noqa: S608 - our own columns
    return [
        Quarantined(
            id=message_id,
            queue=queue,
            body=body,
            reason=reason,
            instance_id=instance_id,
            dequeue_count=dequeue_count,
            time=time_of(time),
        )
        for message_id, queue, body, reason, instance_id, dequeue_count, time in found.fetchall()
    ]


def release(db: Connection, message_id: str, visible_at: str | None) -> str | None:
    """Forget a message, after putting it back on its queue when `visible_at` is given; its queue, None without it."""
    found = db.execute("SELECT queue, body FROM quarantine WHERE id = ?", (message_id,)).fetchone()
    if found is None:
        return None
    if visible_at is not None:
        db.execute("INSERT INTO messages (queue, visible_at, body) VALUES (?, ?, ?)", (found[0], visible_at, found[1]))
    db.execute("DELETE FROM quarantine WHERE id = ?", (message_id,))
    return str(found[0])
