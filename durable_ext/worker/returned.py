"""Triggers that came back: who had one before may still commit under it, and must lose from some turn on (P2, P6).

A process that sleeps does not hear that its lease is lost, and a request that it gave up may still be on its way. So a
trigger that came back is settled behind a turn that names it and has no events, its *closing turn*. Either a turn that
came in between makes that lose: then what it owes is seen to first. Or whatever comes later loses to the closing turn,
and who had the trigger finds it closed, and stops.
"""

from __future__ import annotations

import msgspec

from durable_ext.errors import LeaseLostError
from durable_ext.records.instance import Execution
from durable_ext.records.turns import Turn
from durable_ext.replay.ledger import Ledger
from durable_ext.worker.committing import close
from durable_ext.worker.earlier import executions_before
from durable_ext.worker.items import Item
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState


class Place(msgspec.Struct, frozen=True):
    """Where history was: so many turns of an execution were known."""

    execution: Execution
    turns: int


def place_of(state: SessionState) -> Place:
    """Where the history of a state ends."""
    return Place(state.execution, state.ledger.turns)


class Returned:
    """The triggers of one session. `waiting`: messages that came back beside its trigger, with nothing left to send."""

    def __init__(self, services: Services) -> None:
        self.waiting: list[Item] = []
        self._services = services
        self._taken_at: Place | None = None

    def take(self, state: SessionState) -> None:
        """The session has its trigger from here on."""
        self._taken_at = place_of(state)

    async def check(self, state: SessionState, trigger: Item) -> None:
        """Raise LeaseLostError when the trigger was closed since the session took it; StorageError."""
        taken_at = self._taken_at
        if taken_at is None:
            return
        if await self._is_closed(state, trigger.message.id, taken_at):
            raise LeaseLostError(f"instance {state.execution.instance_id!r}: somebody else has settled its trigger")

    async def _is_closed(self, state: SessionState, trigger_id: str, since: Place) -> bool:
        if state.execution == since.execution:
            return _closes(state.ledger, trigger_id, since.turns)
        if _closes(state.ledger, trigger_id, 0):
            return True
        async for ledger in executions_before(self._services, state):
            is_first = ledger.execution == since.execution
            if _closes(ledger, trigger_id, since.turns if is_first else 0):
                return True
            if is_first:
                break
        return False

    async def close(self, state: SessionState | None, item: Item) -> None:
        """Commit the closing turn of a message that came back. An execution that is over needs none.

        Raises TurnLostError when another turn was first, and StorageError.
        """
        if state is None or not item.came_back or state.ledger.ended is not None or not state.ledger.turns:
            return
        await close(self._services, state, item.message.id)

    def is_own(self, turn: Turn, trigger: Item) -> bool:
        """Whether this session sees to what a turn owes that it has lost to.

        It is this process's own, an insert that was given up and came through, or one under a message that came back.
        """
        if turn.commit_id.rpartition("-")[0] == self._services.process_id:
            return True
        came_back = (item.message.id for item in (trigger, *self.waiting) if item.came_back)
        return turn.trigger_id in came_back


def _closes(ledger: Ledger, trigger_id: str, since: int) -> bool:
    return any(turn.closes_trigger and turn.trigger_id == trigger_id for turn in ledger.recorded[since:])
