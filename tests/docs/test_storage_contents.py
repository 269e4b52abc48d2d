"""docs/storage-layout.md names all that the engine writes, as it is written, and nothing else."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache
from typing import Any, get_args

import msgspec

from durable_ext.providers.sqlite import schema
from durable_ext.records.events import Event
from durable_ext.records.messages import Body, Message, RunActivity

from .columns import KINDS, columns, kind_of, rows_of, type_name
from .written import Written, everything

_TABLES = ("Instances", "History", "Quarantine")


@cache
def written() -> Written:
    return everything()


def kinds() -> dict[str, dict[str, set[str]]]:
    """The types of each column that was written, by kind of row."""
    found: dict[str, dict[str, set[str]]] = {}
    for table, entity in written().rows:
        of_kind = found.setdefault(kind_of(entity, next(name for name in _TABLES if table.endswith(name))), {})
        for name, value in entity.items():
            of_kind.setdefault(name, set()).add(type_name(value))
    return found


def test_every_column_that_is_written_is_on_the_page() -> None:
    assert kinds() == {kind: {name: {what} for name, what in columns(kind).items()} for kind in KINDS}


def test_every_kind_of_key_is_on_the_page() -> None:
    patterns = [[_pattern(cell) for cell in cells] for cells in rows_of("rows").values()]
    history = [(row["PartitionKey"], row["RowKey"]) for table, row in written().rows if table.endswith("History")]
    assert len(patterns) == 9
    for keys in history:
        matching = [row for row in patterns if all(map(re.fullmatch, row, map(str, keys)))]
        assert len(matching) == 1, keys
    for pattern in patterns:
        assert any(all(map(re.fullmatch, pattern, map(str, keys))) for keys in history), pattern


def test_every_blob_is_on_the_page() -> None:
    patterns = [_pattern(name) for name in rows_of("blob")]
    for name in written().blobs:
        assert sum(re.fullmatch(pattern, name) is not None for pattern in patterns) == 1, name
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in written().blobs), pattern


def test_every_queue_is_on_the_page() -> None:
    assert written().queues == {"hub-control-00", "hub-workitems", "hub-work-gpu", "shop-control-00", "shop-workitems"}
    said = rows_of("artefact")
    assert "`shop-control-00`" in said["control queues"][0]
    assert ("`shop-workitems`" in said["work-item queue"][0], "`shop-work-gpu`" in said["work-item queue"][0]) == (
        True,
        True,
    )


def test_every_field_of_a_message_is_on_the_page() -> None:
    documented = set(re.findall(r"`(\w+)`", " ".join(rows_of("field of an item"))))
    assert documented == {field.encode_name for field in msgspec.structs.fields(Message)}
    assert {field for _, item in written().items for field in item} <= documented
    assert {field for _, body in written().bodies for field in body["durable"]} == {"v", "items", "blob", "reserved"}


def test_every_type_of_message_is_on_the_page() -> None:
    said = {queue: set(re.findall(r"\b[A-Z]\w+", cells[0])) for queue, cells in rows_of("queue").items()}
    assert said["work items"] == {RunActivity.__name__}
    assert said["control"] | said["work items"] == _names(Body)
    for queue, item in written().items:
        assert item["body"]["type"] in said["control" if "-control-" in queue else "work items"]


def test_every_type_of_event_is_on_the_page() -> None:
    said = re.findall(r"\b[A-Z]\w+", " ".join(cells[0] for cells in rows_of("of").values()))
    assert sorted(said) == sorted(_names(Event))


def test_where_things_are() -> None:
    """The last row of an entity and of a schedule, and what three purges leave."""
    instances = [row for table, row in written().rows if table.endswith("Instances")]
    entity = [row for row in instances if row["PartitionKey"] == "@counter@one"][-1]
    summary = msgspec.json.decode(str(entity["CustomStatus"]))
    assert list(summary) == re.findall(r'"(\w+)"', rows_of("what")["an entity"][0])
    assert entity["Name"] == entity["PartitionKey"]
    assert {row["RuntimeStatus"] for row in instances if row["PartitionKey"] == "@counter@one"} == {"Running"}
    schedule = [row for row in instances if str(row["PartitionKey"]).startswith("durable-schedule:")]
    assert {row["Name"] for row in schedule} == {"durable.schedule"}
    assert "spec" in msgspec.json.decode(str(schedule[-1]["CustomStatus"]))
    buried = [(row["PartitionKey"], row["TurnNumber"]) for _, row in written().rows if "BuriedTime" in row]
    of_three_scenarios = [0, 3, 0, 1, 0, 1]
    assert sorted(number for instance_id, number in buried if instance_id == "it") == sorted(of_three_scenarios)


def test_every_column_of_sqlite_is_on_the_page() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        schema.create(db, "Shop", 1)
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {
            name: {column[1] for column in db.execute(f"PRAGMA table_info({name})")}
            for name in names
            if not name.startswith("sqlite_")
        }
        keys = {key for (key,) in db.execute("SELECT key FROM meta")}
    said = {name.strip("`"): set(re.findall(r"`(\w+)`", cells[0])) for name, cells in rows_of("table").items()}
    assert said == found | {"meta": found["meta"] | keys}


def _names(union: Any) -> set[str]:
    return {member.__name__ for member in get_args(union)}


_TURN = r"[0-9A-F]{8}-.+-[0-9A-F]{8}"
_TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"
_PLACES = {
    "escaped id": r"[^^][^/]*",
    "escaped instance id": r"[^^][^/]*",
    "digest": r"[0-9a-f]{32}",
    "hash": r"[0-9a-f]{64}",
    "size": r"[0-9]+",
    "RowKey": _TURN,
    "empty": "",
    "as above": _TURN,
    "time and a digest": rf"{_TIME}-[0-9a-f]{{32}}",
}


def _pattern(said: str) -> str:
    """What the page says of a key or a blob's name, as a regular expression."""
    if said.startswith("a digest"):
        return _PLACES["digest"]
    if said in _PLACES:
        return _PLACES[said]
    text, _, rest = said.removeprefix("`").partition("`")
    pattern = re.sub(r"\\\{([^}]+)\\\}", lambda place: _PLACES[place[1].replace("\\", "")], re.escape(text))
    if rest.startswith(" and a digest"):
        return pattern + _PLACES["digest"]
    return pattern + ("[a-z0-9-]+" if rest == " and the tag" else "")
