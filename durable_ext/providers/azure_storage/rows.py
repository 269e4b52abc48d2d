"""The Instances row as a record and as an entity: DurableTask's columns and types, and ours. Pure.

Input, Output and CustomStatus hold readable JSON, or the address of the blob that does; JSON text never begins as an
address does, so nothing else has to tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.client import Entity, Value
from durable_ext.providers.azure_storage.names import escape, unescape
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution, FirstEvent, InstanceRow, Parent, Rewinding, RuntimeStatus, Stuck
from durable_ext.records.limits import MAX_COLUMN_CHARACTERS
from durable_ext.records.payloads import Payload, inline, stored
from durable_ext.records.trace import TraceContext

INSTANCE_ROW_KEY = ""
_PAYLOADS = ("Input", "Output", "CustomStatus")
# Columns whose text may be long; what does not fit goes to a blob (P1).
# Of these, the ones that are fetched with their row.
FETCHED_COLUMNS = ("FailureDetails", "Tags", "FirstEvent")
LONG_COLUMNS = (*_PAYLOADS, *FETCHED_COLUMNS)

_failure = msgspec.json.Decoder(Failure)
_parent = msgspec.json.Decoder(Parent)
_first_event = msgspec.json.Decoder(FirstEvent)
_rewinds = msgspec.json.Decoder(Rewinding)
_tags = msgspec.json.Decoder(dict[str, str])
_trace = msgspec.json.Decoder(TraceContext)
_sizes = msgspec.json.Decoder(dict[str, int])


def entity_of(row: InstanceRow, hub: str, url_of: Callable[[str], str]) -> Entity:
    """The entity of a row. Long texts are in place; `too_long` says which the caller has to move."""
    entity: Entity = {
        "PartitionKey": escape(row.instance_id),
        "RowKey": INSTANCE_ROW_KEY,
        "ExecutionId": row.execution.execution_id,
        "Generation": row.execution.generation,
        "Turn": row.turn,
        "Name": row.name,
        "RuntimeStatus": row.status.value,
        "TaskHubName": hub,
        "CreatedTime": row.created_at,
        "LastUpdatedTime": row.updated_at,
    }
    optional: dict[str, Value | None] = {
        "Version": row.version,
        "CompletedTime": row.completed_at,
        "ScheduledStartTime": row.scheduled_start,
        "ParentInstance": None if row.parent is None else _json(row.parent),
        "Tags": _json(row.tags) if row.tags else None,
        "PreviousExecutionId": row.previous,
        "Rewinds": None if row.rewinds is None else _json(row.rewinds),
        "FirstEvent": None if row.first_event is None else _json(row.first_event),
        "TraceContext": None if row.trace is None else _json(row.trace),
        "CustomStatusVersion": row.status_changes or None,
    }
    entity |= {name: value for name, value in optional.items() if value is not None}
    if row.stuck is not None:
        entity |= {
            "StuckSince": row.stuck.since,
            "StuckReason": row.stuck.reason,
            "StuckMessage": row.stuck.message_id,
        }
    _add_payloads(entity, row, url_of)
    return entity


def parent_text(instance_id: str) -> str:
    """How ParentInstance begins of the children of an instance."""
    whole = _json(Parent(instance_id=instance_id, execution_id="", task_id=0))
    return whole[: whole.index(',"executionId"') + 1]


def _add_payloads(entity: Entity, row: InstanceRow, url_of: Callable[[str], str]) -> None:
    sizes: dict[str, int] = {}
    for name, payload in zip(_PAYLOADS, (row.input, row.output, row.custom_status), strict=True):
        if payload is None:
            continue
        if payload.blob is None:
            entity[name] = payload.data.decode()
        else:
            entity[name] = url_of(payload.blob)
            sizes[name] = payload.size
    if sizes:
        entity["PayloadSizes"] = _json(sizes)
    if row.failure is not None:
        entity["FailureDetails"] = _json(row.failure)
        # For people and tools that look for the failure where DurableTask puts it.
        if row.output is None:
            entity["Output"] = _output_of(row.failure)


def too_long(text: str) -> bool:
    """Whether a text does not fit a column, whose limit counts UTF-16."""
    if len(text) * 2 <= MAX_COLUMN_CHARACTERS:
        return False
    return len(text.encode("utf-16-le")) // 2 > MAX_COLUMN_CHARACTERS


def long_columns(entity: Entity) -> list[str]:
    """The columns of an entity that do not fit."""
    return [name for name in LONG_COLUMNS if name in entity and too_long(str(entity[name]))]


def move_column(entity: Entity, name: str, url: str, size: int) -> None:
    """Put the address of a blob in place of a column's text; a payload's size is noted."""
    entity[name] = url
    if name in _PAYLOADS:
        sizes = _sizes.decode(str(entity.get("PayloadSizes", "{}")))
        entity["PayloadSizes"] = _json(sizes | {name: size})


def is_address(value: Value | None) -> bool:
    """Whether a column names a blob."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def blob_of(url: str, container: str) -> str:
    """The blob's name in its address. The account's own address may have changed since it was written."""
    _, found, name = url.partition(f"/{container}/")
    if not found:
        raise StorageError(f"an Instances row names a blob outside the container {container}")
    return unquote(name)


