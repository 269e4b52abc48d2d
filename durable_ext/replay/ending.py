"""A turn that terminates an instance: decided by the inputs alone, whatever its code is or would do (P11). Pure.

The code is not run for what came with the termination either: it may be the very thing that cannot be run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from durable_ext.records.events import Event, ExecutionStarted, ExecutionTerminated, Input
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow


def is_ending(events: Iterable[Event]) -> bool:
    """Whether a turn with these inputs terminates the instance."""
    return any(isinstance(event, ExecutionTerminated) for event in events)


def up_to_end(inputs: Sequence[Input]) -> tuple[Input, ...]:
    """The inputs that the last turn of a terminated instance records: what follows the termination is dropped."""
    for position, event in enumerate(inputs):
        if isinstance(event, ExecutionTerminated):
            return tuple(inputs[: position + 1])
    return tuple(inputs)


def beginning_of(row: InstanceRow) -> ExecutionStarted:
    """How the history of an instance begins that ends before its start was dealt with: as its row has it."""
    if is_entity(row.instance_id):
        return ExecutionStarted(name=row.instance_id, created_at=row.created_at)
    return ExecutionStarted(
        name=row.name,
        input=row.input,
        version=row.version,
        parent=row.parent,
        tags=row.tags,
        created_at=row.created_at,
        previous=None if row.rewinds is None else row.rewinds.execution_id,
        trace=row.trace,
    )
