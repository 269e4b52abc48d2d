"""Ending an instance here and now for a purge by force: without its code, whether or not a worker runs (P10, P11)."""

from __future__ import annotations

import uuid

import msgspec

from durable_ext.errors import RowChangedError, StorageError, StorageUnavailableError, TurnLostError
from durable_ext.records.events import ExecutionTerminated, Input
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Message, Terminate
from durable_ext.records.turns import Turn
from durable_ext.replay.ending import beginning_of
from durable_ext.worker.client.core import ClientCore
from durable_ext.worker.offload import store_events
from durable_ext.worker.projection import Projector
from durable_ext.worker.state import Absent, SessionState, load_state
from durable_ext.worker.terminations import Terminations, instead_of_next

_REASON = "purged by force"
# Each lost turn means that a worker made progress; it has the termination in its queue, too.
_TRIES = 20


class Forced(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a purge by force met and did.

    `was`: the status it found. `damage`: why the history could not be read; empty when it could, or nobody had to.
    `told`: the instances that got a message because of the end: a parent that waited, children, whoever waited for an
    entity. Children of a damaged instance are found otherwise, and are not among them.
    """

    was: RuntimeStatus
    damage: str = ""
    told: tuple[str, ...] = ()


class ForcingClient(ClientCore):
    """Ends instances."""

    async def _end_now(self, row: InstanceRow) -> tuple[InstanceRow | None, Forced]:
        """The row once the instance has ended, None when it is gone, and what was done for it. Raises StorageError."""
        if row.status.is_terminal:
            return row, Forced(was=row.status)
        for _ in range(_TRIES):
            try:
                found, damage = await self._found(row.instance_id)
                if isinstance(found, Absent):
                    return None if found.stored is None else found.stored.row, Forced(was=row.status, damage=damage)
                state = await self._ended(found)
            except (TurnLostError, RowChangedError):
                continue
            told = await self._settle(state)
            return state.row, Forced(was=row.status, damage=damage, told=told)
        raise StorageUnavailableError(f"instance {row.instance_id!r} went on too fast to be ended; try again")

    async def _found(self, instance_id: str) -> tuple[SessionState | Absent, str]:
        """What is there, as a state that can be ended where that may be, and the damage of its history."""
        damage, asked = "", [self._termination(Execution(instance_id=instance_id, execution_id=""))]
        try:
            found = await load_state(self._provider, instance_id)
        except StorageError as error:
            found = await self._terminations().damaged(instance_id, asked, error)
            damage = str(error)
        if isinstance(found, Absent):
            found = await self._terminations().without_history(found, asked) or found
        return found, damage

    async def _ended(self, found: SessionState) -> SessionState:
        """The state once a turn has ended it, committed as a worker would. Raises TurnLostError.

        The termination goes to the queue first: if this process dies behind the commit, the worker that gets it sends
        what the turn owes (P6). It names the execution, so that no other one that has the id later takes it.
        """
        state, first = instead_of_next(found, [self._termination(found.execution)])
        if state.ledger.ended is not None:
            return state
        guard = self._termination(state.execution)
        await self._provider.send([guard])
        event: Input = ExecutionTerminated(reason=_REASON)
        inputs = (*first, event) if first or state.ledger.turns else (beginning_of(state.row), event)
        result = await self._terminations().decide(state, inputs)
        turn = Turn(
            execution=state.execution,
            number=state.ledger.turns,
            events=await store_events(self._payloads, state.execution.instance_id, result.events),
            message_ids=(guard.id,),
            trigger_id=guard.id,
            time=state.next_time(self._clock()),
            commit_id=uuid.uuid4().hex,
        )
        await self._provider.append(turn)
        state.record(turn)
        return state

    async def _settle(self, state: SessionState) -> tuple[str, ...]:
        """Send what a turn owes that ended it by force, whoever committed it, and write the row; who was told."""
        guard = self._termination(state.execution)
        withdrawn = state.ledger.withdrawn_under(guard.id)
        if withdrawn:
            await self._provider.withdraw(withdrawn, self._clock())
        owed = [entry.message for entry in state.ledger.owed_under(guard.id)]
        if owed:
            await self._provider.send([msgspec.structs.replace(message, resent=True) for message in owed])
        if state.row_lags:
            await Projector(self._provider, self._signals).write(state.row, state.etag)
        return tuple(dict.fromkeys(message.instance_id for message in owed))

    def _terminations(self) -> Terminations:
        return Terminations(self._provider, self.catalog, self._payloads, self._clock)

    def _termination(self, execution: Execution) -> Message:
        """The termination of one execution; without an execution id of whichever is current."""
        return Message(
            id=f"{execution.execution_id}-forced",
            instance_id=execution.instance_id,
            execution_id=execution.execution_id or None,
            body=Terminate(reason=_REASON),
            sent_at=self._clock(),
            resent=True,
        )
