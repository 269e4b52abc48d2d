"""What turns send to entities, and what entities answer (P4). Derived from history, as everything that is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from durable_ext.records import entity_events
from durable_ext.records.entity_events import EntityCalled, EntitySignaled, LockAsked, LockGranted, OperationEnded
from durable_ext.records.ids import lock_id
from durable_ext.records.instance import Caller, Execution
from durable_ext.records.messages import (
    Body,
    FinishOperation,
    GrantLock,
    Message,
    ReleaseLock,
    RequestLock,
    RunOperation,
)

# Decisions whose message an entity gets; those that somebody waits for are questions.
ToEntity = EntityCalled | EntitySignaled | LockAsked
Answer = OperationEnded | LockGranted
# The body of a message, who gets it, and which of his executions, None for whichever is current.
Letter = tuple[Body, str, str | None]


def letter_to_entity(execution: Execution, event: ToEntity) -> Letter:
    """What an entity gets for a decision; of a lock, the first one."""
    match event:
        case EntityCalled():
            caller = _caller(execution, event.id)
            body = RunOperation(operation=event.operation, input=event.input, caller=caller, lock=event.lock)
            return body, event.entity_id, None
        case EntitySignaled():
            return RunOperation(operation=event.operation, input=event.input), event.entity_id, None
        case LockAsked():
            name = lock_id(execution, event.id)
            body = RequestLock(lock=name, holder=_caller(execution, event.id), entities=event.entities)
            return body, event.entities[0], None
        case _:
            assert_never(event)


def letters_of_release(execution: Execution, asked: LockAsked) -> Iterator[Letter]:
    """What all entities of a lock get when it is not needed any more, whether or not they have heard of it."""
    for entity_id in asked.entities:
        yield ReleaseLock(lock=lock_id(execution, asked.id)), entity_id, None


def answer_letter(entity_id: str, event: Answer) -> Letter | None:
    """What an entity sends for an operation or a lock; None when nobody waits."""
    match event:
        case OperationEnded(caller=None):
            return None
        case OperationEnded():
            return _finish(event), *_address(event.caller)
        case LockGranted():
            rest = event.entities[event.entities.index(entity_id) + 1 :]
            if rest:
                body = RequestLock(lock=event.lock, holder=event.holder, entities=event.entities, after=event.after)
                return body, rest[0], None
            return GrantLock(task_id=event.holder.task_id), *_address(event.holder)
        case _:
            assert_never(event)


def answers(message: Message, caller: Caller | None) -> bool:
    """Whether a message tells this caller the outcome he waits for."""
    body = message.body
    if caller is None or not isinstance(body, FinishOperation | GrantLock):
        return False
    return (message.instance_id, message.execution_id, body.task_id) == (
        caller.instance_id,
        caller.execution_id,
        caller.task_id,
    )


def asker_of(message: Message) -> Caller | None:
    """Who waits for what an entity is asked to do with this message."""
    match message.body:
        case RunOperation() as body:
            return body.caller
        case RequestLock() as body:
            return body.holder
        case _:
            return None


def answered_caller(event: object) -> Caller | None:
    """Whom an event of an entity answers."""
    match event:
        case entity_events.OperationEnded():
            return event.caller
        case entity_events.LockGranted():
            return event.holder
        case _:
            return None


def _finish(event: OperationEnded) -> FinishOperation:
    task_id = -1 if event.caller is None else event.caller.task_id
    return FinishOperation(task_id=task_id, result=event.result, failure=event.failure)


def _address(caller: Caller | None) -> tuple[str, str | None]:
    return ("", None) if caller is None else (caller.instance_id, caller.execution_id)


def _caller(execution: Execution, task_id: int) -> Caller:
    return Caller(instance_id=execution.instance_id, execution_id=execution.execution_id, task_id=task_id)
