"""Work items that nobody waits for any more: one row an id and time."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection


def note(db: Connection, work_items: Iterable[str], time: str) -> None:
    """Write the ids down. Done again, with the same ids and time, it changes nothing (P13)."""
    rows = [(time, work_item) for work_item in work_items]
    db.executemany("INSERT INTO withdrawals (time, work_item) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)


def since(db: Connection, time: str) -> frozenset[str]:
    """The ids noted at or after a time."""
    found = db.execute("SELECT work_item FROM withdrawals WHERE time >= ?", (time,))
    return frozenset(work_item for (work_item,) in found.fetchall())


def sweep(db: Connection, before: str) -> None:
    """Delete what was noted before a time."""
    db.execute("DELETE FROM withdrawals WHERE time < ?", (before,))
