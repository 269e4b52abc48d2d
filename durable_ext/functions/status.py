"""The status of an instance under the names of azure-functions-durable 1.x; false when there is no such instance."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_ext.authoring.status import InstanceStatus

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class OrchestrationRuntimeStatus(StrEnum):
    """Status of an instance; members are spelled as in azure-functions-durable. Equal to the native RuntimeStatus."""

    Running = "Running"
    Completed = "Completed"
    ContinuedAsNew = "ContinuedAsNew"
    Failed = "Failed"
    Canceled = "Canceled"
    Terminated = "Terminated"
    Pending = "Pending"
    Suspended = "Suspended"


class OrchestrationStatus:
    """What `get_status` answers. `bool(status)` says whether the instance exists; all fields are None if not.

    Times are aware UTC. `history` is a list of events as plain data, as the management API shows them, when it was
    asked for.
    """

    def __init__(self, found: InstanceStatus | None, *, history: list[dict[str, Any]] | None = None) -> None:
        self._found = found
        self.history = history

    def __bool__(self) -> bool:
        return self._found is not None

    @property
    def name(self) -> str | None:
        return None if self._found is None else self._found.name

    @property
    def instance_id(self) -> str | None:
        return None if self._found is None else self._found.instance_id

    @property
    def created_time(self) -> datetime | None:
        return None if self._found is None else self._found.created_time

    @property
    def last_updated_time(self) -> datetime | None:
        return None if self._found is None else self._found.last_updated_time

    @property
    def runtime_status(self) -> OrchestrationRuntimeStatus | None:
        return None if self._found is None else OrchestrationRuntimeStatus(self._found.runtime_status.value)

    @property
    def input_(self) -> Any:
        return None if self._found is None else self._found.input

    @property
    def output(self) -> Any:
        return None if self._found is None else self._found.output

    @property
    def custom_status(self) -> Any:
        return None if self._found is None else self._found.custom_status

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, as the management API spells them."""
        status = self.runtime_status
        fields = {
            "name": self.name,
            "instanceId": self.instance_id,
            "createdTime": _text(self.created_time),
            "lastUpdatedTime": _text(self.last_updated_time),
            "input": self.input_,
            "output": self.output,
            "runtimeStatus": None if status is None else status.value,
            "customStatus": self.custom_status,
            "historyEvents": self.history,
        }
        return {key: value for key, value in fields.items() if value is not None}


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.strftime(_TIME)
