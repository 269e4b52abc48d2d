"""An instance as JSON. Payloads are spliced in as the text they are, never decoded and encoded again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from durable_ext.authoring.payload import NULL
from durable_ext.authoring.status import InstanceStatus
from durable_ext.http_api.history import HistoryEvent, to_history
from durable_ext.records.failures import Failure
from durable_ext.records.instance import InstanceRow, RuntimeStatus, Stuck
from durable_ext.records.payloads import Payload
from durable_ext.worker.client import Client

# Payloads in blobs are loaded side by side, so many at a time.
_AT_ONCE = 16

_NULL = msgspec.Raw(NULL)

T = TypeVar("T")
V = TypeVar("V")


class FailureView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why an instance failed. `properties` are what the exception says of itself; `cause` comes from inside."""

    type: str
    message: str
    properties: dict[str, Any]
    cause: FailureView | None


class ProgressView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a running activity said last of its progress."""

    name: str
    task_id: int
    time: str
    progress: msgspec.Raw


class StuckView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Since when and why an instance does not go on, and the message in quarantine that could not be processed."""

    since: str
    reason: str
    message_id: str


class StatusView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One instance, with the field names of Durable Functions. Times are ISO 8601 in whole seconds, UTC, with a Z."""

    name: str
    instance_id: str
    runtime_status: RuntimeStatus
    input: msgspec.Raw
    custom_status: msgspec.Raw
    output: msgspec.Raw
    created_time: str
    last_updated_time: str
    history_events: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    failure: FailureView | msgspec.UnsetType = msgspec.UNSET
    activity_progress: list[ProgressView] | msgspec.UnsetType = msgspec.UNSET
    stuck: StuckView | msgspec.UnsetType = msgspec.UNSET


def view(status: InstanceStatus, history: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET) -> StatusView:
    """A status whose payloads are loaded, as JSON fields."""
    row = status.row
    return StatusView(
        name=row.name,
        instance_id=row.instance_id,
        runtime_status=row.status,
        input=_raw(row.input),
        custom_status=_raw(row.custom_status),
        output=output_of(row),
        created_time=seconds(row.created_at),
        last_updated_time=seconds(row.updated_at),
        history_events=history,
        failure=msgspec.UNSET if row.failure is None else _failure_view(row.failure),
        stuck=msgspec.UNSET if row.stuck is None else _stuck_view(row.stuck),
    )


def _stuck_view(stuck: Stuck) -> StuckView:
    return StuckView(since=seconds(stuck.since), reason=stuck.reason, message_id=stuck.message_id)


def _failure_view(failure: Failure) -> FailureView:
    return FailureView(
        type=failure.type,
        message=failure.message,
        properties=failure.properties,
        cause=None if failure.cause is None else _failure_view(failure.cause),
    )


def output_of(row: InstanceRow) -> msgspec.Raw:
    """The output of a row whose payloads are loaded; for a failed instance the summary of its failure."""
    if row.output is None and row.failure is not None:
        return msgspec.Raw(msgspec.json.encode(row.failure.summary))
    return _raw(row.output)


async def progress(client: Client, instance_id: str) -> list[ProgressView]:
    """What the running activities of an instance said last."""
    return [
        ProgressView(name=said.name, task_id=said.task_id, time=seconds(said.time), progress=said.value.json)
        for said in await client.progress_reports(instance_id)
    ]


async def views(client: Client, rows: Sequence[InstanceRow], *, with_input: bool) -> list[StatusView]:
    """Rows with their payloads loaded, in their order."""

    async def load(row: InstanceRow) -> StatusView:
        return view(await client.status_of(row, with_input=with_input))

    return await side_by_side(rows, load)


async def history(client: Client, instance_id: str, *, with_input: bool, with_output: bool) -> list[HistoryEvent]:
    """All history events of the current execution, with the payloads that are wanted."""
    turns = await client.history(instance_id)
    return await loaded_events(client, to_history(turns, with_input=with_input, with_output=with_output))


async def loaded_events(client: Client, events: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """History events with their payloads loaded."""

    async def load(event: HistoryEvent) -> HistoryEvent:
        return {name: await _loaded(client, value) for name, value in event.items()}

    return await side_by_side(events, load)


async def _loaded(client: Client, value: Any) -> Any:
    return (await client.load_payload(value)).json if isinstance(value, Payload) else value


async def side_by_side(items: Sequence[T], load: Callable[[T], Awaitable[V]]) -> list[V]:
    """What `load` makes of each item, in their order."""
    loaded: list[V] = []
    for start in range(0, len(items), _AT_ONCE):
        loaded += await asyncio.gather(*(load(item) for item in items[start : start + _AT_ONCE]))
    return loaded


def _raw(payload: Payload | None) -> msgspec.Raw:
    return _NULL if payload is None else payload.json


def seconds(time: datetime) -> str:
    """A time in whole seconds, as ISO 8601 with a Z."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
