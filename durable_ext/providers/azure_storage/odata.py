"""Filters, key addresses and entity JSON as the table service wants them. Nothing gets in without escaping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from durable_ext.providers.azure_storage.client import Condition, Entity, Value

_encoder = msgspec.json.Encoder()


def time_text(value: datetime) -> str:
    """A time as Edm.DateTime has it: UTC, seven digits, always the same length, so that text order is time order."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "0Z"


def encode_entity(entity: Entity) -> bytes:
    """The JSON of an entity, with type annotations where JSON has no type."""
    columns: dict[str, Any] = {}
    for name, value in entity.items():
        if isinstance(value, datetime):
            columns[name] = time_text(value)
            columns[name + "@odata.type"] = "Edm.DateTime"
        else:
            columns[name] = value
    return _encoder.encode(columns)


def address(table: str, partition_key: str, row_key: str) -> str:
    """The URL path of one entity, percent-encoded."""
    return f"{table}(PartitionKey='{_in_path(partition_key)}',RowKey='{_in_path(row_key)}')"


def _in_path(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")


def filter_text(where: tuple[Condition, ...]) -> str:
    """The conditions as one $filter, not yet percent-encoded."""
    return " and ".join(_condition(item) for item in where)


def _condition(item: Condition) -> str:
    if item.operator == "outside" and isinstance(item.value, tuple):
        low, high = item.value
        return f"({item.column} lt {_literal(low)} or {item.column} ge {_literal(high)})"
    if item.operator != "in":
        if isinstance(item.value, tuple):
            raise TypeError(f"{item.column} {item.operator} takes one value")
        return f"{item.column} {item.operator} {_literal(item.value)}"
    choices = item.value if isinstance(item.value, tuple) else (item.value,)
    return "(" + " or ".join(f"{item.column} eq {_literal(choice)}" for choice in choices) + ")"


def _literal(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime():
            return f"datetime'{time_text(value)}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
