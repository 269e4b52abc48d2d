"""Instance and execution identity, status, parent link, and the row that people query."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from durable_ext.records.failures import Failure
from durable_ext.records.payloads import Payload
from durable_ext.records.trace import TraceContext


class RuntimeStatus(StrEnum):
    """Status of an instance; names and values are those of Durable Functions."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"
    CANCELED = "Canceled"
    CONTINUED_AS_NEW = "ContinuedAsNew"

    @property
    def is_terminal(self) -> bool:
        """Whether an instance in this status has ended for good."""
        return self in TERMINAL


TERMINAL = frozenset({RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED, RuntimeStatus.CANCELED})


class Execution(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One generation of an instance. A history log is named by all three."""

    instance_id: str
    execution_id: str
    generation: int = 0


class Parent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who started a child orchestration, and as which task."""

    instance_id: str
    execution_id: str
    task_id: int
    name: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who waits for an entity's answer, and as which task."""

    instance_id: str
    execution_id: str
    task_id: int


class Preceding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The last message that a sender sent to an entity, and when: the next one is taken behind it."""

    entity_id: str
    message_id: str
    sent_at: datetime


class Rewinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A start that goes on from before a failure: of the execution that failed, asked for at `time` (aware UTC).

    In what a parent sends, `execution_id` is empty: it means whichever execution of the child has failed.
    """

    execution_id: str = ""
    reason: str = ""
    time: datetime


class FirstEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An external event that a start carries: it is raised right behind the start, before any other."""

    name: str
    input: Payload


class Stuck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An instance that does not go on: a message of it was given up, and is in quarantine under `message_id` (P11).

    `since` is when the first one was, `reason` why the last one was. The next turn that is committed ends it.
    """

    since: datetime
    reason: str
    message_id: str = ""


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The Instances row: a projection of history (P8) that also arbitrates starts (P9).

    `turn` is the last turn the row reflects, -1 before the first. Times are aware UTC. While the instance is Pending,
    `previous` is the execution whose place it takes, `rewinds` is set if it was rewound, `first_event` if it starts
    with one, `trace` if its start was traced: a start sent again has to carry them (P9). `status_changes` counts how
    often the custom status was set. `stuck` is no part of the projection: who gives a message up writes it.
    """

    execution: Execution
    name: str
    status: RuntimeStatus
    created_at: datetime
    updated_at: datetime
    turn: int = -1
    version: str | None = None
    input: Payload | None = None
    output: Payload | None = None
    custom_status: Payload | None = None
    failure: Failure | None = None
    completed_at: datetime | None = None
    scheduled_start: datetime | None = None
    parent: Parent | None = None
    tags: dict[str, str] = {}
    previous: str | None = None
    rewinds: Rewinding | None = None
    status_changes: int = 0
    first_event: FirstEvent | None = None
    trace: TraceContext | None = None
    stuck: Stuck | None = None

    @property
    def instance_id(self) -> str:
        return self.execution.instance_id

    @property
    def position(self) -> tuple[int, int]:
        """How far the row is: a writer with a smaller position is slow and must not overwrite (P8)."""
        return (self.execution.generation, self.turn)
