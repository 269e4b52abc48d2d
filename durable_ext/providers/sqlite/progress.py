"""Progress of running activities. It goes with its activity, or with its instance."""

from __future__ import annotations

from sqlite3 import Connection

from durable_ext.providers.sqlite.times import time_of
from durable_ext.records.payloads import inline
from durable_ext.records.progress import Report


def write(db: Connection, report: Report, time: str) -> None:
    """Put the report of a work item in the place of its last one."""
    db.execute(
        "INSERT OR REPLACE INTO progress (instance_id, work_item, task_id, name, time, value)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (report.instance_id, report.work_item, report.task_id, report.name, time, report.value.data.decode()),
    )


def of(db: Connection, instance_id: str) -> list[Report]:
    """The reports of an instance's activities."""
    found = db.execute(
        "SELECT work_item, task_id, name, time, value FROM progress WHERE instance_id = ?", (instance_id,)
    )
    return [
        Report(
            instance_id=instance_id,
            work_item=str(work_item),
            task_id=int(task_id),
            name=str(name),
            time=time_of(time),
            value=inline(str(value).encode()),
        )
        for work_item, task_id, name, time, value in found.fetchall()
    ]


def delete(db: Connection, instance_id: str, work_item: str) -> None:
    """Delete the report of a work item."""
    db.execute("DELETE FROM progress WHERE instance_id = ? AND work_item = ?", (instance_id, work_item))


def purge(db: Connection, instance_id: str) -> None:
    """Delete the reports of an instance."""
    db.execute("DELETE FROM progress WHERE instance_id = ?", (instance_id,))


def prune(db: Connection, instance_id: str, older_than: str) -> None:
    """Delete the reports of an instance that were written before a time."""
    db.execute("DELETE FROM progress WHERE instance_id = ? AND time < ?", (instance_id, older_than))


def sweep(db: Connection, older_than: str) -> None:
    """Delete reports written before a time, of instances without history."""
    db.execute(
        "DELETE FROM progress WHERE time < ? AND NOT EXISTS"
        " (SELECT 1 FROM history WHERE history.instance_id = progress.instance_id)",
        (older_than,),
    )
