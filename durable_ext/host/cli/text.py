"""What commands print: instances, histories and kept messages, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from durable_ext.host.cli.terminal import harmless, one_line
from durable_ext.records.codec import encode_events
from durable_ext.records.events import Event
from durable_ext.records.messages import Quarantined
from durable_ext.records.payloads import Payload
from durable_ext.records.turns import Turn

if TYPE_CHECKING:
    from durable_ext.authoring.status import InstanceStatus

_WIDEST = 100


def print_json(value: Any) -> None:
    """A value as JSON on one line."""
    print(msgspec.json.encode(value).decode())


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows in columns as wide as they need."""
    table = [tuple(titles), *[tuple(map(one_line, row)) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def time_text(time: datetime | None) -> str:
    """A time in UTC to the millisecond."""
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def shortened(value: Any) -> str:
    """A value as JSON, cut where a line would get too long."""
    text = one_line(msgspec.json.encode(value).decode())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def shown(value: Any) -> str:
    """A text as it is, on one line; any other value as JSON."""
    return one_line(value) if isinstance(value, str) else shortened(value)


def status_json(status: InstanceStatus) -> dict[str, Any]:
    """An instance under the names of the management API, and what else there is to know."""
    failure, stuck = status.failure, status.stuck
    return {
        "name": status.name,
        "instanceId": status.instance_id,
        "runtimeStatus": status.runtime_status.value,
        "input": status.input,
        "customStatus": status.custom_status,
        "output": status.output,
        "failure": None if failure is None else msgspec.to_builtins(failure),
        "createdTime": time_text(status.created_time),
        "lastUpdatedTime": time_text(status.last_updated_time),
        "completedTime": time_text(status.completed_time) or None,
        "scheduledStartTime": time_text(status.row.scheduled_start) or None,
        "executionId": status.execution_id,
        "version": status.version,
        "tags": status.tags or None,
        "parentInstanceId": status.parent_instance_id,
        "stuck": None if stuck is None else {**msgspec.to_builtins(stuck), "since": time_text(stuck.since)},
    }


def shown_status(status: InstanceStatus) -> str:
    """The status as a table has it."""
    return f"{status.runtime_status.value}{'' if status.stuck is None else ', stuck'}"


def progress_json(status: InstanceStatus) -> list[dict[str, Any]]:
    """What the running activities of an instance said last."""
    return [
        {"name": said.name, "taskId": said.task_id, "time": time_text(said.time), "progress": said.progress}
        for said in status.activity_progress
    ]


def print_status(status: InstanceStatus) -> None:
    """An instance, a line for each thing there is to know."""
    for title, value in status_json(status).items():
        if value is not None and title not in ("failure", "stuck"):
            print(f"{title:18} {shown(value)}")
    if status.stuck is not None:
        print(f"{'stuckSince':18} {time_text(status.stuck.since)}")
        print(
            f"{'stuckOn':18} message {one_line(status.stuck.message_id)} in quarantine: {one_line(status.stuck.reason)}"
        )
    for said in progress_json(status):
        who = f"{one_line(said['name'])} ({said['taskId']})"
        print(f"{'progress':18} {who}: {shortened(said['progress'])} at {said['time']}")
    if status.failure is not None and status.failure.traceback:
        print(harmless(status.failure.traceback.rstrip()))


def turn_json(turn: Turn) -> dict[str, Any]:
    """A turn with the payloads of its events as values."""
    return {
        "executionId": turn.execution.execution_id,
        "generation": turn.execution.generation,
        "turn": turn.number,
        "time": time_text(turn.time),
        "events": [event_json(event) for event in turn.events],
    }


def event_json(event: Event) -> dict[str, Any]:
    """An event as plain data; a payload in a blob is named, not loaded."""
    (plain,) = msgspec.json.decode(encode_events([event]))
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Payload):
            plain[field.encode_name] = payload_json(value)
    return plain


def payload_json(payload: Payload) -> Any:
    """The value of a payload, or where it is."""
    return msgspec.json.decode(payload.data) if payload.inline else {"blob": payload.blob, "size": payload.size}


def print_turns(turns: Sequence[Turn]) -> None:
    """A line for each event."""
    rows: list[Sequence[str]] = []
    for turn in turns:
        for event in turn.events:
            plain = event_json(event)
            kind = plain.pop("type")
            rows.append((str(turn.number), time_text(turn.time), kind, _fields(plain)))
    print_table(("TURN", "TIME", "EVENT", "WHAT"), rows)


def quarantined_json(message: Quarantined) -> dict[str, Any]:
    """A kept message as plain data."""
    return {**msgspec.to_builtins(message), "time": time_text(message.time)}


def _fields(plain: Mapping[str, Any]) -> str:
    texts = [f"{name}={shown(value)}" for name, value in plain.items()]
    return " ".join(texts)
