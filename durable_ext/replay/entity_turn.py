"""A turn of an entity: requests in, a batch of operations run one by one, one commit.

What is pure about it is here: who may run next, who holds the lock, what is recorded. The entity's own code is called
through `run`. It is not replayed: the state that history has last is the state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from durable_ext.records.entity_events import (
    EntityRemoved,
    EntitySignaled,
    EntityUpdated,
    LockGranted,
    LockReleased,
    LockRequested,
    OperationEnded,
    OperationRequested,
    RemovalRequested,
)
from durable_ext.records.events import (
    ChildScheduled,
    ContinuedAsNew,
    Event,
    ExecutionStarted,
    ExecutionTerminated,
    Input,
)
from durable_ext.records.failures import Failure
from durable_ext.records.ids import next_execution_id
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import Payload, inline
from durable_ext.replay.turn import TurnResult

# After so many turns, or so many bytes of state in a few, the next execution begins: loading stays cheap.
MOST_TURNS = 200
_FEW_TURNS = 4
_MOST_BYTES = 256 * 1024
# A lock may be released before its request arrives from another entity; so many are remembered.
_MOST_RELEASED = 200

Request = OperationRequested | LockRequested
Sent = EntitySignaled | ChildScheduled


class Operation(msgspec.Struct, frozen=True):
    """An operation about to run, and its place in the batch."""

    request: OperationRequested
    state: Payload | None
    now: datetime
    position: int
    size: int


class Outcome(msgspec.Struct, frozen=True):
    """What came of an operation: its answer, the state after it, and what it sent, numbered from the first free id."""

    state: Payload | None
    result: Payload | None = None
    failure: Failure | None = None
    sent: tuple[Sent, ...] = ()


# Runs one operation; the number is the first free decision id.
Run = Callable[[Operation, int], Awaitable[Outcome]]


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """All of an entity that the next execution goes on with."""

    state: Payload | None = None
    waiting: tuple[Request, ...] = ()
    lock: str = ""
    holder: str = ""
    released: tuple[str, ...] = ()


_snapshots = msgspec.json.Decoder(_Snapshot)


class LiveEntity:
    """An entity in memory: its state, its lock, and the requests that wait."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.state: Payload | None = None
        self.finished = False
        self._waiting: deque[tuple[int, Request]] = deque()
        self._lock = ""
        self._holder = ""
        self._released: deque[str] = deque(maxlen=_MOST_RELEASED)
        self._requests = 0
        self._decisions = 0
        self._turns = 0
        self._bytes = 0

    async def take_turn(self, inputs: Sequence[Input], now: datetime, run: Run) -> TurnResult:
        """Take inputs one by one and run what may run. Raises only what `run` raises; then throw the entity away."""
        recorded: list[Event] = []
        before = self.state
        size = sum(isinstance(event, OperationRequested) for event in inputs)
        batch = _Batch(now, size, run)
        for event in inputs:
            recorded.append(event)
            recorded += await self._take(event, batch)
        self._turns += 1
        began = any(isinstance(event, ExecutionStarted) for event in inputs)
        recorded.append(self._updated(unchanged=before is self.state and not began))
        self._bytes += 0 if before is self.state or self.state is None else self.state.size
        if self.finished:
            recorded.append(EntityRemoved())
        elif self._turns >= MOST_TURNS or (self._turns > _FEW_TURNS and self._bytes > _MOST_BYTES):
            recorded.append(self._continued())
            self.finished = True
        return TurnResult(tuple(recorded), ())

    def end(self, inputs: Sequence[Input]) -> tuple[Event, ...]:
        """Take inputs that end with a termination. Nothing is run: whoever waits is told, and the state goes.

        A lock goes on to the next entity and to its holder, whose calls under it then fail: it was lost here.
        """
        *before, end = inputs
        for event in before:
            match event:
                case ExecutionStarted():
                    self._begin(None if event.input is None else event.input.data)
                case OperationRequested() | LockRequested():
                    self._enqueue(event)
                case LockReleased():
                    self._release(event.lock)
                case _:
                    pass
        reason = end.reason if isinstance(end, ExecutionTerminated) else ""
        failure = Failure(
            type="Terminated",
            message=f"the entity was terminated: {reason or 'no reason given'}",
            retryable=False,
        )
        told: list[Event] = []
        for number, request in self._waiting:
            if isinstance(request, LockRequested):
                told += self._grant(number, request)
            else:
                told.append(OperationEnded(number=number, caller=request.caller, failure=failure))
        self.drop()
        return (*before, *told, EntityUpdated(state=None, waiting=0), end)

    def restore(self, events: Sequence[Event], snapshot: bytes | None) -> None:
        """Fold a recorded turn. `snapshot` is the content of its start, where it has one."""
        for event in events:
            match event:
                case ExecutionStarted():
                    self._begin(snapshot)
                case OperationRequested() | LockRequested():
                    self._enqueue(event)
                case LockReleased():
                    self._release(event.lock)
                case OperationEnded():
                    self._drop(event.number)
                case LockGranted():
                    self._drop(event.number)
                    self._lock, self._holder = event.lock, event.holder.instance_id
                case EntitySignaled() | ChildScheduled():
                    self._decisions = event.id + 1
                case EntityUpdated(unchanged=False):
                    self.state = event.state
                    self._bytes += 0 if event.state is None else event.state.size
                case _:
                    pass
        self._turns += 1

    def drop(self) -> None:
        """There is nothing that could act."""
        self.finished = True

    async def _take(self, event: Input, batch: _Batch) -> list[Event]:
        match event:
            case ExecutionStarted():
                self._begin(None if event.input is None else event.input.data)
            case OperationRequested() | LockRequested():
                self._enqueue(event)
            case LockReleased():
                self._release(event.lock)
            case RemovalRequested():
                self.finished = self.state is None and not self._lock and not self._waiting
                return []
            case _:
                raise LookupError(f"an entity does not take {type(event).__name__}")
        self.finished = False
        return await self._run_what_may(batch)

    async def _run_what_may(self, batch: _Batch) -> list[Event]:
        recorded: list[Event] = []
        while (entry := self._next()) is not None:
            number, request = entry
            match request:
                case LockRequested():
                    recorded += self._grant(number, request)
                case OperationRequested():
                    recorded += await self._operate(number, request, batch)
                case _:
                    assert_never(request)
        return recorded

    def _grant(self, number: int, request: LockRequested) -> list[Event]:
        self._lock, self._holder = request.lock, request.holder.instance_id
        granted = LockGranted(
            number=number,
            lock=request.lock,
            holder=request.holder,
            entities=request.entities,
            after=request.after,
        )
        return [granted]

    async def _operate(self, number: int, request: OperationRequested, batch: _Batch) -> list[Event]:
        if request.lock and request.lock != self._lock:
            return [OperationEnded(number=number, caller=request.caller, failure=_NOT_LOCKED)]
        operation = Operation(request, self.state, batch.now, batch.position, max(batch.size, batch.position + 1))
        outcome = await batch.run(operation, self._decisions)
        batch.position += 1
        self.state = outcome.state
        self._decisions += len(outcome.sent)
        result = None if request.caller is None else outcome.result
        ended = OperationEnded(number=number, caller=request.caller, result=result, failure=outcome.failure)
        return [*outcome.sent, ended]

    def _begin(self, snapshot: bytes | None) -> None:
        if snapshot is None:
            return
        kept = _snapshots.decode(snapshot)
        self.state, self._lock, self._holder = kept.state, kept.lock, kept.holder
        self._released.extend(kept.released)
        for request in kept.waiting:
            self._enqueue(request)

    def _enqueue(self, request: Request) -> None:
        number, self._requests = self._requests, self._requests + 1
        if isinstance(request, LockRequested) and request.lock in self._released:
            self._released.remove(request.lock)  # whoever wanted it does so no more
            return
        self._waiting.append((number, request))

    def _next(self) -> tuple[int, Request] | None:
        """The next request that may go on: the first one, or while the entity is locked the first of the holder."""
        for entry in self._waiting:
            _, request = entry
            lock = request.lock if isinstance(request, OperationRequested) else ""
            if not self._lock or lock == self._lock:
                self._waiting.remove(entry)
                return entry
        return None

    def _drop(self, number: int) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[0] != number)

    def _release(self, lock: str) -> None:
        if lock == self._lock:
            self._lock = self._holder = ""
            return
        rest = deque(entry for entry in self._waiting if not _asks_for(entry[1], lock))
        if len(rest) == len(self._waiting):
            self._released.append(lock)
        self._waiting = rest

    def _updated(self, *, unchanged: bool) -> EntityUpdated:
        state = None if unchanged else self.state
        waiting = len(self._waiting)
        return EntityUpdated(state=state, unchanged=unchanged, waiting=waiting, lock=self._lock, locked_by=self._holder)

    def _continued(self) -> ContinuedAsNew:
        snapshot = _Snapshot(
            state=self.state,
            waiting=tuple(request for _, request in self._waiting),
            lock=self._lock,
            holder=self._holder,
            released=tuple(self._released),
        )
        return ContinuedAsNew(
            input=inline(msgspec.json.encode(snapshot)), execution_id=next_execution_id(self.execution)
        )


class _Batch:
    """The operations of one turn."""

    def __init__(self, now: datetime, size: int, run: Run) -> None:
        self.now = now
        self.size = size
        self.position = 0
        self.run = run


_NOT_LOCKED = Failure(
    type="durable_ext.errors.EntityLockLostError",
    message="the caller's lock of this entity was released meanwhile, so the operation was not run; lock it again",
    retryable=False,
)


def _asks_for(request: Request, lock: str) -> bool:
    return isinstance(request, LockRequested) and request.lock == lock
