"""What an instance has waited for too long: sent again, when no message and no process has it any more (P6).

A redelivered trigger sends what its turns owe. This is for the day when a message is gone altogether: a queue that
somebody cleared, a trigger that was discarded. So it is slow to act, and certain before it does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from durable_ext.records.ids import guard_of
from durable_ext.records.messages import (
    FireTimer,
    Message,
    RequestLock,
    Resume,
    RunActivity,
    RunOperation,
    StartExecution,
)
from durable_ext.records.turns import Turn
from durable_ext.replay.outbox import Owed
from durable_ext.worker.reminders import Reminders
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState

logger = logging.getLogger("durable_ext.janitor")

# Longer than any message of a dead process stays hidden.
_LOST_AFTER = timedelta(minutes=15)
# So many of one instance in one round.
_MOST_AT_ONCE = 100


class Outstanding:
    """The debts of instances at rest."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reminders = Reminders(_LOST_AFTER)

    async def send(self, found: SessionState) -> None:
        """Send again what an instance waits for and nobody has. Raises StorageError."""
        now = self._services.clock()
        execution_id = found.execution.execution_id
        await self._continue(found, now)
        overdue = [
            (turn, owed)
            for turn, owed in found.ledger.outstanding()[:_MOST_AT_ONCE]
            if now - (owed.message.due or turn.time) > _LOST_AFTER
        ]
        if not overdue or not self._reminders.is_due(execution_id, now):
            return
        lost = await self._lost(overdue, now)
        if not lost:
            return
        await self._services.provider.send([msgspec.structs.replace(message, resent=True) for message in lost])
        self._reminders.sent(execution_id, now)
        logger.warning("instance %s: %d messages were lost and are sent again", found.execution.instance_id, len(lost))

    async def _continue(self, found: SessionState, now: datetime) -> None:
        """An execution that continued as new, and nobody began the next: its trigger comes again, and does (P6)."""
        last, execution = found.ledger.last_turn, found.execution
        if found.to_continue is None or last is None or now - last.time <= _LOST_AFTER:
            return
        if not self._reminders.is_due(execution.execution_id, now):
            return
        if await self._services.heartbeat.holds({last.trigger_id, guard_of(last.trigger_id)}):
            return
        # What it carries is not looked at: history knows the id.
        again = Message(
            id=last.trigger_id, instance_id=execution.instance_id, body=Resume(), sent_at=last.time, resent=True
        )
        await self._services.provider.send([again])
        self._reminders.sent(execution.execution_id, now)
        logger.warning("instance %s: nobody began its next execution; its trigger is sent again", execution.instance_id)

    async def _lost(self, overdue: Sequence[tuple[Turn, Owed]], now: datetime) -> list[Message]:
        """Those that no process deals with, whose trigger no process holds, and that wait in no queue."""
        held = await self._services.heartbeat.holds({guard for turn, owed in overdue for guard in _guards(turn, owed)})
        free = [(turn, owed.message) for turn, owed in overdue if not held & _guards(turn, owed)]
        return [message for turn, message in free if await self._is_lost(turn, message, now)]

    async def _is_lost(self, turn: Turn, message: Message, now: datetime) -> bool:
        match message.body:
            case RunActivity() as body:
                # Queues are served in order: when younger ones wait at the head, this one waits no more.
                oldest = await self._services.provider.oldest_work(body.tag)
                return oldest is None or oldest - turn.time > _LOST_AFTER
            case StartExecution():
                stored = await self._services.provider.read_row(message.instance_id)
                return stored is None or (stored.row.status.is_terminal and now - stored.row.updated_at > _LOST_AFTER)
            case FireTimer() | RunOperation() | RequestLock():
                # An entity knows what it has taken: it answers again, or when its turn comes.
                return True
            case _:
                return False


def _guards(turn: Turn, owed: Owed) -> set[str]:
    """Messages of which each, in the hands of a living process, sees to what is owed."""
    return {owed.message.id, turn.trigger_id, guard_of(turn.trigger_id)}
