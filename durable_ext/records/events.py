"""History events: facts, in the past tense. One class per kind, and the union of them.

The first group are inputs of a turn (something happened to the instance), the second are decisions of its code.
A decision has an `id`, unique in its execution, counted from 0 in the order the code made them; an input that
answers a decision, and the decision to wait for one no longer, name it as `task_id`. Those of entities are in
entity_events.py.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.entity_events import (
    EntityCalled,
    EntityRemoved,
    EntitySignaled,
    EntityUpdated,
    LockAcquired,
    LockAsked,
    LockGranted,
    LockLeft,
    LockReleased,
    LockRequested,
    OperationCompleted,
    OperationEnded,
    OperationFailed,
    OperationRequested,
    RemovalRequested,
)
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Parent
from durable_ext.records.payloads import Payload
from durable_ext.records.recorded import Recorded, Traced
from durable_ext.records.value_events import KeptValue, ValueCleared, ValuesCleared, ValueSet

# Inputs: what happened to the instance.


class ExecutionStarted(Traced, frozen=True, kw_only=True, tag=True):
    """Turn 0 begins: the name, the input and the parent of this execution.

    `previous` is the execution before it, whose debts a redelivery may still have to settle (P6). `values` are those
    that it takes over from there; `status_changes` says how often the custom status was set before. All turns belong
    to the trace that `trace` is of, through continue-as-new: the caller's, else the one that the first turn began.
    """

    name: str
    input: Payload | None = None
    version: str | None = None
    parent: Parent | None = None
    tags: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    created_at: datetime
    previous: str | None = None
    values: dict[str, KeptValue] = {}  # noqa: RUF012 - msgspec copies it
    status_changes: int = 0


class Past(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a rewound execution keeps of one turn before it: its time and its events."""

    time: datetime
    events: tuple[Event, ...]


class ExecutionRewound(Recorded, frozen=True, kw_only=True, tag=True):
    """Second in turn 0: the execution goes on from before a failure. `past` is what it keeps, from the start on.

    `origin` is the execution id that the code sees, that of the first execution of the chain: what the code derives
    from it is the same at every replay. `reopened` and `decided` are places in the past, counted as `placed` does:
    tasks without an outcome, which are asked for again, and decisions that were not made before.
    """

    origin: str
    reason: str = ""
    past: tuple[Past, ...] = ()
    reopened: tuple[int, ...] = ()
    decided: tuple[int, ...] = ()


class ParentRewound(Recorded, frozen=True, kw_only=True, tag=True):
    """The parent was rewound while this child went on: its end is reported to the parent's new execution."""

    parent: Parent


class TaskCompleted(Recorded, frozen=True, kw_only=True, tag=True):
    """An activity returned."""

    task_id: int
    result: Payload


class TaskFailed(Recorded, frozen=True, kw_only=True, tag=True):
    """An activity raised, or could not be run."""

    task_id: int
    failure: Failure


class ChildCompleted(Recorded, frozen=True, kw_only=True, tag=True):
    """A child orchestration returned."""

    task_id: int
    result: Payload


class ChildFailed(Recorded, frozen=True, kw_only=True, tag=True):
    """A child orchestration failed, was terminated, or could not be started."""

    task_id: int
    failure: Failure


class TimerFired(Recorded, frozen=True, kw_only=True, tag=True):
    """A durable timer is due."""

    task_id: int


class EventRaised(Recorded, frozen=True, kw_only=True, tag=True):
    """An external event arrived."""

    name: str
    input: Payload


class ExecutionSuspended(Recorded, frozen=True, kw_only=True, tag=True):
    """From here on inputs are kept but not handed to the code."""

    reason: str = ""


class ExecutionResumed(Recorded, frozen=True, kw_only=True, tag=True):
    """The kept inputs are handed to the code."""

    reason: str = ""


class ExecutionTerminated(Recorded, frozen=True, kw_only=True, tag=True):
    """Somebody ended the instance from outside. `output` is what people see as its output; None: the reason."""

    reason: str = ""
    recursive: bool = True
    output: Payload | None = None


