"""Claims of at-most-once work items: one insert decides. They go with their instance, or when no delivery is as old."""

from __future__ import annotations

from sqlite3 import Connection


def claim(db: Connection, instance_id: str, work_item: str, claimant: str, now: str) -> bool:
    """Insert the claim; False when another claimant's is there. One by our claimant is our own (P13)."""
    done = db.execute(
        "INSERT INTO claims (instance_id, work_item, claimant, time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (instance_id, work_item, claimant, now),
    )
    if done.rowcount == 1:
        return True
    found = db.execute(
        "SELECT claimant FROM claims WHERE instance_id = ? AND work_item = ?", (instance_id, work_item)
    ).fetchone()
    return found[0] == claimant


def purge(db: Connection, instance_id: str) -> None:
    """Delete the claims of an instance."""
    db.execute("DELETE FROM claims WHERE instance_id = ?", (instance_id,))


def prune(db: Connection, instance_id: str, older_than: str) -> None:
    """Delete the claims of an instance that were made before a time."""
    db.execute("DELETE FROM claims WHERE instance_id = ? AND time < ?", (instance_id, older_than))


def sweep(db: Connection, older_than: str) -> None:
    """Delete claims made before a time, of instances without history: their process did not know of the purge."""
    db.execute(
        "DELETE FROM claims WHERE time < ? AND NOT EXISTS"
        " (SELECT 1 FROM history WHERE history.instance_id = claims.instance_id)",
        (older_than,),
    )
