"""Events around entities in the shape of Durable Functions, where they are events sent and raised. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from durable_ext.records import entity_events as entities
from durable_ext.records.failures import Failure
from durable_ext.records.payloads import Payload

Sent = entities.EntityCalled | entities.EntitySignaled | entities.LockAsked | entities.LockLeft
Answered = entities.OperationCompleted | entities.OperationFailed | entities.LockAcquired
Asked = entities.OperationRequested | entities.LockRequested | entities.LockReleased | entities.RemovalRequested
Ended = entities.OperationEnded | entities.LockGranted | entities.EntityUpdated | entities.EntityRemoved

# A payload to load and show, under the name that Durable Functions gives it.
Shaped = dict[str, Any]
_LOCK = "lock"
_RELEASE = "release"


def shape_sent(event: Sent, asked: Mapping[int, entities.LockAsked]) -> Shaped:
    """What an orchestration asked of entities."""
    match event:
        case entities.EntityCalled() | entities.EntitySignaled():
            return _sent(event.entity_id, event.operation) | _input(event.input)
        case entities.LockAsked():
            return _sent(", ".join(event.entities), _LOCK)
        case entities.LockLeft():
            lock = asked.get(event.task_id)
            return _sent("" if lock is None else ", ".join(lock.entities), _RELEASE)
        case _:
            assert_never(event)


def shape_answered(event: Answered, called: Mapping[int, entities.EntityCalled]) -> Shaped:
    """What an orchestration heard of entities."""
    match event:
        case entities.LockAcquired():
            return _raised(_LOCK)
        case entities.OperationCompleted():
            return _raised(_operation(called, event.task_id)) | _input(event.result)
        case entities.OperationFailed():
            return _raised(_operation(called, event.task_id)) | _reason(event.failure)
        case _:
            assert_never(event)


def shape_asked(event: Asked) -> Shaped:
    """What happened to an entity."""
    match event:
        case entities.OperationRequested():
            return _raised(event.operation) | _input(event.input)
        case entities.LockRequested():
            return _raised(_LOCK) | {"InstanceId": event.holder.instance_id}
        case entities.LockReleased():
            return _raised(_RELEASE)
        case entities.RemovalRequested():
            return _raised("remove")
        case _:
            assert_never(event)


def shape_ended(event: Ended) -> Shaped | None:
    """What came of it; the state of every turn is not shown, only answers."""
    match event:
        case entities.OperationEnded(failure=Failure() as failure):
            return _sent("" if event.caller is None else event.caller.instance_id, "failure") | _reason(failure)
        case entities.OperationEnded(caller=None) | entities.EntityUpdated() | entities.EntityRemoved():
            return None
        case entities.OperationEnded():
            return _sent("" if event.caller is None else event.caller.instance_id, "result") | _input(event.result)
        case entities.LockGranted():
            return _sent(event.holder.instance_id, _LOCK)
        case _:
            assert_never(event)


def _sent(instance_id: str, name: str) -> Shaped:
    return {"EventType": "EventSent", "InstanceId": instance_id, "Name": name}


def _raised(name: str) -> Shaped:
    return {"EventType": "EventRaised", "Name": name}


def _operation(called: Mapping[int, entities.EntityCalled], task_id: int) -> str:
    call = called.get(task_id)
    return "" if call is None else call.operation


def _input(payload: Payload | None) -> Shaped:
    return {} if payload is None else {"Input": payload}


def _reason(failure: Failure) -> Shaped:
    return {"Reason": failure.summary, "Details": failure.traceback or failure.message}


def of_kind(events: Sequence[Any], kind: type[Any]) -> dict[int, Any]:
    """The decisions of one kind by their ids."""
    return {event.id: event for event in events if isinstance(event, kind)}
