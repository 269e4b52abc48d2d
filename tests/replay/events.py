"""Builders of literal histories: short names for the events of one execution, with plain values in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from durable_ext.records import events
from durable_ext.records.events import Event
from durable_ext.records.failures import Failure
from durable_ext.records.ids import child_execution_id, child_instance_id, next_execution_id
from durable_ext.records.instance import Execution, Parent
from durable_ext.records.payloads import Payload, inline

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
EXECUTION = Execution(instance_id="order-1", execution_id="e1")
SECOND = timedelta(seconds=1)


def payload(value: Any) -> Payload:
    return inline(msgspec.json.encode(value))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# What happens to the instance.


def started(value: Any = None, *, name: str = "main", parent: Parent | None = None) -> events.ExecutionStarted:
    return events.ExecutionStarted(name=name, input=payload(value), parent=parent, created_at=NOON)


def answer(task_id: int, value: Any = None) -> events.TaskCompleted:
    return events.TaskCompleted(task_id=task_id, result=payload(value))


def failure(text: str = "no stock", *, kind: str = "shop.OutOfStock", retryable: bool = True) -> Failure:
    return Failure(type=kind, message=text, retryable=retryable)


def refusal(task_id: int, why: Failure | None = None) -> events.TaskFailed:
    return events.TaskFailed(task_id=task_id, failure=why or failure())


def child_answer(task_id: int, value: Any = None) -> events.ChildCompleted:
    return events.ChildCompleted(task_id=task_id, result=payload(value))


def child_refusal(task_id: int, why: Failure | None = None) -> events.ChildFailed:
    return events.ChildFailed(task_id=task_id, failure=why or failure())


def fired(task_id: int) -> events.TimerFired:
    return events.TimerFired(task_id=task_id)


def raised(name: str, value: Any = None) -> events.EventRaised:
    return events.EventRaised(name=name, input=payload(value))


def suspended() -> events.ExecutionSuspended:
    return events.ExecutionSuspended(reason="stop")


def resumed() -> events.ExecutionResumed:
    return events.ExecutionResumed(reason="go")


def terminated() -> events.ExecutionTerminated:
    return events.ExecutionTerminated(reason="enough")


# What the code decides.


def task(task_id: int, name: str, value: Any = None, *, attempt: int = 1) -> events.TaskScheduled:
    return events.TaskScheduled(id=task_id, name=name, input=payload(value), attempt=attempt)


def cancelled(task_id: int) -> events.TaskCancelled:
    return events.TaskCancelled(task_id=task_id)


def timer(task_id: int, seconds: float) -> events.TimerCreated:
    """A timer that is due so many seconds after noon."""
    return events.TimerCreated(id=task_id, fire_at=at(seconds))


def child(task_id: int, name: str, value: Any = None, *, instance_id: str | None = None) -> events.ChildScheduled:
    return events.ChildScheduled(
        id=task_id,
        name=name,
        instance_id=instance_id or child_instance_id(EXECUTION, task_id),
        execution_id=child_execution_id(EXECUTION, task_id),
        input=payload(value),
    )


def sent(event_id: int, instance_id: str, name: str, value: Any = None) -> events.EventSent:
    return events.EventSent(id=event_id, instance_id=instance_id, name=name, input=payload(value))


def status(value: Any) -> events.CustomStatusSet:
    return events.CustomStatusSet(status=payload(value))


def completed(value: Any = None) -> events.ExecutionCompleted:
    return events.ExecutionCompleted(result=payload(value))


def failed(why: Failure) -> events.ExecutionFailed:
    return events.ExecutionFailed(failure=why)


def continued(value: Any, *carried: events.ForInstance) -> events.ContinuedAsNew:
    return events.ContinuedAsNew(input=payload(value), execution_id=next_execution_id(EXECUTION), carried=carried)


def facts(recorded: Sequence[Event]) -> list[Any]:
    """Events as plain data, to compare and to read. Where an exception was raised does not count."""
    return [_without_traceback(msgspec.json.decode(msgspec.json.encode(event))) for event in recorded]


def _without_traceback(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _without_traceback(field) for name, field in fields.items() if name != "traceback"}
    return value
