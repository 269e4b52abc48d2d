"""Tables: entities in key order, etags that change at each write, limits, pages that may end early."""

from __future__ import annotations

import base64
import binascii
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import count
from typing import Any

from durable_ext.providers.azure_storage.client import (
    Condition,
    Continuation,
    Entity,
    EntityPage,
    Query,
    StorageRefusedError,
    Stored,
    Value,
    refusal,
)
from durable_ext.providers.azure_storage.odata import time_text
from durable_ext.providers.contract import Clock
from durable_ext.records.limits import MAX_COLUMN_CHARACTERS, MAX_PAGE

_MAX_KEY = 512
_MAX_ENTITY = 1024 * 1024
_NO_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f/\\#?]")
_INT32 = 2**31
# What an entity, a property and a text cost besides their contents, in bytes; other values have a fixed size.
_ENTITY_COST, _PROPERTY_COST, _TEXT_COST, _PLAIN_COST = 4, 8, 4, 8

_Key = tuple[bytes, bytes]
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}


class Tables:
    """The table service of one account. Names of tables ignore case.

    A page looks at `page_rows` rows at most, whether they match or not.
    """

    def __init__(self, clock: Clock, page_rows: int) -> None:
        self._clock = clock
        self._page_rows = page_rows
        self._tables: dict[str, dict[_Key, Stored]] = {}
        self._numbers = count(1)

    def create(self, table: str) -> None:
        """One that is there stays as it is."""
        self._tables.setdefault(table.lower(), {})

    def delete(self, table: str) -> None:
        """With all its entities."""
        self._tables.pop(table.lower(), None)

    def insert(self, table: str, entity: Entity) -> str:
        """409 when the key is there."""
        call = f"insert into {table}"
        check(call, entity)
        rows = self._rows(call, table)
        key = _key(str(entity["PartitionKey"]), str(entity["RowKey"]))
        if key in rows:
            raise StorageRefusedError(call, 409, "EntityAlreadyExists")
        return self._write(rows, key, entity)

    def put(self, table: str, entity: Entity) -> str:
        """Insert or replace."""
        call = f"put into {table}"
        check(call, entity)
        rows = self._rows(call, table)
        return self._write(rows, _key(str(entity["PartitionKey"]), str(entity["RowKey"])), entity)

    def replace(self, table: str, entity: Entity, etag: str) -> str:
        """404 when it is gone, 412 when it is another."""
        call = f"replace in {table}"
        if not etag.startswith('W/"'):
            raise StorageRefusedError(call, 412, "UpdateConditionNotSatisfied")
        check(call, entity)
        rows = self._rows(call, table)
        key = _key(str(entity["PartitionKey"]), str(entity["RowKey"]))
        if key not in rows:
            raise StorageRefusedError(call, 404, "ResourceNotFound")
        _check_etag(call, rows[key], etag)
        return self._write(rows, key, entity)

    def read(self, table: str, partition_key: str, row_key: str) -> Stored | None:
        """The entity as its JSON would have it."""
        found = self._rows(f"read {table}", table).get(_key(partition_key, row_key))
        return None if found is None else Stored(_as_read(found.entity), found.etag)

    def remove(self, table: str, partition_key: str, row_key: str, etag: str) -> None:
        """412 when it is another; one that is gone, or whose table is, is no error."""
        rows = self._tables.get(table.lower(), {})
        found = rows.get(_key(partition_key, row_key))
        if found is None:
            return
        if etag != "*":
            _check_etag(f"delete entity of {table}", found, etag)
        del rows[_key(partition_key, row_key)]

    def query(self, table: str, query: Query, continuation: Continuation | None) -> EntityPage:
        """A page; a continuation comes when there is more that matches, or when enough was looked at."""
        call = f"query {table}"
        rows = self._rows(call, table)
        if not 1 <= query.top <= MAX_PAGE:
            raise StorageRefusedError(call, 400, "InvalidInput")
        page: list[Entity] = []
        looked = 0
        keys = _partition(rows, query)
        for key in _from(keys, None if continuation is None else _decode(call, continuation)):
            entity = rows[key].entity
            if not _is_in_range(entity, query):
                continue
            if looked == self._page_rows:
                return EntityPage(page, _encode(entity))
            looked += 1
            if all(_matches(entity, condition) for condition in query.where):
                if len(page) == query.top:
                    return EntityPage(page, _encode(entity))
                page.append(_selected(_as_read(entity), query.select))
        return EntityPage(page, None)

    def _rows(self, call: str, table: str) -> dict[_Key, Stored]:
        rows = self._tables.get(table.lower())
        if rows is None:
            raise refusal(call, 404, "TableNotFound")
        return rows

    def _write(self, rows: dict[_Key, Stored], key: _Key, entity: Entity) -> str:
        stored = Stored(entity | {"Timestamp": self._clock()}, f'W/"{next(self._numbers)}"')
        rows[key] = stored
        return stored.etag


