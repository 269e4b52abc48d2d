"""What docs/storage-layout.md says of columns: names and types, by kind of row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .pages import read

PAGE = "storage-layout.md"
KINDS = (
    "Instances",
    "History",
    "Claim",
    "Progress",
    "Process",
    "Withdrawal",
    "Affinity",
    "Hub",
    "Tombstones",
    "Quarantine",
)
# Every row has these; a table of the page says what they are by kind.
KEYS = {"PartitionKey": "string", "RowKey": "string"}
_PARTITIONS = {
    "^processes": "Process",
    "^withdrawn": "Withdrawal",
    "^affinities": "Affinity",
    "^hub": "Hub",
    "^tombstones": "Tombstones",
}
_ROWS = {"^claim-": "Claim", "^progress-": "Progress"}


def kind_of(entity: Mapping[str, Any], table: str) -> str:
    """What the page calls the columns of a row with these keys; `table` is the table's name without the hub."""
    found = next((kind for prefix, kind in _ROWS.items() if str(entity["RowKey"]).startswith(prefix)), None)
    return found or _PARTITIONS.get(str(entity["PartitionKey"]), table)


def columns(kind: str) -> dict[str, str]:
    """Column and type as the page's table for it says."""
    return KEYS | {name: cells[0] for name, cells in rows_of(f"{kind} column").items()}


def rows_of(title: str) -> dict[str, list[str]]:
    """The rows of the page's table whose first column has this title: the other cells by the first one."""
    found = re.search(rf"^\| {re.escape(title)} \|.*?\n\n", read(PAGE), flags=re.MULTILINE | re.DOTALL)
    assert found is not None, title
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()[2:] if line]
    return {first: rest for first, *rest in cells}


def type_name(value: object) -> str:
    """What the page calls the type of a value."""
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case datetime():
            return "DateTime"
        case str():
            return "string"
        case _:
            raise TypeError(f"a column of type {type(value)} is not documented")
