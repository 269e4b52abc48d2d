"""Messages as inputs of a turn: what each says has happened. Whether it is news is the ledger's to say."""

from __future__ import annotations

from typing import assert_never

import msgspec

from durable_ext.records import events, messages
from durable_ext.records.events import ExecutionStarted, Input
from durable_ext.records.instance import Parent
from durable_ext.records.payloads import inline
from durable_ext.records.trace import TraceContext

# Messages that answer a decision.
Answer = messages.FinishTask | messages.FinishChild | messages.FinishOperation | messages.FireTimer | messages.GrantLock


def answer(body: Answer) -> Input:
    """The input that an answer becomes."""
    match body:
        case messages.FireTimer():
            return events.TimerFired(task_id=body.task_id)
        case messages.GrantLock():
            return events.LockAcquired(task_id=body.task_id)
        case _ if body.failure is not None:
            return _FAILED[type(body)](task_id=body.task_id, failure=body.failure)
        case _:
            return _COMPLETED[type(body)](task_id=body.task_id, result=body.result or inline(b"null"))


_COMPLETED = {
    messages.FinishTask: events.TaskCompleted,
    messages.FinishChild: events.ChildCompleted,
    messages.FinishOperation: events.OperationCompleted,
}
_FAILED = {
    messages.FinishTask: events.TaskFailed,
    messages.FinishChild: events.ChildFailed,
    messages.FinishOperation: events.OperationFailed,
}


def asked_of_entity(body: messages.ForEntity, trace: TraceContext | None = None) -> Input:
    """The input that a message to an entity becomes."""
    match body:
        case messages.RunOperation():
            return events.OperationRequested(
                operation=body.operation, input=body.input, caller=body.caller, lock=body.lock, trace=trace
            )
        case messages.RequestLock():
            return events.LockRequested(lock=body.lock, holder=body.holder, entities=body.entities, after=body.after)
        case messages.ReleaseLock():
            return events.LockReleased(lock=body.lock)
        case messages.RemoveEntity():
            return events.RemovalRequested()
        case _:
            assert_never(body)


def started(body: messages.StartExecution, trace: TraceContext | None = None) -> ExecutionStarted:
    """The input that begins an execution."""
    return ExecutionStarted(
        name=body.name,
        input=body.input,
        version=body.version,
        parent=body.parent,
        tags=body.tags,
        created_at=body.created_at,
        previous=body.previous,
        trace=trace,
    )


def with_parent(
    before: ExecutionStarted | None, event: ExecutionStarted | events.ParentRewound
) -> ExecutionStarted | None:
    """The start of an execution after an event that says who its parent is."""
    if isinstance(event, ExecutionStarted) or before is None:
        return event if isinstance(event, ExecutionStarted) else None
    return msgspec.structs.replace(before, parent=event.parent)


def is_child(parent: Parent | None, start: messages.StartExecution) -> bool:
    """Whether a start comes from the instance that `parent` names, as another execution of it."""
    return (
        parent is not None
        and start.parent is not None
        and parent.instance_id == start.parent.instance_id
        and parent.execution_id != start.parent.execution_id
    )