def check(call: str, entity: Entity) -> None:
    """The limits of storage. Raises StorageRefusedError."""
    for name in ("PartitionKey", "RowKey"):
        key = str(entity[name])
        if _units(key) > _MAX_KEY or _NO_KEY.search(key):
            raise StorageRefusedError(call, 400, "InvalidInput")
    size = _ENTITY_COST
    for name, value in entity.items():
        if isinstance(value, str) and _units(value) > MAX_COLUMN_CHARACTERS:
            raise StorageRefusedError(call, 400, "PropertyValueTooLarge")
        if isinstance(value, int) and not -_INT32 <= value < _INT32:
            raise StorageRefusedError(call, 400, "InvalidInput")
        size += _PROPERTY_COST + 2 * len(name)
        size += _TEXT_COST + 2 * _units(value) if isinstance(value, str) else _PLAIN_COST
    if size > _MAX_ENTITY:
        raise StorageRefusedError(call, 400, "EntityTooLarge")


def _check_etag(call: str, found: Stored, etag: str) -> None:
    if found.etag != etag:
        raise StorageRefusedError(call, 412, "UpdateConditionNotSatisfied")


def _units(text: str) -> int:
    """Length as UTF-16 has it."""
    return len(_ordered(text)) // 2


def _ordered(text: str) -> bytes:
    """Texts are compared by their UTF-16."""
    return text.encode("utf-16-be", "surrogatepass")


def _key(partition_key: str, row_key: str) -> _Key:
    return _ordered(partition_key), _ordered(row_key)


def _partition(rows: Iterable[_Key], query: Query) -> Iterable[_Key]:
    """The keys of the one partition that a query names, or all: for speed, not for what it finds."""
    for condition in query.where:
        if condition.column == "PartitionKey" and condition.operator == "eq" and isinstance(condition.value, str):
            wanted = _ordered(condition.value)
            return [key for key in rows if key[0] == wanted]
    return rows


def _from(keys: Iterable[_Key], start: _Key | None) -> Iterator[_Key]:
    return (key for key in sorted(keys) if start is None or key >= start)


def _as_read(entity: Entity) -> Entity:
    """As the JSON without metadata has it: a time is a text."""
    return {name: time_text(value) if isinstance(value, datetime) else value for name, value in entity.items()}


def _selected(entity: Entity, names: tuple[str, ...]) -> Entity:
    return {name: entity[name] for name in names if name in entity} if names else entity


def _is_in_range(entity: Entity, query: Query) -> bool:
    """Whether storage looks at a row at all: it has an index for the partition only."""
    return all(_matches(entity, condition) for condition in query.where if condition.column == "PartitionKey")


def _matches(entity: Entity, condition: Condition) -> bool:
    found = entity.get(condition.column)
    if found is None:
        return False
    if condition.operator == "outside" and isinstance(condition.value, tuple):
        low, high = condition.value
        return _compare(found, "lt", low) or _compare(found, "ge", high)
    if isinstance(condition.value, tuple):
        return found in condition.value
    return _compare(found, condition.operator, condition.value)


def _compare(found: Value, how: str, wanted: Value) -> bool:
    if type(found) is not type(wanted):
        return False
    if how == "in":
        how = "eq"
    if isinstance(found, str) and isinstance(wanted, str):
        return _OPERATORS[how](_ordered(found), _ordered(wanted))
    return _OPERATORS[how](found, wanted)


def _encode(entity: Entity) -> Continuation:
    """Where a page begins, in a writing of its own, so that nobody takes it for a key."""
    first, second = (
        "1!" + base64.urlsafe_b64encode(_ordered(str(entity[name]))).decode() for name in ("PartitionKey", "RowKey")
    )
    return first, second


def _decode(call: str, continuation: Continuation) -> _Key:
    try:
        if not all(part.startswith("1!") for part in continuation):
            raise ValueError("no token of ours")
        first, second = (base64.b64decode(part[2:], altchars=b"-_", validate=True) for part in continuation)
    except (ValueError, binascii.Error) as error:
        raise StorageRefusedError(call, 400, "InvalidQueryParameterValue") from error
    return first, second
