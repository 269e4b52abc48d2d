"""Tables: entities in key order, etags that change at each write, limits, pages that may end early."""

from __future__ import annotations

import base64
import binascii
import operator
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from durable_ext.providers.azure_storage.client import (
    Change,
    Condition,
    Continuation,
    Entity,
    EntityPage,
    Key,
    Query,
    StorageRefusedError,
    Stored,
    Value,
    refusal,
)
from durable_ext.providers.azure_storage.odata import time_text
from durable_ext.providers.azure_storage.transactions import MOST_CHANGES
from durable_ext.providers.contract import Clock
from durable_ext.records.limits import MAX_COLUMN_CHARACTERS, MAX_PAGE

_KEYS = ("PartitionKey", "RowKey")
_MAX_KEY = 512
_MAX_ENTITY = 1024 * 1024
_NO_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f/\\#?]")
_INT32 = 2**31
# What an entity, a property and a text cost besides their contents, in bytes; other values have a fixed size.
_ENTITY_COST, _PROPERTY_COST, _TEXT_COST, _PLAIN_COST = 4, 8, 4, 8

_Key = tuple[bytes, bytes]
# Whether a row meets a condition.
_Test = Callable[[_Key, Entity], bool]
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
        self._tables: dict[str, _Rows] = {}
        self._numbers = count(1)

    def create(self, table: str) -> None:
        """One that is there stays as it is."""
        self._tables.setdefault(table.lower(), _Rows())

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
        found = rows.get(key)
        if found is None:
            raise StorageRefusedError(call, 404, "ResourceNotFound")
        _check_etag(call, found.etag, etag)
        return self._write(rows, key, entity)

    def read(self, table: str, partition_key: str, row_key: str) -> Stored | None:
        """The entity as its JSON would have it."""
        found = self._rows(f"read {table}", table).get(_key(partition_key, row_key))
        return None if found is None else Stored(dict(found.as_read), found.etag)

    def remove(self, table: str, partition_key: str, row_key: str, etag: str) -> None:
        """412 when it is another; one that is gone, or whose table is, is no error."""
        rows, key = self._tables.get(table.lower()), _key(partition_key, row_key)
        found = None if rows is None else rows.get(key)
        if rows is None or found is None:
            return
        if etag != "*":
            _check_etag(f"delete entity of {table}", found.etag, etag)
        rows.remove(key)

    def change(self, table: str, changes: Sequence[Change]) -> None:
        """All or nothing: 400 for what is no transaction, 404 when one to delete is gone."""
        call = f"change entities of {table}"
        rows = self._rows(call, table)
        keys = [change if isinstance(change, Key) else _named(change) for change in changes]
        if not 1 <= len(changes) <= MOST_CHANGES or len({key.partition_key for key in keys}) > 1:
            raise StorageRefusedError(call, 400, "InvalidInput")
        for number, change in enumerate(changes):
            if keys[number] in keys[:number]:
                raise StorageRefusedError(call, 400, "InvalidDuplicateRow")
            if not isinstance(change, Key):
                check(call, change)
            elif _key(*change) not in rows:
                raise StorageRefusedError(call, 404, "ResourceNotFound")
        for change in changes:
            if isinstance(change, Key):
                rows.remove(_key(*change))
            else:
                self._write(rows, _key(*_named(change)), change)

    def query(self, table: str, query: Query, continuation: Continuation | None) -> EntityPage:
        """A page; a continuation comes when there is more that matches, or when enough was looked at."""
        call = f"query {table}"
        rows = self._rows(call, table)
        if not 1 <= query.top <= MAX_PAGE:
            raise StorageRefusedError(call, 400, "InvalidInput")
        page: list[Entity] = []
        looked = 0
        # Storage has an index for the partition only: at rows of others it does not look at all.
        in_range = _all_of([condition for condition in query.where if condition.column == "PartitionKey"])
        matches = _all_of([condition for condition in query.where if condition.column != "PartitionKey"])
        for key in rows.within(_partition(query), None if continuation is None else _decode(call, continuation)):
            row = rows[key]
            if not in_range(key, row.entity):
                continue
            if looked == self._page_rows:
                return EntityPage(page, _encode(key))
            looked += 1
            if matches(key, row.entity):
                if len(page) == query.top:
                    return EntityPage(page, _encode(key))
                page.append(_selected(row.as_read, query.select))
        return EntityPage(page, None)

    def _rows(self, call: str, table: str) -> _Rows:
        rows = self._tables.get(table.lower())
        if rows is None:
            raise refusal(call, 404, "TableNotFound")
        return rows

    def _write(self, rows: _Rows, key: _Key, entity: Entity) -> str:
        entity = entity | {"Timestamp": self._clock()}
        row = _Row(entity, f'W/"{next(self._numbers)}"', _as_read(entity))
        rows.put(key, row)
        return row.etag


class _Row(NamedTuple):
    """An entity as it was written, its etag, and what a reader gets."""

    entity: Entity
    etag: str
    as_read: Entity


