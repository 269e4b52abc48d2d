"""The status of an instance under the names of azure-functions-durable 1.x; false when there is no such instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec

if TYPE_CHECKING:
    from durable_ext.authoring.status import InstanceStatus

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class OrchestrationRuntimeStatus(StrEnum):
    """Status of an instance; members are spelled, and print, as in azure-functions-durable.

    Equal to the native RuntimeStatus, and to its text.
    """

    Running = "Running"
    Completed = "Completed"
    ContinuedAsNew = "ContinuedAsNew"
    Failed = "Failed"
    Canceled = "Canceled"
    Terminated = "Terminated"
    Pending = "Pending"
    Suspended = "Suspended"

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)


class StatusFields(TypedDict, total=False):
    """The fields of a status, spelled as the management API does. Times are datetimes or ISO 8601 text."""

    name: str | None
    instanceId: str | None
    createdTime: datetime | str | None
    lastUpdatedTime: datetime | str | None
    input: Any
    output: Any
    runtimeStatus: str | None
    customStatus: Any
    history: list[dict[str, Any]] | None
    historyEvents: list[dict[str, Any]] | None


class DurableOrchestrationStatus:
    """What `get_status` answers. `bool(status)` says whether the instance exists; all fields are None if not.

    Times are aware UTC. `history`, and `historyEvents`, is a list of events as plain data, as the management API shows
    them, when it was asked for.
    """

    # Of the class too, so that a mock of this class has them.
    name: str | None = None
    instance_id: str | None = None
    created_time: datetime | None = None
    last_updated_time: datetime | None = None
    input_: Any = None
    output: Any = None
    runtime_status: OrchestrationRuntimeStatus | None = None
    custom_status: Any = None
    history: list[dict[str, Any]] | None = None

    def __init__(self, **fields: Unpack[StatusFields]) -> None:
        status = fields.get("runtimeStatus")
        self.name = fields.get("name")
        self.instance_id = fields.get("instanceId")
        self.created_time = _time(fields.get("createdTime"))
        self.last_updated_time = _time(fields.get("lastUpdatedTime"))
        self.input_ = fields.get("input")
        self.output = fields.get("output")
        self.runtime_status = None if status is None else OrchestrationRuntimeStatus(status)
        self.custom_status = fields.get("customStatus")
        history = fields.get("historyEvents")
        self.history = fields.get("history") if history is None else history

    def __bool__(self) -> bool:
        return self.created_time is not None

    def __str__(self) -> str:
        return json.dumps(self.to_json())

    def __repr__(self) -> str:
        return f"DurableOrchestrationStatus({self})"

    @property
    def historyEvents(self) -> list[dict[str, Any]] | None:
        """As `history`."""
        return self.history

    def to_json(self) -> dict[str, Any]:
        """The fields as azure-functions-durable spells them, null for what there is not; none without an instance.

        A history that was asked for is there under both its names.
        """
        if not self:
            return {}
        fields: dict[str, Any] = {
            "name": self.name,
            "instanceId": self.instance_id,
            "createdTime": _text(self.created_time),
            "lastUpdatedTime": _text(self.last_updated_time),
            "input": self.input_,
            "output": self.output,
            "runtimeStatus": None if self.runtime_status is None else self.runtime_status.value,
            "customStatus": self.custom_status,
            "history": self.history,
        }
        return fields if self.history is None else fields | {"historyEvents": self.history}

    @classmethod
    def from_json(cls, json_obj: str | Mapping[str, Any] | None) -> DurableOrchestrationStatus:
        """The status that JSON text, or its object, describes; one that is false for nothing.

        Raises ValueError for text that is no JSON and for a status that there is not.
        """
        found: Any = json.loads(json_obj) if isinstance(json_obj, str) else json_obj
        fields: StatusFields = {}
        for name in StatusFields.__annotations__.keys() & (found or {}).keys():
            fields[name] = found[name]
        return cls(**fields)


def status_of(
    found: InstanceStatus | None, *, history: list[dict[str, Any]] | None = None
) -> DurableOrchestrationStatus:
    """An instance under those names, or nothing."""
    if found is None:
        return DurableOrchestrationStatus()
    return DurableOrchestrationStatus(
        name=found.name,
        instanceId=found.instance_id,
        createdTime=found.created_time,
        lastUpdatedTime=found.last_updated_time,
        input=found.input,
        output=found.output,
        runtimeStatus=found.runtime_status.value,
        customStatus=found.custom_status,
        history=history,
    )


class PurgeHistoryResult(msgspec.Struct, frozen=True):
    """How many instances were purged."""

    instances_deleted: int

    @classmethod
    def from_json(cls, json_obj: Mapping[str, Any]) -> PurgeHistoryResult:
        """The result that the management API's answer describes."""
        return cls(int(json_obj["instancesDeleted"]))


class EntityStateResponse(msgspec.Struct, frozen=True):
    """What `read_entity_state` answers: whether the entity exists, and its state as plain data."""

    entity_exists: bool
    entity_state: Any = None


def _time(value: datetime | str | None) -> datetime | None:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.strftime(_TIME)
