"""What a session holds of its instance between turns, and how it comes by it (S2, P9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceExistsError, RowChangedError, StorageError
from durable_ext.providers.contract import Clock, Provider, VersionedRow
from durable_ext.records.events import ContinuedAsNew, ExecutionStarted, Input
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import Execution, InstanceRow, Rewinding, RuntimeStatus
from durable_ext.records.messages import Message, StartExecution
from durable_ext.records.turns import Turn, expanded
from durable_ext.replay.entity_turn import LiveEntity
from durable_ext.replay.fold import project
from durable_ext.replay.inputs import is_child
from durable_ext.replay.ledger import Ledger
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.outbox import successor
from durable_ext.replay.turn import replay
from durable_ext.worker.entities.restoring import restored
from durable_ext.worker.offload import load_turns
from durable_ext.worker.orchestrator_log import emit
from durable_ext.worker.payload_store import PayloadStore

# A start this old may have been superseded: it looks at the row first (P9).
_FRESH = timedelta(minutes=1)
# Ids of messages that an eternal orchestration keeps in memory; for older ones storage is asked.
_MOST_REMEMBERED = 5000


class Before:
    """What earlier executions of the instance consumed, as far as it is known here (P7).

    `knows_since`: all that was consumed from then on is here; None: all that ever was.
    """

    def __init__(self) -> None:
        self.knows_since: datetime | None = None
        self._consumed: dict[str, datetime] = {}

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._consumed

    def learn(self, consumed: Iterable[str], now: datetime) -> None:
        """Storage was asked: these are all."""
        self._consumed = dict.fromkeys(consumed, now)
        self.knows_since = None

    def learn_back(self, consumed: Iterable[str], since: datetime, now: datetime) -> None:
        """Storage was asked for one more execution, which began at `since`: these are all of it."""
        self._consumed.update(dict.fromkeys(consumed, now))
        self.knows_since = since if self.knows_since is None else min(self.knows_since, since)

    def extend(self, consumed: Iterable[str], time: datetime) -> None:
        """One more execution is over, at that time."""
        self._consumed.update(dict.fromkeys(consumed, time))
        while len(self._consumed) > _MOST_REMEMBERED:
            self.knows_since = self._consumed.pop(next(iter(self._consumed)))


class SessionState:
    """The books, the code and the row of the current execution."""

    def __init__(self, execution: Execution, row: InstanceRow, etag: str) -> None:
        self.ledger = Ledger(execution)
        self.live: LiveExecution | LiveEntity | None = None
        self.row = row
        self.etag = etag
        self.row_lags = False
        self.before = Before()
        self.was_purged = False  # an instance with this id, so lately that storage still knows
        self.not_before: datetime | None = None  # when the execution ended that this one goes on from
        if execution.generation > 0:  # it replaces another one
            self.before.knows_since = row.created_at if row.rewinds is None else row.rewinds.time

    @property
    def execution(self) -> Execution:
        return self.ledger.execution

    @property
    def previous(self) -> str | None:
        """The execution before this one: the row names it until there is history, which does from then on."""
        started = self.ledger.started
        return self.row.previous if started is None else started.previous

    @property
    def to_continue(self) -> ContinuedAsNew | None:
        """The continue-as-new that ended this execution and has no successor yet."""
        return self.ledger.ended if isinstance(self.ledger.ended, ContinuedAsNew) else None

    def record(self, turn: Turn) -> None:
        """Enter a committed turn."""
        self.ledger.record(turn)
        self.row = project(self.row, (turn,)) or self.row
        self.row_lags = True

    def dealt_with(self, message_id: str) -> None:
        """A message was found to need no turn. If the instance was stuck on it, it is so no more."""
        if self.row.stuck is not None and self.row.stuck.message_id == message_id:
            self.row = msgspec.structs.replace(self.row, stuck=None)
            self.row_lags = True

    def next_time(self, now: datetime) -> datetime:
        """The time of the next turn: time never runs backwards for the code, whatever clocks do."""
        last = self.not_before if self.ledger.last_turn is None else self.ledger.last_turn.time
        return now if last is None else max(now, last)

    def succeed(self) -> tuple[SessionState, tuple[Input, ...]]:
        """The state and the first inputs of the execution after continue-as-new."""
        ending, last, started = self.to_continue, self.ledger.last_turn, self.ledger.started
        if ending is None or last is None or started is None:
            raise LookupError("the execution did not continue as new")
        execution, inputs = successor(last, started, ending)
        following = SessionState(execution, self.row, self.etag)
        following.row_lags = True
        following.was_purged = self.was_purged
        following.before = self.before
        following.before.extend(self.ledger.consumed, last.time)
        return following, inputs

    def drop(self) -> None:
        """Throw the code away, and say what of it does not go."""
        live, self.live = self.live, None
        if isinstance(live, LiveExecution):
            live.logs.clear()  # of a turn that was not committed
            live.drop()
            emit(self.row, live.logs)


class Absent(msgspec.Struct, frozen=True):
    """There is no history: what is there of the instance instead."""

    stored: VersionedRow | None
    buried: frozenset[str]

    @property
    def is_pending(self) -> bool:
        """Whether a start is on its way."""
        return self.stored is not None and self.stored.row.status is RuntimeStatus.PENDING

    @property
    def was_purged(self) -> bool:
        """Whether there was an instance with this id of late."""
        return bool(self.buried)


class Loader:
    """Makes session states: from a fresh start without any read, else from storage."""

    def __init__(self, provider: Provider, registry: Registry, clock: Clock, payloads: PayloadStore) -> None:
        self._provider = provider
        self._clock = clock
        self._registry = registry
        self._converter = registry.converter
        self._payloads = payloads

    def is_fresh(self, message: Message, now: datetime, *, repeated: bool) -> bool:
        """Whether a start may be begun without a look at storage (P9): its first turn's insert is the check."""
        body = message.body
        return (
            isinstance(body, StartExecution) and bool(body.row_etag) and not repeated and now - message.sent_at < _FRESH
        )

    def fresh(self, start: StartExecution) -> SessionState:
        """The state of an execution about to begin whose row the client has just written."""
        return SessionState(start.execution, _row_of(start, start.execution, None), start.row_etag)

    async def load(self, instance_id: str) -> SessionState | Absent:
        """As `load_state`."""
        return await load_state(self._provider, instance_id)

    async def begin(self, start: StartExecution, absent: Absent) -> SessionState | None:
        """The state for a start that looked at the row first, or None when it is superseded (P9).

        Raises InstanceExistsError when a child's id belongs to another instance that runs.
        """
        stored = absent.stored
        if stored is not None and stored.row.execution.execution_id == start.execution.execution_id:
            return SessionState(stored.row.execution, stored.row, stored.etag)
        if start.row_etag:
            return None
        return await self._claim(start, stored)

    async def _claim(self, start: StartExecution, stored: VersionedRow | None) -> SessionState:
        if stored is not None and not stored.row.status.is_terminal:
            raise InstanceExistsError(
                f"the child orchestration's id {start.execution.instance_id!r} belongs to a running instance"
            )
        execution = start.execution
        if stored is not None:
            execution = msgspec.structs.replace(execution, generation=stored.row.execution.generation + 1)
        row = _row_of(start, execution, stored)
        try:
            etag = await self._provider.create_row(row, replacing=None if stored is None else stored.etag)
        except RowChangedError as error:
            raise InstanceExistsError(f"the id {row.instance_id!r} was taken by somebody else just now") from error
        return SessionState(execution, row, etag)

    async def begin_entity(self, instance_id: str, found: SessionState | Absent, execution_id: str) -> SessionState:
        """The state of an entity that a request makes, with this execution id unless somebody else makes it just now.

        Raises RowChangedError when somebody else was quicker and is done by now: load again.
        """
        stored = VersionedRow(found.row, found.etag) if isinstance(found, SessionState) else found.stored
        if stored is not None and isinstance(found, Absent) and not stored.row.status.is_terminal:
            return SessionState(stored.row.execution, stored.row, stored.etag)
        generation = 0 if stored is None else stored.row.execution.generation + 1
        execution = Execution(instance_id=instance_id, execution_id=execution_id, generation=generation)
        now = self._clock()
        row = InstanceRow(
            execution=execution,
            name=instance_id,
            status=RuntimeStatus.RUNNING,
            created_at=now,
            updated_at=now,
            previous=None if isinstance(found, Absent) else found.execution.execution_id,
        )
        try:
            etag = await self._provider.create_row(row, replacing=None if stored is None else stored.etag)
        except InstanceExistsError as error:
            raise RowChangedError(f"entity {instance_id!r} was made by somebody else just now") from error
        return SessionState(execution, row, etag)

    def begun(self, state: SessionState) -> LiveExecution:
        """Fresh code of the state's execution."""
        return LiveExecution(state.execution, self._registry, self._converter)

    async def revive(self, state: SessionState, turns: Sequence[Turn]) -> LiveExecution | LiveEntity:
        """The code, replayed to where history is. Raises NonDeterminismError (R3)."""
        if is_entity(state.execution.instance_id):
            return await restored(self._payloads, state.execution, turns)
        live = self.begun(state)
        try:
            replay(live, await load_turns(self._payloads, expanded(turns)))
        except BaseException:
            live.drop()
            raise
        return live


