"""Rewinding failed instances: a start that goes on from before the failure (P9)."""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec

from durable_ext.errors import InstanceStateError, RowChangedError
from durable_ext.records.given import check_reason
from durable_ext.records.instance import Execution, InstanceRow, Rewinding, RuntimeStatus
from durable_ext.worker.client.starts import StartingClient, start_message


class RewindingClient(StartingClient):
    """Rewinds instances."""

    async def rewind(self, instance_id: str, reason: str = "") -> None:
        """Let a failed instance go on from before its failure: what failed runs again, what succeeded does not.

        Failed activities are asked for anew, failed children are rewound themselves. An instance that failed in its own
        code decides anew. The instance is Pending until a worker has taken it up. Raises InstanceNotFoundError, and
        InstanceStateError when it has not failed or somebody else rewinds it just now.
        """
        stored = await self._existing(instance_id)
        if stored.row.status is not RuntimeStatus.FAILED:
            raise InstanceStateError(
                f"instance {instance_id!r} is {stored.row.status.value}; only a failed instance can be rewound"
            )
        row = rewound_row(stored.row, check_reason(reason), self._clock())
        try:
            etag = await self._provider.create_row(row, replacing=stored.etag)
        except RowChangedError as error:
            raise InstanceStateError(f"instance {instance_id!r} was rewound or started by somebody else") from error
        await self._deliver(start_message(row, etag))


def rewound_row(row: InstanceRow, reason: str, now: datetime) -> InstanceRow:
    """The row with which a failed instance waits for its next execution."""
    execution = Execution(
        instance_id=row.instance_id, execution_id=uuid.uuid4().hex, generation=row.execution.generation + 1
    )
    return msgspec.structs.replace(
        row,
        execution=execution,
        status=RuntimeStatus.PENDING,
        updated_at=now,
        turn=-1,
        output=None,
        failure=None,
        completed_at=None,
        scheduled_start=None,
        previous=row.execution.execution_id,
        rewinds=Rewinding(execution_id=row.execution.execution_id, reason=reason, time=now),
    )
