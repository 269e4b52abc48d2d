"""Queries over the instances table: filters, pages in the order of ids, counts. Every value is bound."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from sqlite3 import Connection

import msgspec

from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import InstanceFilter, Page
from durable_ext.providers.sqlite.instances import row_of
from durable_ext.providers.sqlite.times import time_text
from durable_ext.records.ids import ENTITY_MARK
from durable_ext.records.instance import TERMINAL, InstanceRow, RuntimeStatus
from durable_ext.records.limits import MAX_PAGE, MAX_PAGE_BYTES

_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_ENDED = f"status IN ({', '.join(repr(status.value) for status in sorted(TERMINAL))})"


class _Place(msgspec.Struct, frozen=True):
    """Where a page ended: its last id."""

    after: str


_places = msgspec.json.Decoder(_Place)


def query(db: Connection, where: InstanceFilter, limit: int, after: str) -> Page:
    """One page of the rows behind an id, short where rows are long. Ids are compared by code point."""
    conditions, values = _conditions(where)
    size = min(limit, MAX_PAGE)
    found = db.execute(
        f"SELECT instance_id, record FROM instances WHERE {conditions} AND instance_id > ?"  # noqa: S608 - values are bound
        " ORDER BY instance_id LIMIT ?",
        (*values, after, size + 1),
    )
    rows: list[InstanceRow] = []
    length = 0
    for instance_id, record in found:
        if len(rows) == size or (rows and length + len(record) > MAX_PAGE_BYTES):
            return Page(tuple(rows), encode_place(rows[-1].instance_id))
        rows.append(row_of(record))
        length += len(record)
        if length > MAX_PAGE_BYTES:  # the next row is not even looked at: it may be as long again
            return Page(tuple(rows), encode_place(instance_id))
    return Page(tuple(rows), None)


def count(db: Connection, where: InstanceFilter) -> Mapping[RuntimeStatus, int]:
    """How many match, by status."""
    conditions, values = _conditions(where)
    found = db.execute(f"SELECT status, count(*) FROM instances WHERE {conditions} GROUP BY status", values)  # noqa: S608 - values are bound
    return {RuntimeStatus(status): number for status, number in found.fetchall()}


def check_limit(limit: int) -> None:
    """Raises InvalidInputError for a page that cannot be."""
    if limit < 1:
        raise InvalidInputError(f"a page of {limit} instances was asked for; ask for at least 1")


def encode_place(after: str) -> str:
    """A continuation as callers carry it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Place(after))).decode()


def decode_place(continuation: str | None) -> str:
    """The id behind which to go on. Raises InvalidInputError for a continuation that is not ours."""
    if continuation is None:
        return ""
    try:
        return _places.decode(base64.b64decode(continuation, altchars=b"-_", validate=True)).after
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidInputError("the continuation is none that this hub gave out") from error


def _conditions(where: InstanceFilter) -> tuple[str, list[str | int]]:
    wanted: list[tuple[str, tuple[str | int, ...]]] = [("1", ())]
    if where.statuses:
        marks = ", ".join("?" * len(where.statuses))
        wanted.append((f"status IN ({marks})", tuple(sorted(status.value for status in where.statuses))))
    if where.name:
        wanted.append(("name = ?", (where.name,)))
    if where.version:
        wanted.append(("json_extract(record, '$.version') = ?", (where.version,)))
    if where.parent:
        wanted.append(("json_extract(record, '$.parent.instanceId') = ?", (where.parent,)))
    if where.stuck:
        wanted.append(("json_extract(record, '$.stuck') IS NOT NULL", ()))
    if where.completed_from is not None or where.completed_to is not None:
        # The last thing that happens to an instance is its end.
        wanted.append((_ENDED, ()))
    wanted.extend((text, (time_text(time),)) for text, time in _times(where) if time is not None)
    if where.entities is not None:
        wanted.append((f"(substr(instance_id, 1, 1) = ?) = {int(where.entities)}", (ENTITY_MARK,)))
    wanted.extend(_prefix(where.id_prefix))
    return " AND ".join(text for text, _ in wanted), [value for _, values in wanted for value in values]


def _times(where: InstanceFilter) -> tuple[tuple[str, datetime | None], ...]:
    return (
        ("created_at >= ?", where.created_from),
        ("created_at <= ?", where.created_to),
        ("updated_at >= ?", where.updated_from),
        ("updated_at <= ?", where.updated_to),
        ("updated_at >= ?", where.completed_from),
        ("updated_at <= ?", where.completed_to),
    )


def _prefix(prefix: str) -> list[tuple[str, tuple[str | int, ...]]]:
    """A range, so that the index is used, and the exact test."""
    if not prefix:
        return []
    found: list[tuple[str, tuple[str | int, ...]]] = [
        ("instance_id >= ?", (prefix,)),
        ("substr(instance_id, 1, ?) = ?", (len(prefix), prefix)),
    ]
    following = ord(prefix[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    if following <= _LAST_CODE_POINT:
        found.append(("instance_id < ?", (prefix[:-1] + chr(following),)))
    return found