async def load_state(provider: Provider, instance_id: str) -> SessionState | Absent:
    """The state as storage has it, or what is there instead. Raises StorageError, also for a damaged history."""
    loaded = await provider.load(instance_id)
    if not loaded.turns:
        return Absent(loaded.stored, loaded.buried)
    row = None if loaded.stored is None else loaded.stored.row
    _check_whole(instance_id, loaded.turns)
    lag = [turn for turn in loaded.turns if row is None or _position(turn) > row.position]
    try:
        projected = project(row, lag) or row
        if projected is None or not isinstance(loaded.turns[0].events[0], ExecutionStarted):
            raise StorageError(f"the history of instance {instance_id!r} does not begin with its start")
        state = SessionState(loaded.turns[0].execution, projected, "" if loaded.stored is None else loaded.stored.etag)
        for turn in loaded.turns:
            state.ledger.record(turn)
    except LookupError as error:
        raise StorageError(f"the history of instance {instance_id!r} contradicts itself: {error!r}") from error
    state.row_lags = bool(lag)
    state.was_purged = bool(loaded.buried)
    state.before.knows_since = loaded.turns[0].time
    return state


def _row_of(start: StartExecution, execution: Execution, stored: VersionedRow | None) -> InstanceRow:
    return InstanceRow(
        execution=execution,
        name=start.name,
        status=RuntimeStatus.PENDING,
        created_at=start.created_at,
        updated_at=start.created_at,
        version=start.version,
        input=start.input,
        scheduled_start=start.scheduled_start,
        parent=start.parent,
        tags=start.tags,
        previous=start.previous if stored is None else stored.row.execution.execution_id,
        rewinds=_rewinding(start, stored),
        first_event=start.first_event,
    )


def _rewinding(start: StartExecution, stored: VersionedRow | None) -> Rewinding | None:
    """Which execution a start goes on from: a child that has not failed, or is gone, is started anew."""
    rewinds = start.rewinds
    if rewinds is None or rewinds.execution_id:
        return rewinds
    if stored is None or stored.row.status is not RuntimeStatus.FAILED or not is_child(stored.row.parent, start):
        return None
    return msgspec.structs.replace(rewinds, execution_id=stored.row.execution.execution_id)


def _check_whole(instance_id: str, turns: Sequence[Turn]) -> None:
    """A log with a gap would be replayed as something that never was (P3)."""
    for number, turn in enumerate(turns):
        if turn.number != number:
            raise StorageError(
                f"turn {number} of instance {instance_id!r} is missing; put it back, then replay what is in quarantine"
            )


def _position(turn: Turn) -> tuple[int, int]:
    return (turn.execution.generation, turn.number)
