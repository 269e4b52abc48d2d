"""A turn as a record and as one row of the History table. Pure.

A turn whose events or message ids do not fit a column is a blob that the row names; its columns are then empty.
"""

from __future__ import annotations

import msgspec

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.client import Entity
from durable_ext.providers.azure_storage.names import content_name, escape, folder, turn_key, unescape
from durable_ext.providers.azure_storage.rows import time_of, too_long
from durable_ext.records.codec import decode_events, encode_events
from durable_ext.records.events import Event
from durable_ext.records.instance import Execution
from durable_ext.records.turns import Turn

_MAX_TYPES = 1000
# A marker that only a purge sets: the turn is a tombstone since then (P10).
BURIED = "BuriedTime"
BLOB = "TurnBlob"
# Whether the events of a turn name blobs. Absent: nobody noted it.
NAMES_BLOBS = "NamesBlobs"
# How a payload that is elsewhere looks in JSON; in a user's text the quotes are escaped.
_BLOB_FIELD = '"blob":'


class Overflow(msgspec.Struct, frozen=True, rename="camel"):
    """What a blob holds of a turn that does not fit its row."""

    events: tuple[Event, ...]
    message_ids: tuple[str, ...]


_overflow = msgspec.json.Decoder(Overflow)
_ids = msgspec.json.Decoder(tuple[str, ...])


def entity_of(turn: Turn) -> tuple[Entity, bytes | None]:
    """The row of a turn, and the content of the blob it names when the turn does not fit a row (P1)."""
    events = encode_events(turn.events).decode()
    message_ids = msgspec.json.encode(turn.message_ids).decode()
    entity: Entity = {
        "PartitionKey": escape(turn.execution.instance_id),
        "RowKey": turn_key(turn.execution, turn.number),
        "Events": events,
        "EventTypes": _types(turn),
        "MessageIds": message_ids,
        "TriggerId": turn.trigger_id,
        "CommitId": turn.commit_id,
        "ExecutionId": turn.execution.execution_id,
        "Generation": turn.execution.generation,
        "TurnNumber": turn.number,
        "Time": turn.time,
        "IsTerminal": turn.is_terminal,
        NAMES_BLOBS: _BLOB_FIELD in events,
    }
    if not (too_long(events) or too_long(message_ids)):
        return entity, None
    data = msgspec.json.encode(Overflow(turn.events, turn.message_ids))
    name = f"{folder(turn.execution.instance_id)}turn-{entity['RowKey']}-{content_name(data)}"
    entity |= {"Events": "", "MessageIds": "", BLOB: name, NAMES_BLOBS: True}
    return entity, data


def turn_of(entity: Entity, overflow: bytes | None) -> Turn:
    """The turn of a row; `overflow` is the content of the blob it names."""
    try:
        if overflow is None:
            events, message_ids = decode_events(str(entity["Events"])), _ids.decode(str(entity["MessageIds"]))
        else:
            content = _overflow.decode(overflow)
            events, message_ids = content.events, content.message_ids
    except msgspec.DecodeError as error:
        raise _unreadable(entity, error) from error
    return Turn(
        execution=execution_of(entity),
        number=number_of(entity),
        events=events,
        message_ids=message_ids,
        trigger_id=str(entity["TriggerId"]),
        time=time_of(entity["Time"]),
        commit_id=str(entity["CommitId"]),
    )


def message_ids_of(entity: Entity, overflow: bytes | None) -> tuple[str, ...]:
    """The ids of the messages that a turn consumed; its events need not be there. Raises StorageError."""
    try:
        if overflow is not None:
            return _overflow.decode(overflow).message_ids
        return _ids.decode(str(entity["MessageIds"]))
    except msgspec.DecodeError as error:
        raise _unreadable(entity, error) from error


def execution_of(entity: Entity) -> Execution:
    """Whose turn a row is."""
    return Execution(
        instance_id=unescape(str(entity["PartitionKey"])),
        execution_id=str(entity["ExecutionId"]),
        generation=int(str(entity["Generation"])),
    )


def number_of(entity: Entity) -> int:
    """The number of the turn of a row."""
    return int(str(entity["TurnNumber"]))


def tombstone_of(entity: Entity) -> Entity:
    """A row without contents and commit id, under the same key: nobody can commit this turn again (P10)."""
    kept = ("PartitionKey", "RowKey", "EventTypes", "ExecutionId", "Generation", "TurnNumber", "IsTerminal")
    return {name: entity[name] for name in kept}


def first_tombstone(execution: Execution) -> Entity:
    """The tombstone of an execution that has no history: nobody can begin it any more (P10)."""
    return {
        "PartitionKey": escape(execution.instance_id),
        "RowKey": turn_key(execution, 0),
        "EventTypes": "",
        "ExecutionId": execution.execution_id,
        "Generation": execution.generation,
        "TurnNumber": 0,
        "IsTerminal": True,
    }


def _unreadable(entity: Entity, error: Exception) -> StorageError:
    return StorageError(f"a turn of {unescape(str(entity['PartitionKey']))!r} cannot be read: {error}")


def _types(turn: Turn) -> str:
    names = dict.fromkeys(type(event).__name__ for event in turn.events)
    return ",".join(names)[:_MAX_TYPES]
