"""What a caller sees of an instance: its row, with the payloads as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_ext.authoring.payload import Converter, decode
from durable_ext.errors import TaskFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from durable_ext.authoring.activity_progress import ActivityProgress
    from durable_ext.records.failures import Failure
    from durable_ext.records.instance import InstanceRow, RuntimeStatus, Stuck


class InstanceStatus:
    """One instance as it was when it was read. Times are aware UTC. Payloads are loaded.

    `activity_progress`: what its running activities said last, by task id, when it was asked for.
    """

    def __init__(
        self, row: InstanceRow, converter: Converter, activity_progress: Sequence[ActivityProgress] = ()
    ) -> None:
        self.row = row
        self.activity_progress = tuple(activity_progress)
        self._converter = converter

    @property
    def instance_id(self) -> str:
        return self.row.instance_id

    @property
    def name(self) -> str:
        """Name of the orchestrator."""
        return self.row.name

    @property
    def runtime_status(self) -> RuntimeStatus:
        return self.row.status

    @property
    def created_time(self) -> datetime:
        return self.row.created_at

    @property
    def last_updated_time(self) -> datetime:
        return self.row.updated_at

    @property
    def completed_time(self) -> datetime | None:
        """When it ended; None while it has not."""
        return self.row.completed_at

    @property
    def execution_id(self) -> str:
        """Of the current execution; of the one that is meant in `Client.executions`."""
        return self.row.execution.execution_id

    @property
    def parent_instance_id(self) -> str | None:
        """The instance whose child it is; None for one that was started by a client or goes its own way."""
        return None if self.row.parent is None else self.row.parent.instance_id

    @property
    def version(self) -> str | None:
        """What it is pinned to."""
        return self.row.version

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.row.tags)

    @property
    def failure(self) -> Failure | None:
        """Why the instance failed; None unless it did."""
        return self.row.failure

    @property
    def stuck(self) -> Stuck | None:
        """Since when and why it does not go on although it has not ended, and which message in quarantine it was; None
        unless that is so."""
        return self.row.stuck

    @property
    def input(self) -> Any:
        """The input as plain JSON value."""
        return decode(self._converter, self.row.input, Any)

    @property
    def output(self) -> Any:
        """The output as plain JSON value; for a failed instance the failure's summary."""
        if self.row.output is None and self.row.failure is not None:
            return self.row.failure.summary
        return decode(self._converter, self.row.output, Any)

    @property
    def custom_status(self) -> Any:
        """The custom status as plain JSON value; None while unset."""
        return decode(self._converter, self.row.custom_status, Any)

    @property
    def custom_status_version(self) -> int:
        """How often the custom status was set, whatever it was set to; 0 while unset. It counts on after
        continue-as-new and after a rewind."""
        return self.row.status_changes

    def input_as(self, kind: Any) -> Any:
        """The input decoded to a type; None when it was not read. Raises PayloadError on a misfit."""
        return None if self.row.input is None else decode(self._converter, self.row.input, kind)

    def custom_status_as(self, kind: Any) -> Any:
        """The custom status decoded to a type; None while unset. Raises PayloadError on a misfit."""
        return None if self.row.custom_status is None else decode(self._converter, self.row.custom_status, kind)

    def output_as(self, kind: Any) -> Any:
        """The output decoded to a type. Raises TaskFailedError when the instance failed, PayloadError on a misfit."""
        if self.row.failure is not None:
            raise TaskFailedError(self.row.name, self.row.failure)
        return decode(self._converter, self.row.output, kind)

    def __repr__(self) -> str:
        return f"InstanceStatus({self.instance_id!r}, {self.name!r}, {self.runtime_status.value})"
