"""Whose code a thread is running: the engine's own frames below it know. So nothing is noted while all goes well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType
from typing import Any

from durable_ext.authoring.places import innermost
from durable_ext.records.ids import is_entity
from durable_ext.records.stall import Stall
from durable_ext.worker.activities.calls import call_as_task
from durable_ext.worker.activities.runner import ActivityRunner
from durable_ext.worker.entities.code import EntityCode
from durable_ext.worker.session import Session

# What the local variables of a frame say of whose turn it is.
_Read = Callable[[Mapping[str, Any]], Stall]
# Debuggers stop the event loop for as long as somebody looks.
_DEBUGGERS = frozenset({"bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy"})


def culprit_of(frames: Iterable[FrameType]) -> Stall | None:
    """Whose code the frames are of, from the inside out; None when the engine did not call it."""
    frames = list(frames)
    for frame in frames:
        read = _KNOWN.get(frame.f_code)
        if read is not None:
            place = innermost(frames)
            found = read(frame.f_locals)
            return Stall(
                instance_id=found.instance_id,
                execution_id=found.execution_id,
                work=found.work,
                name=found.name,
                place="" if place is None else str(place),
            )
    return None


def is_being_debugged(frames: Iterable[FrameType]) -> bool:
    """Whether somebody looks at this code in a debugger."""
    return any(str(frame.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS for frame in frames)


def _of_turn(names: Mapping[str, Any]) -> Stall:
    state, instance_id = names["state"], names["self"].instance_id
    kind = "entity" if is_entity(instance_id) else "orchestrator"
    return Stall(instance_id=instance_id, execution_id=state.execution.execution_id, name=f"{kind} {state.row.name!r}")


def _of_operation(names: Mapping[str, Any]) -> Stall:
    execution, operation = names["execution"], names["operation"].request.operation
    return Stall(
        instance_id=execution.instance_id,
        execution_id=execution.execution_id,
        work=operation,
        name=f"operation {operation!r} of entity {execution.instance_id}",
    )


def _of_activity(names: Mapping[str, Any]) -> Stall:
    return _of_work_item(names["run"].message)


def _of_activity_task(names: Mapping[str, Any]) -> Stall:
    return _of_work_item(names["_slot"].message)


def _of_work_item(message: Any) -> Stall:
    return Stall(
        instance_id=message.instance_id,
        execution_id=message.execution_id or "",
        work=message.id,
        name=f"activity {message.body.name!r}",
    )


def _code(kind: type, method: str) -> CodeType:
    return vars(kind)[method].__code__


_KNOWN: Mapping[CodeType, _Read] = {
    _code(Session, "_commit"): _of_turn,
    _code(EntityCode, "_run"): _of_operation,
    _code(ActivityRunner, "_call"): _of_activity,
    call_as_task.__code__: _of_activity_task,
}
