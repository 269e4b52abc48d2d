"""What takes history away: purge, prune and sweep (P3, P7, P10). Each is one transaction, so none is ever half done.

A purge leaves a tombstone for every execution, so that a stalled process still loses whatever turn it tries.
"""

from __future__ import annotations

from sqlite3 import Connection

from durable_ext.providers.sqlite import claims, history, instances, progress
from durable_ext.records.instance import Execution

Log = tuple[str, int, str]
# Pages that one transaction gives back to the disk: some milliseconds, for which it holds up other writers.
_PAGES_AT_ONCE = 200
_OF_LOG = "instance_id = ? AND generation = ? AND execution_id = ?"


def purge(db: Connection, execution: Execution, now: str) -> None:
    """Delete history, claims and row (P10). An instance that was started anew meanwhile is left alone.

    All history of the id goes: in this transaction there is none yet of an execution that starts later.
    """
    instance_id = execution.instance_id
    stored = instances.read(db, instance_id)
    if stored is not None and stored.row.execution != execution:
        return
    tombstone = "INSERT INTO tombstones (instance_id, generation, execution_id, purged_at)"
    db.execute(
        f"{tombstone} SELECT instance_id, generation, execution_id, ? FROM history WHERE instance_id = ?"  # noqa: S608 - our own columns
        " AND turn = 0 ON CONFLICT DO NOTHING",
        (now, instance_id),
    )
    of = (instance_id, execution.generation, execution.execution_id)
    db.execute(f"{tombstone} VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (*of, now))
    db.execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))
    claims.purge(db, instance_id)
    progress.purge(db, instance_id)
    instances.delete(db, execution)


def shrink(db: Connection) -> bool:
    """Give room that nothing uses back to the disk, for some milliseconds; whether there is more to give back.

    A file that an earlier build made has no room to give back: it cannot be told what lies behind a page.
    """
    before = _free_pages(db)
    if before:
        db.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    return 0 < _free_pages(db) < before


def _free_pages(db: Connection) -> int:
    return int(db.execute("PRAGMA freelist_count").fetchone()[0])


def prune(db: Connection, instance_id: str, below_generation: int, older_than: str) -> None:
    """Delete executions below a generation that ended before a time, and claims made before it (P7). The current
    execution stays, whatever generation it has."""
    current = history.current(db, instance_id)
    below = below_generation if current is None else min(below_generation, current.generation)
    ended = db.execute(
        "SELECT instance_id, generation, execution_id FROM history WHERE instance_id = ? AND generation < ?"
        " AND terminal AND time < ?",
        (instance_id, below, older_than),
    )
    _delete(db, ended.fetchall())
    claims.prune(db, instance_id, older_than)
    progress.prune(db, instance_id, older_than)


def headless(db: Connection, older_than: str) -> list[Log]:
    """Logs without their turn 0 that were written before a time (P3). Reads the whole table."""
    found = db.execute(
        "SELECT instance_id, generation, execution_id FROM history GROUP BY instance_id, generation, execution_id"
        " HAVING min(turn) > 0"
    )
    return [log for log in found.fetchall() if _last_time(db, log) < older_than]


def sweep(db: Connection, older_than: str, logs: list[Log]) -> int:
    """Delete the tombstones of purges before a time, and these logs unless they got a turn 0; how many."""
    swept = db.execute("DELETE FROM tombstones WHERE purged_at < ?", (older_than,)).rowcount
    swept += _delete(db, [log for log in logs if not _has_start(db, log)])
    claims.sweep(db, older_than)
    progress.sweep(db, older_than)
    return swept


def _delete(db: Connection, logs: list[Log]) -> int:
    for log in logs:
        db.execute(f"DELETE FROM history WHERE {_OF_LOG}", log)  # noqa: S608 - our own columns
    return len(logs)


def _has_start(db: Connection, log: Log) -> bool:
    found = db.execute(f"SELECT 1 FROM history WHERE {_OF_LOG} AND turn = 0", log)  # noqa: S608 - our own columns
    return found.fetchone() is not None


def _last_time(db: Connection, log: Log) -> str:
    found = db.execute(f"SELECT time FROM history WHERE {_OF_LOG} ORDER BY turn DESC LIMIT 1", log)  # noqa: S608 - our own columns
    return str(found.fetchone()[0])
