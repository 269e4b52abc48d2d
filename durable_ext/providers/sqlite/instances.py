"""The instances table: one row an instance, replaced under its etag (P8, P9). Functions on a connection."""

from __future__ import annotations

from sqlite3 import Connection

import msgspec

from durable_ext.errors import InstanceExistsError, RowChangedError
from durable_ext.providers.contract import VersionedRow
from durable_ext.providers.sqlite.times import time_text
from durable_ext.records.instance import Execution, InstanceRow

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(InstanceRow)
# No row has this etag.
_NO_ETAG = (-1, -1)

Columns = tuple[str, str, str, str, str, str, str]


def columns_of(row: InstanceRow) -> Columns:
    """The columns of a row, in the order of the statements below."""
    return (
        row.execution.execution_id,
        row.name,
        row.status.value,
        time_text(row.created_at),
        time_text(row.updated_at),
        _encoder.encode(row).decode(),
        row.instance_id,
    )


def row_of(record: str) -> InstanceRow:
    """The row of its `record` column."""
    return _decoder.decode(record)


def insert(db: Connection, columns: Columns) -> str:
    """Insert and return the etag. Raises InstanceExistsError; a row with our execution id is our own (P13)."""
    done = db.execute(
        "INSERT INTO instances (execution_id, name, status, created_at, updated_at, record, instance_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        columns,
    )
    if done.rowcount == 1:
        return _etag(done.lastrowid or 0, 1)
    own = _own_etag(db, columns)
    if own is None:
        raise InstanceExistsError(f"instance {columns[-1]!r} already exists")
    return own


def take_over(db: Connection, columns: Columns, etag: str) -> str:
    """Replace the row of an instance that starts anew. Raises RowChangedError; own repeats count as done (P13)."""
    try:
        return replace(db, columns, etag)
    except RowChangedError:
        own = _own_etag(db, columns)
        if own is None:
            raise
        return own


def replace(db: Connection, columns: Columns, etag: str) -> str:
    """Replace the row with this etag and return the new one. Raises RowChangedError."""
    number, revision = _parts(etag)
    done = db.execute(
        "UPDATE instances SET execution_id = ?, name = ?, status = ?, created_at = ?, updated_at = ?, record = ?,"
        " revision = revision + 1 WHERE instance_id = ? AND number = ? AND revision = ?",
        (*columns, number, revision),
    )
    if done.rowcount != 1:
        raise RowChangedError(f"the row of instance {columns[-1]!r} changed since it was read")
    return _etag(number, revision + 1)


def read(db: Connection, instance_id: str) -> VersionedRow | None:
    """The row, or None."""
    found = db.execute(
        "SELECT record, number, revision FROM instances WHERE instance_id = ?", (instance_id,)
    ).fetchone()
    return None if found is None else VersionedRow(row_of(found[0]), _etag(found[1], found[2]))


def delete(db: Connection, execution: Execution) -> None:
    """Delete the row of this execution."""
    db.execute(
        "DELETE FROM instances WHERE instance_id = ? AND execution_id = ?",
        (execution.instance_id, execution.execution_id),
    )


def _own_etag(db: Connection, columns: Columns) -> str | None:
    found = db.execute(
        "SELECT number, revision FROM instances WHERE instance_id = ? AND execution_id = ?", (columns[-1], columns[0])
    ).fetchone()
    return None if found is None else _etag(*found)


def _etag(number: int, revision: int) -> str:
    return f"{number}-{revision}"


def _parts(etag: str) -> tuple[int, int]:
    number, dash, revision = etag.partition("-")
    if not (dash and number.isdecimal() and revision.isdecimal()):
        return _NO_ETAG
    return int(number), int(revision)
