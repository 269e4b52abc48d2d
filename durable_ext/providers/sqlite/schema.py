"""The tables of a hub. Events and rows are JSON text and times ISO text, so that people can query the file."""

from __future__ import annotations

from sqlite3 import Connection

from durable_ext.errors import HubMismatchError

FORMAT_VERSION = 1

_TABLES = (
    "meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """instances (
        number INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL UNIQUE, execution_id TEXT NOT NULL,
        name TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
        revision INTEGER NOT NULL DEFAULT 1, record TEXT NOT NULL)""",
    """history (
        instance_id TEXT NOT NULL, generation INTEGER NOT NULL, execution_id TEXT NOT NULL, turn INTEGER NOT NULL,
        time TEXT NOT NULL, terminal INTEGER NOT NULL, trigger_id TEXT NOT NULL, commit_id TEXT NOT NULL,
        message_ids TEXT NOT NULL, events TEXT NOT NULL,
        PRIMARY KEY (instance_id, generation, execution_id, turn)) WITHOUT ROWID""",
    """messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible_at TEXT NOT NULL,
        receipt INTEGER NOT NULL DEFAULT 0, dequeue_count INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL,
        put_at TEXT)""",
    """tombstones (
        instance_id TEXT NOT NULL, generation INTEGER NOT NULL, execution_id TEXT NOT NULL, purged_at TEXT NOT NULL,
        PRIMARY KEY (instance_id, generation, execution_id)) WITHOUT ROWID""",
    """quarantine (
        id TEXT PRIMARY KEY, queue TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL, instance_id TEXT NOT NULL,
        dequeue_count INTEGER NOT NULL, time TEXT NOT NULL, stack TEXT) WITHOUT ROWID""",
    """journals (
        number INTEGER PRIMARY KEY AUTOINCREMENT, process_id TEXT NOT NULL UNIQUE, time TEXT NOT NULL,
        messages TEXT NOT NULL)""",
    """withdrawals (
        time TEXT NOT NULL, work_item TEXT NOT NULL, PRIMARY KEY (time, work_item)) WITHOUT ROWID""",
    """claims (
        instance_id TEXT NOT NULL, work_item TEXT NOT NULL, claimant TEXT NOT NULL, time TEXT NOT NULL,
        PRIMARY KEY (instance_id, work_item)) WITHOUT ROWID""",
    "affinities (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until TEXT NOT NULL) WITHOUT ROWID",
    """progress (
        instance_id TEXT NOT NULL, work_item TEXT NOT NULL, task_id INTEGER NOT NULL, name TEXT NOT NULL,
        time TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (instance_id, work_item)) WITHOUT ROWID""",
)
_INDEXES = (
    "messages_by_visibility ON messages (queue, visible_at)",
    "instances_by_status ON instances (status, updated_at)",
)
# Columns that a file of an earlier build has not: table, name, type. They may be empty, so that both builds can use it.
_ADDED = (("messages", "put_at", "TEXT"), ("quarantine", "stack", "TEXT"))
_NAMES = tuple(table.split(maxsplit=1)[0] for table in _TABLES)


def create(db: Connection, hub: str, partitions: int) -> None:
    """Create what is missing and check the rest. Raises HubMismatchError."""
    for table in _TABLES:
        db.execute(f"CREATE TABLE IF NOT EXISTS {table}")
    for table, name, kind in _ADDED:
        if name not in {column[1] for column in db.execute(f"PRAGMA table_info({table})").fetchall()}:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    for index in _INDEXES:
        db.execute(f"CREATE INDEX IF NOT EXISTS {index}")
    wanted = {"name": hub, "partitions": str(partitions), "format_version": str(FORMAT_VERSION)}
    db.executemany("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", list(wanted.items()))
    present = dict(db.execute("SELECT key, value FROM meta").fetchall())
    for key, value in wanted.items():
        if present[key] != value:
            raise HubMismatchError(
                f"this file holds a task hub whose {key.replace('_', ' ')} is {present[key]!r}, "
                f"and the settings say {value!r}; set them alike or use another file"
            )


def is_there(db: Connection) -> bool:
    """Whether a hub was created."""
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").fetchone())


def empty(db: Connection) -> None:
    """Delete every table of the hub."""
    for name in _NAMES:
        db.execute(f"DROP TABLE IF EXISTS {name}")
