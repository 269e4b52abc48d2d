"""History is the outbox: what a committed turn sends is derived from it alone, with derived ids (P4).

So sending again after a crash sends the same messages, and a receiver can tell (P7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

import msgspec

from durable_ext.records import events
from durable_ext.records.events import ContinuedAsNew, Decision, ExecutionStarted, Input
from durable_ext.records.failures import Failure
from durable_ext.records.ids import message_id
from durable_ext.records.instance import Execution, Parent, Preceding, Rewinding
from durable_ext.records.messages import (
    Body,
    FinishChild,
    FinishOperation,
    FireTimer,
    GrantLock,
    Message,
    RaiseEvent,
    RequestLock,
    RunActivity,
    StartExecution,
    Terminate,
)
from durable_ext.records.recorded import Traced
from durable_ext.records.turns import Turn, placed, rewound_in, sent_before
from durable_ext.replay.entity_outbox import Letter, answer_letter, letter_to_entity, letters_of_release

# Decisions that have an answer; for a detached child nobody waits.
Question = events.TaskScheduled | events.TimerCreated | events.ChildScheduled | events.EntityCalled | events.LockAsked


class LockUse(msgspec.Struct):
    """A lock that an execution asked for, and whether it has left it."""

    asked: events.LockAsked
    left: bool = False


class Owed(msgspec.Struct, frozen=True):
    """A message a turn sends, and the decision whose recorded outcome settles it; None: only sending settles it.
    `placement` is where an activity was asked to run (S3)."""

    message: Message
    task_id: int | None
    placement: str = "auto"


_REPORTS = frozenset({FinishChild, FinishOperation, GrantLock})


def is_report(message: Message) -> bool:
    """Whether a message tells somebody who waits how what he asked for has ended."""
    return type(message.body) in _REPORTS


# What happens most, and sends nothing.
_QUIET = frozenset({events.TaskCompleted, events.TimerFired, events.EventRaised, events.OperationRequested})


def owed_by(
    turn: Turn,
    started: ExecutionStarted,
    open_decisions: Iterable[Decision],
    locks: Mapping[int, LockUse] = MappingProxyType({}),
) -> Iterator[Owed]:
    """All that a committed turn sends. `open_decisions` are those of its execution without an outcome, `locks` all
    that it ever asked for."""
    left_out = sent_before(turn)
    for position, event in placed(turn):
        if type(event) in _QUIET or position in left_out:
            continue
        match event:
            case (
                events.TaskScheduled()
                | events.TimerCreated()
                | events.ChildScheduled()
                | events.EntityCalled()
                | events.LockAsked()
            ):
                yield asked(turn, position, started, event)
            case events.EventSent():
                sent = RaiseEvent(name=event.name, input=event.input)
                yield Owed(_traced(_message(turn, position, event.instance_id, sent, execution_id=None), event), None)
            case events.EntitySignaled() | events.LockLeft() | events.OperationEnded() | events.LockGranted():
                yield from _around_entities(turn, position, event, locks)
            case (
                events.ExecutionTerminated()
                | events.ExecutionCompleted()
                | events.ExecutionFailed()
                | events.ContinuedAsNew()
            ):
                yield from _released_at_end(turn, position, locks)
                yield from _ends_of_children(turn, position, event, open_decisions)
                yield from _report(turn, position, started, event)
            case _:
                pass


def asked(turn: Turn, position: int, started: ExecutionStarted, event: Question) -> Owed:
    """What a committed turn sends for a decision that has an answer."""
    match event:
        case events.TaskScheduled():
            body = RunActivity(
                task_id=event.id,
                name=event.name,
                input=event.input,
                tags=event.tags,
                tag=event.tag,
                session_id=event.session_id,
            )
            message = _message(turn, position, turn.execution.instance_id, body)
            return Owed(_traced(message, event), event.id, event.placement)
        case events.TimerCreated():
            timer = FireTimer(task_id=event.id, fire_at=event.fire_at)
            message = _message(turn, position, turn.execution.instance_id, timer)
            return Owed(msgspec.structs.replace(message, due=event.fire_at), event.id)
        case events.ChildScheduled():
            return _child_start(turn, position, started, event)
        case events.EntityCalled():
            message = _posted(turn, position, letter_to_entity(turn.execution, event))
            return Owed(_traced(message, event), event.id)
        case events.LockAsked():
            return Owed(_posted(turn, position, letter_to_entity(turn.execution, event)), event.id)
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
    start = msgspec.structs.replace(
        started,
        input=ending.input,
        version=ending.version,
        previous=previous.execution_id,
        values=ending.values,
        status_changes=ending.status_changes,
    )
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
    rewound = rewound_in(turn)
    if rewound is not None and position in rewound.reopened:
        body = msgspec.structs.replace(body, rewinds=Rewinding(reason=rewound.reason, time=turn.time))
    message = _message(turn, position, event.instance_id, body, execution_id=event.execution_id)
    return Owed(_traced(message, event), None if event.detached else event.id)


def _around_entities(
    turn: Turn,
    position: int,
    event: events.EntitySignaled | events.LockLeft | events.OperationEnded | events.LockGranted,
    locks: Mapping[int, LockUse],
) -> Iterator[Owed]:
    match event:
        case events.EntitySignaled():
            letter = letter_to_entity(turn.execution, event)
            message = _traced(_posted(turn, position, letter), event)
            yield Owed(msgspec.structs.replace(message, due=event.due), None)
        case events.LockLeft():
            yield from _released(turn, position, locks[event.task_id].asked)
        case events.OperationEnded() | events.LockGranted():
            answer = answer_letter(turn.execution.instance_id, event)
            if answer is not None:
                yield Owed(_posted(turn, position, answer), None)
        case _:
            assert_never(event)


def _released_at_end(turn: Turn, position: int, locks: Mapping[int, LockUse]) -> Iterator[Owed]:
    """Nobody holds a lock longer than his execution lasts."""
    for use in locks.values():
        if not use.left:
            yield from _released(turn, position, use.asked)


def _released(turn: Turn, position: int, asked: events.LockAsked) -> Iterator[Owed]:
    for number, letter in enumerate(letters_of_release(turn.execution, asked)):
        message = _posted(turn, position, letter)
        yield Owed(msgspec.structs.replace(message, id=f"{message.id}.{asked.id}.{number}"), None)


def _posted(turn: Turn, position: int, letter: Letter) -> Message:
    body, instance_id, execution_id = letter
    message = _message(turn, position, instance_id, body, execution_id=execution_id)
    for before in body.after if isinstance(body, RequestLock) else ():
        if before.entity_id == instance_id:
            return behind(message, before)
    return message


def behind(message: Message, before: Preceding) -> Message:
    """The message, to be taken behind another one of its sender."""
    return msgspec.structs.replace(message, after=before.message_id, after_at=before.sent_at)


def _ends_of_children(
    turn: Turn, position: int, event: events.Terminal, open_decisions: Iterable[Decision]
) -> Iterator[Owed]:
    if not isinstance(event, events.ExecutionTerminated) or not event.recursive:
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
    event: events.Terminal,
) -> Iterator[Owed]:
    parent = started.parent
    if parent is None or isinstance(event, events.ContinuedAsNew | events.EntityRemoved):
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


def _traced(message: Message, event: Traced) -> Message:
    return message if event.trace is None else msgspec.structs.replace(message, trace=event.trace)


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
