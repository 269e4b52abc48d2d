"""Which process holds an affinity: one statement decides, by the clock of who asks."""

from __future__ import annotations

from sqlite3 import Connection


def hold(db: Connection, name: str, holder: str, now: str, until: str) -> str:
    """Hold it until a time unless somebody else does; who holds it then."""
    db.execute(
        "INSERT INTO affinities (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE holder = excluded.holder OR until <= ?",
        (name, holder, until, now),
    )
    return db.execute("SELECT holder FROM affinities WHERE name = ?", (name,)).fetchone()[0]


def release(db: Connection, name: str, holder: str) -> None:
    """Hold it no more."""
    db.execute("DELETE FROM affinities WHERE name = ? AND holder = ?", (name, holder))


def sweep(db: Connection, before: str) -> None:
    """Delete what nobody holds since a time."""
    db.execute("DELETE FROM affinities WHERE until < ?", (before,))
