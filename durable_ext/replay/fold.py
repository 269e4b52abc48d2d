"""A history to the row that people query: the projection of P8. History is the truth, the row can be made again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from durable_ext.records import events
from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.events import Event
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn, placed

# What happens most, and what people do not see of an instance.
_UNSEEN = frozenset(
    {
        *(events.TaskScheduled, events.TaskCompleted, events.TimerCreated, events.TimerFired),
        *(events.ChildScheduled, events.ChildCompleted, events.EventRaised),
        *(events.EntityCalled, events.OperationCompleted),
        *(events.OperationRequested, events.OperationEnded),
    }
)


def project(row: InstanceRow | None, turns: Iterable[Turn]) -> InstanceRow | None:
    """The row after these turns, which follow the ones that `row` reflects. None while nothing has started."""
    for turn in turns:
        row = _after(row, turn)
    return row


def _after(row: InstanceRow | None, turn: Turn) -> InstanceRow | None:
    changes: dict[str, Any] = {"status": _status_before(row, turn)}
    said, stuck = 0, None if row is None else row.stuck
    for _, event in placed(turn):
        if type(event) in _UNSEEN:
            continue
        if isinstance(event, events.ExecutionStarted):
            row = _first(row, turn, event)
        elif isinstance(event, events.CustomStatusSet):
            said += 1
        changes.update(_entity(row, event) if isinstance(event, events.EntityUpdated) else _changes(event, turn))
    if row is None:
        return None
    if said:
        changes["status_changes"] = row.status_changes + said
    if stuck is not None:
        # A turn from before shows later than the mark when the row lagged. One that closes a trigger is no progress.
        goes_on = (turn.time > stuck.since and turn.events) or changes["status"].is_terminal
        changes["stuck"] = None if goes_on else stuck
    return msgspec.structs.replace(row, execution=turn.execution, turn=turn.number, updated_at=turn.time, **changes)


def _status_before(row: InstanceRow | None, turn: Turn) -> RuntimeStatus:
    if row is not None and turn.number > 0 and row.status is RuntimeStatus.SUSPENDED:
        return RuntimeStatus.SUSPENDED
    return RuntimeStatus.RUNNING


def _first(row: InstanceRow | None, turn: Turn, event: events.ExecutionStarted) -> InstanceRow:
    continued = row is not None and row.execution.generation < turn.execution.generation
    return InstanceRow(
        execution=turn.execution,
        name=event.name,
        status=RuntimeStatus.RUNNING,
        created_at=event.created_at,
        updated_at=turn.time,
        version=event.version,
        # Of an entity it is a snapshot; people see the state, which the same turn has (P8).
        input=event.input if not is_entity(turn.execution.instance_id) else None if row is None else row.input,
        # People go on seeing the last custom status of an eternal orchestration.
        custom_status=row.custom_status if row is not None and continued else None,
        # After a rewind the row may be ahead: a number is never given twice.
        status_changes=max(event.status_changes, row.status_changes if row is not None and continued else 0),
        scheduled_start=None if row is None else row.scheduled_start,
        parent=event.parent,
        tags=event.tags,
    )


def _entity(row: InstanceRow | None, event: events.EntityUpdated) -> dict[str, Any]:
    state = row.input if event.unchanged and row is not None else event.state
    summary = EntitySummary(exists=state is not None, waiting=event.waiting, lock=event.lock, locked_by=event.locked_by)
    return {"input": state, "custom_status": summary.to_payload()}


def _changes(event: Event, turn: Turn) -> dict[str, Any]:
    match event:
        case events.ParentRewound():
            return {"parent": event.parent}
        case events.CustomStatusSet():
            return {"custom_status": event.status}
        case events.ExecutionSuspended():
            return {"status": RuntimeStatus.SUSPENDED}
        case events.ExecutionResumed():
            return {"status": RuntimeStatus.RUNNING}
        case events.ExecutionCompleted():
            return {"status": RuntimeStatus.COMPLETED, "output": event.result, "completed_at": turn.time}
        case events.ExecutionFailed():
            return {"status": RuntimeStatus.FAILED, "failure": event.failure, "completed_at": turn.time}
        case events.ExecutionTerminated():
            output = event.output or inline(msgspec.json.encode(event.reason))
            return {"status": RuntimeStatus.TERMINATED, "output": output, "completed_at": turn.time}
        case events.EntityRemoved():
            return {"status": RuntimeStatus.COMPLETED, "completed_at": turn.time}
        case _:  # what people do not see of an instance
            return {}