# Decisions: what the code asked for.


class TaskScheduled(Traced, frozen=True, kw_only=True, tag=True):
    """Run an activity. `placement` is where it was asked to run: auto, local or queue (S3). `tag`: only a process that
    serves it runs the activity; empty: one that serves what has none. `session_id`: it runs in the process where others
    with this id run. `attempt`: which one of its retry policy, from 1."""

    id: int
    name: str
    input: Payload
    placement: str = "auto"
    tags: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    tag: str = ""
    session_id: str = ""
    attempt: int = 1


class TaskCancelled(Recorded, frozen=True, kw_only=True, tag=True):
    """The code no longer waits for an activity: it cancelled the future while the execution goes on."""

    task_id: int


class TimerCreated(Recorded, frozen=True, kw_only=True, tag=True):
    """Wake the code at a time."""

    id: int
    fire_at: datetime


class ChildScheduled(Traced, frozen=True, kw_only=True, tag=True):
    """Start a child orchestration under this instance and execution id. Nobody waits for a detached one.

    `attempt`: which one of its retry policy, from 1.
    """

    id: int
    name: str
    instance_id: str
    execution_id: str
    input: Payload
    version: str | None = None
    tags: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    detached: bool = False
    attempt: int = 1


class EventSent(Traced, frozen=True, kw_only=True, tag=True):
    """Raise an external event in another instance."""

    id: int
    instance_id: str
    name: str
    input: Payload


class CustomStatusSet(Recorded, frozen=True, kw_only=True, tag=True):
    """What people see beside the runtime status. Recorded so that the row can be rebuilt from history (P8)."""

    status: Payload


class ExecutionCompleted(Recorded, frozen=True, kw_only=True, tag=True):
    """The code returned."""

    result: Payload


class ExecutionFailed(Recorded, frozen=True, kw_only=True, tag=True):
    """The code raised."""

    failure: Failure


class ContinuedAsNew(Recorded, frozen=True, kw_only=True, tag=True):
    """The next execution starts with this input; what the code has not seen goes with it: events nobody waited for,
    and what came to the instance too late for this execution. `values` are kept on, `status_changes` is counted on."""

    input: Payload
    execution_id: str
    carried: tuple[EventRaised | ExecutionSuspended | ExecutionResumed | ExecutionTerminated, ...] = ()
    version: str | None = None
    values: dict[str, KeptValue] = {}  # noqa: RUF012 - msgspec copies it
    status_changes: int = 0


# What only entities take, and only they decide.
EntityInput = OperationRequested | LockRequested | LockReleased | RemovalRequested
EntityDecision = OperationEnded | LockGranted | EntityUpdated | EntityRemoved

Input = (
    ExecutionStarted
    | ExecutionRewound
    | ParentRewound
    | TaskCompleted
    | TaskFailed
    | ChildCompleted
    | ChildFailed
    | TimerFired
    | EventRaised
    | ExecutionSuspended
    | ExecutionResumed
    | ExecutionTerminated
    | OperationCompleted
    | OperationFailed
    | LockAcquired
    | EntityInput
)
Decision = (
    TaskScheduled
    | TaskCancelled
    | TimerCreated
    | ChildScheduled
    | EventSent
    | EntityCalled
    | EntitySignaled
    | LockAsked
    | LockLeft
    | CustomStatusSet
    | ValueSet
    | ValueCleared
    | ValuesCleared
    | ExecutionCompleted
    | ExecutionFailed
    | ContinuedAsNew
    | EntityDecision
)
Event = Input | Decision

# Inputs that are meant for the instance, whichever execution is current.
ForInstance = EventRaised | ExecutionSuspended | ExecutionResumed | ExecutionTerminated

# Events after which an execution takes no further turn.
Terminal = ExecutionCompleted | ExecutionFailed | ExecutionTerminated | ContinuedAsNew | EntityRemoved
