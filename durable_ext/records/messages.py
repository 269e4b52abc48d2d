"""What travels through queues. A message is addressed to an instance; its body says what happened or is wanted.

`RunActivity` travels through the work-item queue, every other body through the control queue of the instance.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.failures import Failure
from durable_ext.records.instance import Caller, Execution, FirstEvent, Parent, Preceding, Rewinding
from durable_ext.records.payloads import Payload
from durable_ext.records.trace import TraceContext


class _Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type"):
    pass


class StartExecution(_Body, frozen=True, kw_only=True, tag=True):
    """Begin an execution. `row_etag` is the Instances row the client wrote, so that the worker need not read it;
    `previous` the execution it replaces. `rewinds`: it goes on from before the failure of another execution.
    `first_event` is raised with the start, in turn 0."""

    execution: Execution
    name: str
    input: Payload | None = None
    version: str | None = None
    parent: Parent | None = None
    tags: dict[str, str] = {}
    created_at: datetime
    scheduled_start: datetime | None = None
    row_etag: str = ""
    previous: str | None = None
    rewinds: Rewinding | None = None
    first_event: FirstEvent | None = None


class FinishTask(_Body, frozen=True, kw_only=True, tag=True):
    """An activity is over: exactly one of `result` and `failure` is set."""

    task_id: int
    result: Payload | None = None
    failure: Failure | None = None


class FinishChild(_Body, frozen=True, kw_only=True, tag=True):
    """A child orchestration is over: exactly one of `result` and `failure` is set."""

    task_id: int
    result: Payload | None = None
    failure: Failure | None = None


class FireTimer(_Body, frozen=True, kw_only=True, tag=True):
    """A timer is due at `fire_at`; a queue that cannot wait that long delivers early and it is sent again."""

    task_id: int
    fire_at: datetime


class RaiseEvent(_Body, frozen=True, kw_only=True, tag=True):
    """Hand an external event to the instance."""

    name: str
    input: Payload


class Terminate(_Body, frozen=True, kw_only=True, tag=True):
    """End the instance, and with `recursive` its running children.

    `by_parent`: the parent's execution that ended, when it was one; the start of this child may still be on its way.
    `output` is what people see as its output; None: the reason.
    """

    reason: str = ""
    recursive: bool = True
    by_parent: str = ""
    output: Payload | None = None


class Suspend(_Body, frozen=True, kw_only=True, tag=True):
    """Keep inputs back until Resume."""

    reason: str = ""


class Resume(_Body, frozen=True, kw_only=True, tag=True):
    """Undo Suspend."""

    reason: str = ""


class RunOperation(_Body, frozen=True, kw_only=True, tag=True):
    """Run an operation of an entity. `caller` gets the answer; `lock` is the one the caller holds."""

    operation: str
    input: Payload | None = None
    caller: Caller | None = None
    lock: str = ""


class FinishOperation(_Body, frozen=True, kw_only=True, tag=True):
    """An operation that was called is over: exactly one of `result` and `failure` is set."""

    task_id: int
    result: Payload | None = None
    failure: Failure | None = None


class RequestLock(_Body, frozen=True, kw_only=True, tag=True):
    """Lock this entity for the holder, then the next of `entities`; the last one tells the holder.

    `after`: what the holder sent before to those that are asked later.
    """

    lock: str
    holder: Caller
    entities: tuple[str, ...]
    after: tuple[Preceding, ...] = ()


class GrantLock(_Body, frozen=True, kw_only=True, tag=True):
    """All entities of a lock are locked."""

    task_id: int


class ReleaseLock(_Body, frozen=True, kw_only=True, tag=True):
    """Whoever held or wanted this lock does so no more."""

    lock: str


class RemoveEntity(_Body, frozen=True, kw_only=True, tag=True):
    """End the entity if it has no state and nothing waits for it."""


class RunActivity(_Body, frozen=True, kw_only=True, tag=True):
    """A work item: an activity to run; `task_id` is the decision it answers.

    `tag` names its queue, `session_id` its affinity.
    """

    task_id: int
    name: str
    input: Payload
    tags: dict[str, str] = {}
    tag: str = ""
    session_id: str = ""


Body = (
    StartExecution
    | FinishTask
    | FinishChild
    | FireTimer
    | RaiseEvent
    | Terminate
    | Suspend
    | Resume
    | RunOperation
    | FinishOperation
    | RequestLock
    | GrantLock
    | ReleaseLock
    | RemoveEntity
    | RunActivity
)

# What an entity takes; every other body is for an orchestration or a worker.
ForEntity = RunOperation | RequestLock | ReleaseLock | RemoveEntity


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One message. `id` is derived for what a turn sends, so that sending again sends the same message (P4).

    `execution_id` None means whichever execution is current. `due` keeps the message hidden until then. `resent`
    marks a repeat (P6), which receivers look up (P7). `deferrals` counts how often it came ahead of its cause (P12).
    `recoveries` counts how often it was handed out in queue messages before, whose copy this is: to processes that are
    gone (F2), and by a host that gave up. It makes a suspect and proves nothing. `failures` counts the attempts that
    failed (P11). `after` is the message that the same sender sent before to the same entity, at `after_at`: it is taken
    first. The sender of a request for a lock is the holder, whichever entity passes it on.
    `trace` is the span that sent it, while somebody traces.
    """

    id: str
    instance_id: str
    body: Body
    sent_at: datetime
    execution_id: str | None = None
    due: datetime | None = None
    resent: bool = False
    deferrals: int = 0
    recoveries: int = 0
    failures: int = 0
    after: str = ""
    after_at: datetime | None = None
    trace: TraceContext | None = None

    @property
    def is_work_item(self) -> bool:
        """Whether the message travels through the work-item queue."""
        return isinstance(self.body, RunActivity)

    @property
    def work_tag(self) -> str:
        """The tag of the work-item queue that carries the message; empty without one, and for any other message."""
        return self.body.tag if isinstance(self.body, RunActivity) else ""


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """Why a queue message could not be decoded, with the traceback, and what it held (P11)."""

    reason: str
    body: str
    stack: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A queue message received, with its receipt (peek-lock). It may hold several messages (S7).

    `receipt` is opaque to all but the provider that made it; None when the Functions host holds the lease (F2).
    A delivery with a `defect` has no messages.
    """

    queue: str
    id: str
    receipt: str | None
    dequeue_count: int
    messages: tuple[Message, ...]
    defect: Defect | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that cannot be processed, kept for an operator (P11). `body` is the queue body as it was.

    `reason` names the last error; `stack` is its traceback, bounded, empty when nobody was there to see it.
    `dequeue_count` says how often the message was tried.
    """

    id: str
    queue: str
    body: str
    reason: str
    instance_id: str
    dequeue_count: int
    time: datetime
    stack: str = ""