class _Rows:
    """The rows of a table by their keys, and in the order of these."""

    def __init__(self) -> None:
        self._rows: dict[_Key, _Row] = {}
        self._keys: list[_Key] = []

    def __contains__(self, key: _Key) -> bool:
        return key in self._rows

    def __getitem__(self, key: _Key) -> _Row:
        return self._rows[key]

    def get(self, key: _Key) -> _Row | None:
        """None when there is none."""
        return self._rows.get(key)

    def put(self, key: _Key, row: _Row) -> None:
        """Insert or replace."""
        if key not in self._rows:
            insort(self._keys, key)
        self._rows[key] = row

    def remove(self, key: _Key) -> None:
        """One that is there."""
        del self._rows[key]
        del self._keys[bisect_left(self._keys, key)]

    def all(self) -> list[Entity]:
        """All entities, in the order in which their keys were first put."""
        return [row.entity for row in self._rows.values()]

    def within(self, partition: bytes | None, start: _Key | None) -> Iterator[_Key]:
        """The keys of one partition, or of all, from `start` on."""
        first = (b"" if partition is None else partition, b"")
        for place in range(bisect_left(self._keys, max(first, start or first)), len(self._keys)):
            key = self._keys[place]
            if partition is not None and key[0] != partition:
                return
            yield key


def check(call: str, entity: Entity) -> None:
    """The limits of storage. Raises StorageRefusedError."""
    for name in _KEYS:
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


def _check_etag(call: str, found: str, etag: str) -> None:
    if found != etag:
        raise StorageRefusedError(call, 412, "UpdateConditionNotSatisfied")


def _units(text: str) -> int:
    """Length as UTF-16 has it."""
    return len(text) if text.isascii() else len(_ordered(text)) // 2


def _ordered(text: str) -> bytes:
    """Texts are compared by their UTF-16."""
    return text.encode("utf-16-be", "surrogatepass")


def _named(entity: Entity) -> Key:
    return Key(str(entity["PartitionKey"]), str(entity["RowKey"]))


@lru_cache(maxsize=4096)
def _key(partition_key: str, row_key: str) -> _Key:
    return _ordered(partition_key), _ordered(row_key)


def _partition(query: Query) -> bytes | None:
    """The one partition that a query names: for speed, not for what it finds."""
    for condition in query.where:
        if condition.column == "PartitionKey" and condition.operator == "eq" and isinstance(condition.value, str):
            return _ordered(condition.value)
    return None


def _as_read(entity: Entity) -> Entity:
    """As the JSON without metadata has it: a time is a text."""
    return {name: time_text(value) if isinstance(value, datetime) else value for name, value in entity.items()}


def _selected(entity: Entity, names: tuple[str, ...]) -> Entity:
    return {name: entity[name] for name in names if name in entity} if names else dict(entity)


def _all_of(conditions: list[Condition]) -> _Test:
    """Whether a row meets all of them. What is to be compared is worked out once, not for each row."""
    tests = [_test(condition) for condition in conditions]

    def meets(key: _Key, entity: Entity) -> bool:
        for test in tests:  # noqa: SIM110 - a generator for each row would be half of a simulation's time
            if not test(key, entity):
                return False
        return True

    return meets


def _test(condition: Condition) -> _Test:
    column, value = condition.column, condition.value
    if condition.operator == "outside" and isinstance(value, tuple):
        below, above = (_comparison(column, how, end) for how, end in zip(("lt", "ge"), value, strict=True))
        return lambda key, entity: below(key, entity) or above(key, entity)
    if isinstance(value, tuple):
        return lambda _, entity: entity.get(column) in value
    return _comparison(column, "eq" if condition.operator == "in" else condition.operator, value)


def _comparison(column: str, how: str, wanted: Value) -> _Test:
    """A column that is not there, or is of another type, does not compare."""
    compare = _OPERATORS[how]
    if not isinstance(wanted, str):
        kind = type(wanted)
        return lambda _, entity: type(entity.get(column)) is kind and compare(entity[column], wanted)
    ordered = _ordered(wanted)
    if column in _KEYS:
        place = _KEYS.index(column)
        return lambda key, _: compare(key[place], ordered)

    def test(_: _Key, entity: Entity) -> bool:
        found = entity.get(column)
        return isinstance(found, str) and compare(_ordered(found), ordered)

    return test


def _encode(key: _Key) -> Continuation:
    """Where a page begins, in a writing of its own, so that nobody takes it for a key."""
    first, second = ("1!" + base64.urlsafe_b64encode(part).decode() for part in key)
    return first, second


def _decode(call: str, continuation: Continuation) -> _Key:
    try:
        if not all(part.startswith("1!") for part in continuation):
            raise ValueError("no token of ours")
        first, second = (base64.b64decode(part[2:], altchars=b"-_", validate=True) for part in continuation)
    except (ValueError, binascii.Error) as error:
        raise StorageRefusedError(call, 400, "InvalidQueryParameterValue") from error
    return first, second
