"""Events around entities: of orchestrations that call, signal and lock them, and of the entities themselves.

An entity has a history as an orchestration has; a turn of it is a batch of operations. Its code is not replayed: the
last state that its history has is its state.
"""

from __future__ import annotations

from datetime import datetime

from durable_ext.records.failures import Failure
from durable_ext.records.instance import Caller, Preceding
from durable_ext.records.payloads import Payload
from durable_ext.records.recorded import Recorded, Traced

# Orchestrations: what they ask entities for.


class EntityCalled(Traced, frozen=True, kw_only=True, tag=True):
    """Run an operation of an entity and wait for its answer. `lock` is the one held meanwhile."""

    id: int
    entity_id: str
    operation: str
    input: Payload | None = None
    lock: str = ""


class EntitySignaled(Traced, frozen=True, kw_only=True, tag=True):
    """Run an operation of an entity, at `due` or as soon as may be. Nobody waits for it."""

    id: int
    entity_id: str
    operation: str
    input: Payload | None = None
    due: datetime | None = None


class LockAsked(Recorded, frozen=True, kw_only=True, tag=True):
    """Have these entities to oneself; they are locked in this order, which is the same for all who ask."""

    id: int
    entities: tuple[str, ...]


class LockLeft(Recorded, frozen=True, kw_only=True, tag=True):
    """The lock that was asked for as `task_id` is not needed any more."""

    task_id: int


# Orchestrations: what comes back.


class OperationCompleted(Recorded, frozen=True, kw_only=True, tag=True):
    """An entity answered a call."""

    task_id: int
    result: Payload


class OperationFailed(Recorded, frozen=True, kw_only=True, tag=True):
    """An operation that was called failed."""

    task_id: int
    failure: Failure


class LockAcquired(Recorded, frozen=True, kw_only=True, tag=True):
    """All entities that a lock was asked for are locked."""

    task_id: int


# Entities: what happened to one.


class OperationRequested(Traced, frozen=True, kw_only=True, tag=True):
    """Somebody called or signalled the entity. Nobody waits without a `caller`; `lock` is the one the caller holds.

    Operations and lock requests of an execution are numbered from 0 in the order they came.
    """

    operation: str
    input: Payload | None = None
    caller: Caller | None = None
    lock: str = ""


class LockRequested(Recorded, frozen=True, kw_only=True, tag=True):
    """An orchestration wants these entities for itself; they are locked one after the other, in this order.

    `after`: what it sent before to those that are asked later.
    """

    lock: str
    holder: Caller
    entities: tuple[str, ...]
    after: tuple[Preceding, ...] = ()


class LockReleased(Recorded, frozen=True, kw_only=True, tag=True):
    """Whoever held or wanted the lock does so no more."""

    lock: str


class RemovalRequested(Recorded, frozen=True, kw_only=True, tag=True):
    """Somebody wants the entity gone if it has no state and nothing waits for it."""


# Entities: what came of it.


class OperationEnded(Recorded, frozen=True, kw_only=True, tag=True):
    """The operation with this number has run: `failure` says why it failed, `result` is what a caller gets."""

    number: int
    caller: Caller | None = None
    result: Payload | None = None
    failure: Failure | None = None


class LockGranted(Recorded, frozen=True, kw_only=True, tag=True):
    """The entity is locked; the next of `entities` is asked, or the holder told when this was the last."""

    number: int
    lock: str
    holder: Caller
    entities: tuple[str, ...]
    after: tuple[Preceding, ...] = ()


class EntityUpdated(Recorded, frozen=True, kw_only=True, tag=True):
    """The entity after a turn. No `state`: it has none, unless `unchanged`. `waiting` requests are kept back while the
    `lock` is held by the instance `locked_by`."""

    state: Payload | None = None
    unchanged: bool = False
    waiting: int = 0
    lock: str = ""
    locked_by: str = ""


class EntityRemoved(Recorded, frozen=True, kw_only=True, tag=True):
    """The entity was empty and is gone; the next operation makes it anew."""
