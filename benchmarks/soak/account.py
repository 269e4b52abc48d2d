"""The account: what a soak left behind is held against its plan. Pure; every deviation is one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, cast

import msgspec

from benchmarks.soak.effects import BEGIN, END
from benchmarks.soak.evidence import Evidence, Log
from benchmarks.soak.ledgers import ledger_faults
from benchmarks.soak.load import Answer, Started
from benchmarks.soak.plan import Ending, Order, child_order
from durable_ext.records.events import (
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    ContinuedAsNew,
    EntityCalled,
    Event,
    EventRaised,
    ExecutionTerminated,
    LockAcquired,
    LockAsked,
    OperationCompleted,
    OperationFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    Terminal,
    TimerCreated,
    TimerFired,
)
from durable_ext.records.instance import InstanceRow
from durable_ext.records.payloads import Payload
from durable_ext.replay.fold import project


class Kind(StrEnum):
    """What is wrong."""

    MISSING = "missing"
    NOT_OVER = "not over"
    WRONG_END = "wrong end"
    WRONG_OUTPUT = "wrong output"
    EVENTS = "events"
    STRAY = "stray"
    GAP = "gap in history"
    NO_OUTCOME = "no outcome"
    OUTCOME_TWICE = "outcome twice"
    MESSAGE_TWICE = "message twice"
    ENDED_TWICE = "ended twice"
    ROW = "row differs from history"
    NO_EFFECT = "result without effect"
    STRANDED = "stranded message"
    QUARANTINED = "quarantined"
    LEDGER = "ledger"


DUPLICATES = frozenset({Kind.OUTCOME_TWICE, Kind.MESSAGE_TWICE, Kind.ENDED_TWICE})


class Finding(NamedTuple):
    """One deviation; `about` is the instance, queue or message."""

    kind: Kind
    about: str
    text: str


_DECISIONS = (TaskScheduled, TimerCreated, ChildScheduled, EntityCalled, LockAsked)
_OUTCOMES = (
    *(TaskCompleted, TaskFailed, TimerFired, ChildCompleted, ChildFailed),
    *(OperationCompleted, OperationFailed, LockAcquired),
)


def account(evidence: Evidence) -> list[Finding]:
    """Everything that is not as it must be."""
    findings = [finding for started in evidence.started for finding in _order(evidence, started)]
    planned = {started.order.id for started in evidence.started}
    begun = {effect.key for effect in evidence.effects if effect.what == BEGIN}
    ended = {effect.key for effect in evidence.effects if effect.what == END}
    for instance_id, row in evidence.rows.items():
        logs = evidence.logs.get(instance_id, [])
        if instance_id not in planned:
            findings += _child(evidence, row)
        findings += _history(row, logs)
        findings += _effects(instance_id, logs, begun, ended)
    told = ledger_faults(evidence.ledgers, [started.order for started in evidence.started], evidence.rows)
    findings += [Finding(Kind.LEDGER, about, text) for about, text in told]
    for queue, count in evidence.stranded.items():
        findings.append(Finding(Kind.STRANDED, queue, f"{count} messages are left"))
    for message in evidence.quarantined:
        findings.append(Finding(Kind.QUARANTINED, message.instance_id or message.id, message.reason))
    return findings


def _order(evidence: Evidence, started: Started) -> Iterator[Finding]:
    order = started.order
    row = evidence.rows.get(order.id)
    if row is None:
        # A start that was not accepted may have come to nothing.
        if started.answer is Answer.ACCEPTED:
            yield Finding(Kind.MISSING, order.id, "its start was accepted and it is not there")
        return
    yield from _end(row, order)
    if not row.status.is_terminal or row.status.value != order.ending.value:
        return
    if order.events:
        for text in event_faults(started, _decoded(row.output), evidence.logs.get(order.id, [])):
            yield Finding(Kind.EVENTS, order.id, text)
    elif order.ending is not Ending.FAILS and _decoded(row.output) != order.output:
        yield _wrong_output(row, order)


def _end(row: InstanceRow, order: Order) -> Iterator[Finding]:
    if row.name != order.kind:
        yield Finding(Kind.STRAY, order.id, f"it is a {row.name}, not a {order.kind}")
    if not row.status.is_terminal:
        yield Finding(Kind.NOT_OVER, order.id, f"{row.status.value} at turn {row.turn} since {row.updated_at}")
    elif row.status.value != order.ending.value:
        why = "" if row.failure is None else f": {row.failure.summary}"
        yield Finding(Kind.WRONG_END, order.id, f"{row.status.value} instead of {order.ending.value}{why}")


def _wrong_output(row: InstanceRow, order: Order) -> Finding:
    return Finding(Kind.WRONG_OUTPUT, order.id, f"{_decoded(row.output)!r} instead of {order.output!r}")


def event_faults(started: Started, output: Any, logs: Sequence[Log]) -> Iterator[str]:
    """What is wrong with the events that an instance received, going by its output."""
    order = started.order
    received = cast("list[int]", output) if isinstance(output, list) else []
    counts = Counter(received)
    if missing := [number for number in range(order.events) if not counts[number]]:
        yield f"{missing} did not arrive"
    unknown = set(counts) - set(range(order.events))
    if unknown:
        yield f"{sorted(unknown)} were never raised"
    for number, count in counts.items():
        allowed = 1 if order.keyed else started.raised[number]
        if count > allowed and number not in unknown:
            yield f"{number} arrived {count} times and was raised {allowed} times"
    firsts = list(dict.fromkeys(received))
    if order.paced and firsts != sorted(firsts):
        yield f"each was raised after the one before had arrived, and they came as {received}"
    events = [event for turns in logs for turn in turns for event in turn.events]
    recorded = [_decoded(event.input) for event in events if isinstance(event, EventRaised)]
    if len(logs) == 1 and recorded[: len(received)] != received:
        yield f"history has {recorded} and the code got {received}"


def _child(evidence: Evidence, row: InstanceRow) -> Iterator[Finding]:
    parent = None if row.parent is None else evidence.rows.get(row.parent.instance_id)
    order = None if row.input is None else child_order(row.instance_id, row.name, _decoded(row.input))
    if parent is None or order is None:
        yield Finding(Kind.STRAY, row.instance_id, f"nobody started this {row.name}")
        return
    yield from _end(row, order)
    if row.status.value == order.ending.value and order.output is not None and _decoded(row.output) != order.output:
        yield _wrong_output(row, order)


def _history(row: InstanceRow, logs: Sequence[Log]) -> Iterator[Finding]:
    name = row.instance_id
    if not logs:
        if row.status.is_terminal:
            yield Finding(Kind.GAP, name, "it has no history")
        return
    for number, turns in enumerate(logs):
        yield from _execution(name, turns, is_last=number == len(logs) - 1)
    generations = [turns[0].execution.generation for turns in logs]
    if generations != list(range(len(logs))):
        yield Finding(Kind.GAP, name, f"its executions are {generations}")
    messages = Counter(message for turns in logs for turn in turns for message in turn.message_ids)
    for message, count in messages.items():
        if count > 1:
            yield Finding(Kind.MESSAGE_TWICE, name, f"message {message} was consumed {count} times")
    projected: InstanceRow | None = None
    for turns in logs:
        projected = project(projected, turns)
    if projected != row:
        yield Finding(Kind.ROW, name, _difference(row, projected))


def _difference(row: InstanceRow, projected: InstanceRow | None) -> str:
    if projected is None:
        return "history has no start"
    names = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(projected, name)]
    return "; ".join(f"{name}: row {getattr(row, name)}, history {getattr(projected, name)}" for name in names)


def _execution(name: str, turns: Log, *, is_last: bool) -> Iterator[Finding]:
    if [turn.number for turn in turns] != list(range(len(turns))):
        yield Finding(Kind.GAP, name, f"its turns are {[turn.number for turn in turns]}")
    events = [event for turn in turns for event in turn.events]
    ends = [event for event in events if isinstance(event, Terminal)]
    if len(ends) > 1:
        yield Finding(Kind.ENDED_TWICE, name, f"it ended with {[type(end).__name__ for end in ends]}")
    if not is_last and not any(isinstance(end, ContinuedAsNew) for end in ends):
        yield Finding(Kind.GAP, name, "an execution was followed by another and did not continue as new")
    yield from _outcomes(name, events, is_over=bool(ends) and not isinstance(ends[-1], ExecutionTerminated))


def _outcomes(name: str, events: Sequence[Event], *, is_over: bool) -> Iterator[Finding]:
    decided = {event.id for event in events if isinstance(event, _DECISIONS)}
    outcomes = Counter(event.task_id for event in events if isinstance(event, _OUTCOMES))
    for task_id, count in outcomes.items():
        if count > 1:
            yield Finding(Kind.OUTCOME_TWICE, name, f"task {task_id} has {count} outcomes")
        if task_id not in decided:
            yield Finding(Kind.STRAY, name, f"an outcome of task {task_id}, which was never decided")
    # Every kind of the load waits for all that it asks for, so one that ended has all outcomes.
    if is_over and (open_tasks := decided - set(outcomes)):
        yield Finding(Kind.NO_OUTCOME, name, f"tasks {sorted(open_tasks)} have none")


def _effects(name: str, logs: Sequence[Log], begun: set[str], ended: set[str]) -> Iterator[Finding]:
    for turns in logs:
        for event in (event for turn in turns for event in turn.events):
            if not isinstance(event, TaskCompleted | TaskFailed):
                continue
            key = f"{turns[0].execution.execution_id}-{event.task_id}"
            if key not in begun or (isinstance(event, TaskCompleted) and key not in ended):
                yield Finding(Kind.NO_EFFECT, name, f"task {event.task_id} has a result and its activity did not run")


def _decoded(payload: Payload | None) -> Any:
    return None if payload is None else msgspec.json.decode(payload.data)
