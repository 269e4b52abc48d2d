"""History is the outbox: what a committed turn sends is derived from it alone, with derived ids (P4).

So sending again after a crash sends the same messages, and a receiver can tell (P7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import assert_never

import msgspec

from durable_ext.records import events
from durable_ext.records.events import ContinuedAsNew, Decision, ExecutionStarted, Input
from durable_ext.records.failures import Failure
from durable_ext.records.ids import message_id
from durable_ext.records.instance import Execution, Parent
from durable_ext.records.messages import (
    Body,
    FinishChild,
    FireTimer,
    Message,
    RaiseEvent,
    RunActivity,
    StartExecution,
    Terminate,
)
from durable_ext.records.turns import Turn

# Decisions that have an answer; for a detached child nobody waits.
Question = events.TaskScheduled | events.TimerCreated | events.ChildScheduled


class Owed(msgspec.Struct, frozen=True):
    """A message a turn sends, and the decision whose recorded outcome settles it; None: only sending settles it.
    `placement` is where an activity was asked to run (S3)."""

    message: Message
    task_id: int | None
    placement: str = "auto"


def owed_by(turn: Turn, started: ExecutionStarted, open_decisions: Iterable[Decision]) -> Iterator[Owed]:
    """All that a committed turn sends. `open_decisions` are those of its execution without an outcome."""
    for position, event in enumerate(turn.events):
        match event:
            case events.TaskScheduled() | events.TimerCreated() | events.ChildScheduled():
                yield asked(turn, position, started, event)
            case events.EventSent():
                sent = RaiseEvent(name=event.name, input=event.input)
                yield Owed(_message(turn, position, event.instance_id, sent, execution_id=None), None)
            case events.ExecutionTerminated():
                yield from _ends_of_children(turn, position, event, open_decisions)
                yield from _report(turn, position, started, event)
            case events.ExecutionCompleted() | events.ExecutionFailed():
                yield from _report(turn, position, started, event)
            case _:
                pass


def asked(turn: Turn, position: int, started: ExecutionStarted, event: Question) -> Owed:
    """What a committed turn sends for a decision that has an answer."""
    match event:
        case events.TaskScheduled():
            body = RunActivity(task_id=event.id, name=event.name, input=event.input, tags=event.tags)
            message = _message(turn, position, turn.execution.instance_id, body)
            return Owed(message, event.id, event.placement)
        case events.TimerCreated():
            timer = FireTimer(task_id=event.id, fire_at=event.fire_at)
            message = _message(turn, position, turn.execution.instance_id, timer)
            return Owed(msgspec.structs.replace(message, due=event.fire_at), event.id)
        case events.ChildScheduled():
            return _child_start(turn, position, started, event)
        case _:
            assert_never(event)


def successor(turn: Turn, started: ExecutionStarted, ending: ContinuedAsNew) -> tuple[Execution, tuple[Input, ...]]:
    """The execution after continue-as-new, and the inputs of its turn 0. Derived, so a redelivery finds the same."""
    previous = turn.execution
    execution = Execution(
        instance_id=previous.instance_id,
        execution_id=ending.execution_id,
        generation=previous.generation + 1,
    )
    start = msgspec.structs.replace(started, input=ending.input, version=ending.version, previous=previous.execution_id)
    return execution, (start, *ending.carried)


def _child_start(turn: Turn, position: int, started: ExecutionStarted, event: events.ChildScheduled) -> Owed:
    parent = Parent(
        instance_id=turn.execution.instance_id,
        execution_id=turn.execution.execution_id,
        task_id=event.id,
        name=started.name,
    )
    body = StartExecution(
        execution=Execution(instance_id=event.instance_id, execution_id=event.execution_id),
        name=event.name,
        input=event.input,
        version=event.version,
        parent=None if event.detached else parent,
        tags=event.tags,
        created_at=turn.time,
    )
    message = _message(turn, position, event.instance_id, body, execution_id=event.execution_id)
    return Owed(message, None if event.detached else event.id)


def _ends_of_children(
    turn: Turn, position: int, event: events.ExecutionTerminated, open_decisions: Iterable[Decision]
) -> Iterator[Owed]:
    if not event.recursive:
        return
    for decision in open_decisions:
        if isinstance(decision, events.ChildScheduled) and not decision.detached:
            # The child may have continued as new: whichever execution is current is meant.
            body = Terminate(reason=event.reason, recursive=True, by_parent=turn.execution.execution_id)
            message = _message(turn, position, decision.instance_id, body, execution_id=None)
            yield Owed(msgspec.structs.replace(message, id=f"{message.id}.{decision.id}"), None)


def _report(
    turn: Turn,
    position: int,
    started: ExecutionStarted,
    event: events.ExecutionCompleted | events.ExecutionFailed | events.ExecutionTerminated,
) -> Iterator[Owed]:
    parent = started.parent
    if parent is None:
        return
    match event:
        case events.ExecutionCompleted():
            body = FinishChild(task_id=parent.task_id, result=event.result)
        case events.ExecutionFailed():
            body = FinishChild(task_id=parent.task_id, failure=event.failure)
        case _:
            text = f"the child orchestration was terminated: {event.reason or 'no reason given'}"
            body = FinishChild(task_id=parent.task_id, failure=Failure(type="Terminated", message=text))
    yield Owed(_message(turn, position, parent.instance_id, body, execution_id=parent.execution_id), None)


_SAME: str = ""


def _message(turn: Turn, position: int, instance_id: str, body: Body, *, execution_id: str | None = _SAME) -> Message:
    time: datetime = turn.time
    return Message(
        id=message_id(turn.execution, turn.number, position),
        instance_id=instance_id,
        execution_id=turn.execution.execution_id if execution_id == _SAME else execution_id,
        body=body,
        sent_at=time,
    )