def row_of(entity: Entity, container: str) -> InstanceRow:
    """The record of an entity whose FailureDetails, Tags and FirstEvent are in place."""
    failure = _decoded(entity, "FailureDetails", _failure)
    return InstanceRow(
        execution=execution_of(entity),
        turn=_number(entity, "Turn"),
        name=str(entity["Name"]),
        status=RuntimeStatus(str(entity["RuntimeStatus"])),
        created_at=time_of(entity["CreatedTime"]),
        updated_at=time_of(entity["LastUpdatedTime"]),
        version=_text(entity, "Version"),
        input=_payload(entity, "Input", container),
        output=None if _is_summary(entity, failure) else _payload(entity, "Output", container),
        custom_status=_payload(entity, "CustomStatus", container),
        failure=failure,
        completed_at=_optional_time(entity, "CompletedTime"),
        scheduled_start=_optional_time(entity, "ScheduledStartTime"),
        parent=_decoded(entity, "ParentInstance", _parent),
        tags=_decoded(entity, "Tags", _tags) or {},
        previous=_text(entity, "PreviousExecutionId"),
        rewinds=_decoded(entity, "Rewinds", _rewinds),
        first_event=_decoded(entity, "FirstEvent", _first_event),
        trace=_decoded(entity, "TraceContext", _trace),
        status_changes=int(str(entity.get("CustomStatusVersion", 0))),
        stuck=_stuck(entity),
    )


def execution_of(entity: Entity) -> Execution:
    """The execution that an entity of the Instances table names."""
    return Execution(
        instance_id=unescape(str(entity["PartitionKey"])),
        execution_id=str(entity["ExecutionId"]),
        generation=int(_number(entity, "Generation")),
    )


def time_of(value: Value) -> datetime:
    """A time column, whether it came as text or as a time."""
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def _stuck(entity: Entity) -> Stuck | None:
    since = _optional_time(entity, "StuckSince")
    if since is None:
        return None
    reason, message_id = str(entity.get("StuckReason", "")), str(entity.get("StuckMessage", ""))
    return Stuck(since=since, reason=reason, message_id=message_id)


def _optional_time(entity: Entity, name: str) -> datetime | None:
    value = entity.get(name)
    return None if value is None else time_of(value)


def _number(entity: Entity, name: str) -> int:
    value = entity[name]
    if not isinstance(value, int):
        raise StorageError(f"the column {name} of an Instances row is no number")
    return value


def _text(entity: Entity, name: str) -> str | None:
    value = entity.get(name)
    return None if value is None else str(value)


def _decoded(entity: Entity, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    value = entity.get(name)
    return None if value is None else decoder.decode(str(value))


def _payload(entity: Entity, name: str, container: str) -> Payload | None:
    value = entity.get(name)
    if value is None:
        return None
    if is_address(value):
        sizes: dict[str, int] = _decoded(entity, "PayloadSizes", _sizes) or {}
        return stored(blob_of(str(value), container), sizes.get(name, 0))
    return inline(str(value).encode())


def _is_summary(entity: Entity, failure: Failure | None) -> bool:
    return failure is not None and entity.get("Output") == _output_of(failure)


def _output_of(failure: Failure) -> str:
    # Bounded, so that it always fits; the whole is in FailureDetails.
    return _json(failure.summary[: MAX_COLUMN_CHARACTERS // 8])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
