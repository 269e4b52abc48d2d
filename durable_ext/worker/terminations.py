"""Ends instances without their code: all that a termination needs of an instance is its row (P11).

One whose history is there ends in a turn of its own log. One that has not begun ends in its turn 0: its start comes too
late then. One whose history cannot be read, or is gone, ends in an execution of its own, which follows the damaged one
as the execution of a new start would: its log is whole, so that whatever comes later can be judged.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from durable_ext.errors import PayloadError, StorageError
from durable_ext.providers.contract import Catalog, Clock, Provider, VersionedRow
from durable_ext.records.events import Event, ExecutionStarted, Input
from durable_ext.records.ids import ending_execution_id, is_entity
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.messages import Message, Terminate
from durable_ext.replay.ending import beginning_of, is_ending, up_to_end
from durable_ext.replay.entity_turn import LiveEntity
from durable_ext.replay.turn import TurnResult
from durable_ext.worker.entities.restoring import restored
from durable_ext.worker.lineage import children_by_row
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.state import Absent, SessionState

logger = logging.getLogger("durable_ext.terminations")

_GOES_ON = frozenset({RuntimeStatus.PENDING, RuntimeStatus.RUNNING, RuntimeStatus.SUSPENDED})
_NO_HISTORY = "its history is gone"


class Terminations:
    """What is asked of storage to end an instance. Its methods may raise StorageError."""

    def __init__(self, provider: Provider, catalog: Catalog, payloads: PayloadStore, clock: Clock) -> None:
        self._provider = provider
        self._catalog = catalog
        self._payloads = payloads
        self._clock = clock

    async def without_history(self, absent: Absent, messages: Iterable[Message]) -> SessionState | None:
        """The state in which an instance without history ends; None when nobody ends it, or there is none."""
        stored = absent.stored
        asked = None if stored is None else _asked(stored.row, messages)
        if stored is None or asked is None or stored.row.status.is_terminal:
            return None
        if stored.row.turn < 0 and stored.row.execution.execution_id not in absent.buried:
            return _beginning(SessionState(stored.row.execution, stored.row, stored.etag))
        return await self._in_its_place(stored, asked, _NO_HISTORY)

    async def damaged(self, instance_id: str, messages: Iterable[Message], why: StorageError) -> SessionState | Absent:
        """The state in which an instance ends whose history cannot be read. Raises that error when nobody ends it."""
        asked = [message for message in messages if isinstance(message.body, Terminate)]
        if why.retryable or not asked:
            raise why
        stored = await self._provider.read_row(instance_id)
        if stored is None or stored.row.status.is_terminal:
            return Absent(stored, frozenset())
        body = _asked(stored.row, asked)
        if body is None:
            raise why
        return await self._in_its_place(stored, body, str(why))

    async def decide(self, state: SessionState, inputs: Sequence[Input]) -> TurnResult:
        """The last turn of an instance that is terminated."""
        ending = up_to_end(inputs)
        if is_entity(state.execution.instance_id):
            return TurnResult(await self._end_of_entity(state, ending), ())
        state.drop()
        return TurnResult(ending, ())

    async def _end_of_entity(self, state: SessionState, ending: Sequence[Input]) -> tuple[Event, ...]:
        """The entity is read as far as it can be: who waits for it is told."""
        live = state.live if isinstance(state.live, LiveEntity) else None
        try:
            live = live or await restored(self._payloads, state.execution, state.ledger.recorded)
            return live.end(await self._with_snapshot(ending))
        except (StorageError, PayloadError) as error:  # a snapshot that is gone, or without its key
            if error.retryable:
                raise
            instance_id = state.execution.instance_id
            logger.warning("entity %s ends, and nobody can say who waits for it: %s", instance_id, error)
            return LiveEntity(state.execution).end([_without_snapshot(event) for event in ending])

    async def _with_snapshot(self, inputs: Sequence[Input]) -> Sequence[Input]:
        first = inputs[0]
        if not isinstance(first, ExecutionStarted) or first.input is None:
            return inputs
        return (msgspec.structs.replace(first, input=await self._payloads.get(first.input)), *inputs[1:])

    async def _in_its_place(self, stored: VersionedRow, body: Terminate, why: str) -> SessionState:
        """The state of the execution in which it ends. Raises RowChangedError when somebody else was quicker.

        Children hear first: once the row names the next execution, nothing leads to them. If the process dies then, the
        termination comes again, and so do they.
        """
        row = stored.row
        children = [child async for child in self.children_of(row)] if body.recursive else []
        if children:
            await self._provider.send([self._to_child(row, child, body) for child in children])
        execution = msgspec.structs.replace(
            row.execution,
            execution_id=ending_execution_id(row.execution),
            generation=row.execution.generation + 1,
        )
        following = msgspec.structs.replace(
            row, execution=execution, status=RuntimeStatus.RUNNING, updated_at=self._clock(), turn=-1
        )
        etag = await self._provider.create_row(following, replacing=stored.etag)
        logger.warning(
            "instance %s, execution %s is terminated without its history (%s); %d children were told",
            *(row.instance_id, row.execution.execution_id, why, len(children)),
        )
        return _beginning(SessionState(execution, row, etag))

    async def children_of(self, row: InstanceRow) -> AsyncIterator[InstanceRow]:
        """Children that go on and wait to tell this execution how they end, found by their rows."""
        async for found in children_by_row(self._catalog, row.instance_id, _GOES_ON):
            if found.parent is not None and found.parent.execution_id == row.execution.execution_id:
                yield found

    def _to_child(self, row: InstanceRow, child: InstanceRow, body: Terminate) -> Message:
        parent_execution = row.execution.execution_id
        return Message(
            id=f"{ending_execution_id(row.execution)}-{child.execution.execution_id}",
            instance_id=child.instance_id,
            body=Terminate(reason=body.reason, by_parent=parent_execution),
            sent_at=self._clock(),
        )


def instead_of_next(state: SessionState, messages: Iterable[Message]) -> tuple[SessionState, tuple[Input, ...]]:
    """The state that a termination ends, and what its turn begins with: of an instance that continued as new, the
    execution that was to follow, which nobody has begun and perhaps nobody can. Any other stays as it is."""
    if state.to_continue is None or is_ending(state.to_continue.carried) or _asked(state.row, messages) is None:
        return state, ()
    following, inputs = state.succeed()
    state.drop()
    if isinstance(inputs[0], ExecutionStarted):
        following.ledger.expect(inputs[0])
    return following, inputs


def _without_snapshot(event: Input) -> Input:
    return msgspec.structs.replace(event, input=None) if isinstance(event, ExecutionStarted) else event


def _asked(row: InstanceRow, messages: Iterable[Message]) -> Terminate | None:
    """The first termination that means this instance, and no other that had its id."""
    parent = "" if row.parent is None else row.parent.execution_id
    for message in messages:
        means_it = message.execution_id in (None, row.execution.execution_id)
        if means_it and isinstance(message.body, Terminate) and message.body.by_parent in ("", parent):
            return message.body
    return None


def _beginning(state: SessionState) -> SessionState:
    state.ledger.expect(beginning_of(state.row))
    return state
