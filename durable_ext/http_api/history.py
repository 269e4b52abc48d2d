"""Our turns in the shape of Durable Functions' history events. Pure; payloads stay as they are, for the caller to load.

An answered decision is not shown by itself: its answer carries the function's name, the time it was scheduled and,
if wanted, its input; so does the cancellation of an activity, a kind of event that is ours. Custom statuses have no
event there and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

import msgspec

from durable_ext.http_api.entity_history import Ended, of_kind, shape_answered, shape_asked, shape_ended, shape_sent
from durable_ext.records import events
from durable_ext.records.failures import Failure
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.turns import Turn, expanded

HistoryEvent = dict[str, Any]
_Scheduled = events.TaskScheduled | events.ChildScheduled | events.TimerCreated

_ANSWERS = {
    events.TaskCompleted: "TaskCompleted",
    events.TaskFailed: "TaskFailed",
    events.ChildCompleted: "SubOrchestrationInstanceCompleted",
    events.ChildFailed: "SubOrchestrationInstanceFailed",
    events.TaskCancelled: "TaskCancelled",
}


def to_history(turns: Sequence[Turn], *, with_input: bool, with_output: bool) -> list[HistoryEvent]:
    """The events of one execution. `Input` and `Result` are Payloads, present when wanted; times are aware UTC."""
    return [event for _, event in placed(turns, with_input=with_input, with_output=with_output)]


def placed(turns: Sequence[Turn], *, with_input: bool, with_output: bool) -> list[tuple[int, HistoryEvent]]:
    """The same, each with its place in the execution, which stays when more comes behind it."""
    shaper = _Shaper(turns, with_input=with_input, with_output=with_output)
    shaped = ((place, shaper.shape(event, turn.time)) for place, (turn, event) in enumerate(_each(turns)))
    return [(place, event) for place, event in shaped if event is not None]


def _each(turns: Sequence[Turn]) -> Iterable[tuple[Turn, events.Event]]:
    return ((turn, event) for turn in expanded(turns) for event in turn.events)


class _Shaper:
    def __init__(self, turns: Sequence[Turn], *, with_input: bool, with_output: bool) -> None:
        self._with_input = with_input
        self._with_output = with_output
        self._scheduled: Mapping[int, tuple[_Scheduled, datetime]] = {
            event.id: (event, turn.time) for turn, event in _each(turns) if isinstance(event, _Scheduled)
        }
        every = [event for _, event in _each(turns)]
        self._called = of_kind(every, events.EntityCalled)
        self._locks = of_kind(every, events.LockAsked)
        self._answered = {event.task_id for _, event in _each(turns) if isinstance(event, tuple(_ANSWERS))}

    def shape(self, event: events.Event, time: datetime) -> HistoryEvent | None:
        fields = self._happened(event) if isinstance(event, events.Input) else self._decided(event)
        if fields is None:
            return None
        if not self._with_input:
            fields.pop("Input", None)
        kind, *rest = fields.items()
        return dict([kind, ("Timestamp", time), *rest])

    def _happened(self, event: events.Input) -> HistoryEvent:
        match event:
            case events.ExecutionStarted():
                return {"EventType": "ExecutionStarted", "FunctionName": event.name} | self._input(event.input)
            case events.TaskCompleted() | events.ChildCompleted():
                return {"EventType": _ANSWERS[type(event)]} | self._origin(event.task_id) | self._result(event.result)
            case events.TaskFailed() | events.ChildFailed():
                return {"EventType": _ANSWERS[type(event)]} | self._origin(event.task_id) | _reason(event.failure)
            case events.TimerFired():
                return {"EventType": "TimerFired"} | self._fire_at(event.task_id)
            case events.EventRaised():
                return {"EventType": "EventRaised", "Name": event.name} | self._input(event.input)
            case (
                events.ExecutionSuspended()
                | events.ExecutionResumed()
                | events.ExecutionRewound()
                | events.ParentRewound()
            ):
                return {"EventType": type(event).__name__, "Reason": getattr(event, "reason", "")}
            case events.ExecutionTerminated():
                reason = inline(msgspec.json.encode(event.reason))
                fields = {"EventType": "ExecutionTerminated", "Reason": event.reason} | self._input(reason)
                return fields if event.output is None else fields | self._result(event.output)
            case events.OperationCompleted() | events.OperationFailed() | events.LockAcquired():
                return shape_answered(event, self._called)
            case (
                events.OperationRequested() | events.LockRequested() | events.LockReleased() | events.RemovalRequested()
            ):
                return shape_asked(event)
            case _:
                assert_never(event)

    def _decided(self, event: events.Decision) -> HistoryEvent | None:
        match event:
            case events.TaskScheduled() | events.ChildScheduled():
                return None if event.id in self._answered else self._waiting(event)
            case events.TaskCancelled():
                return {"EventType": _ANSWERS[type(event)]} | self._origin(event.task_id)
            case events.TimerCreated():
                return {"EventType": "TimerCreated", "FireAt": event.fire_at}
            case events.EventSent():
                fields = {"EventType": "EventSent", "InstanceId": event.instance_id, "Name": event.name}
                return fields | self._input(event.input)
            case events.CustomStatusSet() | events.ValueSet() | events.ValueCleared() | events.ValuesCleared():
                return None
            case (
                events.EntityCalled()
                | events.EntitySignaled()
                | events.LockAsked()
                | events.LockLeft()
                | events.OperationEnded()
                | events.LockGranted()
                | events.EntityUpdated()
                | events.EntityRemoved()
            ):
                return shape_ended(event) if isinstance(event, Ended) else shape_sent(event, self._locks)
            case events.ExecutionCompleted():
                return _ended(RuntimeStatus.COMPLETED) | self._result(event.result)
            case events.ExecutionFailed():
                summary = inline(msgspec.json.encode(event.failure.summary))
                return _ended(RuntimeStatus.FAILED) | self._result(summary) | _reason(event.failure)
            case events.ContinuedAsNew():
                status = RuntimeStatus.CONTINUED_AS_NEW.value
                return {"EventType": "ContinueAsNew", "OrchestrationStatus": status} | self._result(event.input)
            case _:
                assert_never(event)

    def _waiting(self, event: events.TaskScheduled | events.ChildScheduled) -> HistoryEvent:
        if isinstance(event, events.TaskScheduled):
            fields = {"EventType": "TaskScheduled", "Name": event.name}
        else:
            kind = "SubOrchestrationInstanceCreated"
            fields = {"EventType": kind, "Name": event.name, "InstanceId": event.instance_id}
        return fields | self._input(event.input)

    def _origin(self, task_id: int) -> HistoryEvent:
        scheduled, time = self._scheduled.get(task_id, (None, None))
        if scheduled is None or isinstance(scheduled, events.TimerCreated):
            return {}
        return {"ScheduledTime": time, "FunctionName": scheduled.name} | self._input(scheduled.input)

    def _fire_at(self, task_id: int) -> HistoryEvent:
        scheduled, _ = self._scheduled.get(task_id, (None, None))
        return {"FireAt": scheduled.fire_at} if isinstance(scheduled, events.TimerCreated) else {}

    def _input(self, payload: Payload | None) -> HistoryEvent:
        return {"Input": payload} if self._with_input and payload is not None else {}

    def _result(self, payload: Payload) -> HistoryEvent:
        return {"Result": payload} if self._with_output else {}


def _ended(status: RuntimeStatus) -> HistoryEvent:
    return {"EventType": "ExecutionCompleted", "OrchestrationStatus": status.value}


def _reason(failure: Failure) -> HistoryEvent:
    return {"Reason": failure.summary, "Details": failure.traceback or failure.message}
