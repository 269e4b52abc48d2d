"""What an instance has waited for too long: sent again, when no message and no process has it any more (P6).

A redelivered trigger sends what its turns owe. This is for the day when a message is gone altogether, or hidden for
minutes by a host that died: a queue that somebody cleared, a trigger that was discarded, an invocation that was lost
before it was a second old. A message is lost when it is outstanding for a minute, waits in no queue, and no living
process holds it or what guards it, nor may its answer wait in the instance's own queue. All of that is seen twice, so
far apart that whoever received one of them meanwhile has written it down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from durable_ext.records.ids import guard_of, partition_of, result_message_id
from durable_ext.records.messages import (
    FireTimer,
    Message,
    RequestLock,
    Resume,
    RunActivity,
    RunOperation,
    StartExecution,
)
from durable_ext.worker.heartbeat import MOMENT
from durable_ext.worker.looks import AT_REST
from durable_ext.worker.reminders import Reminders
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent, SessionState

logger = logging.getLogger("durable_ext.janitor")

# A control queue is behind whose next message is older: an answer may wait there.
_BEHIND = timedelta(seconds=15)
# So many of one instance in one round.
_MOST_AT_ONCE = 100
# Of what somebody has, the state is asked for again once the instance has rested an eighth longer.
_REST_PER_LOOK = 8


class _Wanted(msgspec.Struct, frozen=True):
    """A message whose outcome an instance waits for since then. Each of `guards` sees to it, in the hands of a living
    process."""

    message: Message
    since: datetime
    guards: frozenset[str]


class Outstanding:
    """The debts of instances at rest. A round looks at several, then sends what is lost of all of them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reminders = Reminders(AT_REST)
        self._missed: dict[str, frozenset[str]] = {}  # by instance: ids of messages
        self._oldest: dict[str, datetime | None] = {}  # by tag, in this round

    async def look(self, found: SessionState) -> datetime | None:
        """Note what nobody has; when to look again at the latest, None while there is no need. Raises StorageError."""
        now = self._services.clock()
        late: list[_Wanted] = []
        again: list[datetime] = []
        for wanted in _wanted(found):
            due = max(wanted.since + AT_REST, self._reminders.next(wanted.message.id, now))
            if due > now:
                again.append(due)
            else:
                late.append(wanted)
        if late:
            lost = await self._lost(late, now)
            if lost:
                self._missed[found.execution.instance_id] = frozenset(lost)
            rest = now - max(wanted.since for wanted in late)
            again.append(now + (AT_REST if lost else max(rest / _REST_PER_LOOK, AT_REST)))
        return min(again, default=None)

    async def send(self) -> None:
        """Send again what was missed in this round and still is. Raises StorageError."""
        missed, self._missed, self._oldest = self._missed, {}, {}
        if not missed:
            return
        # A process that received one just now deals with it at once, or has it in its journal by then.
        await asyncio.sleep(2 * MOMENT.total_seconds())
        behind = await self._partitions_behind({self._partition_of(instance_id) for instance_id in missed})
        for instance_id, ids in missed.items():
            if self._partition_of(instance_id) in behind:
                continue
            found = await self._services.loader.load(instance_id)
            if not isinstance(found, Absent):
                await self._send(found, [wanted for wanted in _wanted(found) if wanted.message.id in ids])

    def _partition_of(self, instance_id: str) -> int:
        return partition_of(instance_id, self._services.provider.partitions)

    async def _partitions_behind(self, partitions: set[int]) -> set[int]:
        found = {each: await self._services.provider.oldest_control(each) for each in sorted(partitions)}
        now = self._services.clock()
        return {each for each, oldest in found.items() if oldest is not None and now - oldest > _BEHIND}

    async def _send(self, found: SessionState, missed: list[_Wanted]) -> None:
        held = await self._held(missed, MOMENT)
        lost = [wanted.message for wanted in missed if not held & wanted.guards]
        if not lost:
            return
        await self._services.provider.send([self._copy(message) for message in lost])
        now = self._services.clock()
        for message in lost:
            self._reminders.sent(message.id, now)
        logger.warning("instance %s: %d messages were lost and are sent again", found.execution.instance_id, len(lost))

    def _copy(self, message: Message) -> Message:
        """Each time it may have been lost with its process, which counts as it does when a journal says so (P11)."""
        return msgspec.structs.replace(message, resent=True, recoveries=self._reminders.times(message.id) + 1, due=None)

    async def _held(self, wanted: list[_Wanted], age: timedelta | None = None) -> frozenset[str]:
        return await self._services.heartbeat.holds({guard for each in wanted for guard in each.guards}, age)

    async def _lost(self, late: list[_Wanted], now: datetime) -> list[str]:
        """Those that no process deals with, whose trigger no process holds, and that wait in no queue."""
        held = await self._held(late)
        free = [wanted for wanted in late if not held & wanted.guards][:_MOST_AT_ONCE]
        return [wanted.message.id for wanted in free if await self._is_lost(wanted, now)]

    async def _is_lost(self, wanted: _Wanted, now: datetime) -> bool:
        match wanted.message.body:
            case RunActivity() as body:
                # Queues are served in order: when younger ones wait at the head, this one waits no more.
                oldest = await self._oldest_of(body.tag)
                return oldest is None or oldest - wanted.since > AT_REST
            case StartExecution():
                stored = await self._services.provider.read_row(wanted.message.instance_id)
                return stored is None or (stored.row.status.is_terminal and now - stored.row.updated_at > AT_REST)
            case FireTimer() | RunOperation() | RequestLock() | Resume():
                # An entity knows what it has taken: it answers again, or when its turn comes.
                return True
            case _:
                return False

    async def _oldest_of(self, tag: str) -> datetime | None:
        if tag not in self._oldest:
            self._oldest[tag] = await self._services.provider.oldest_work(tag)
        return self._oldest[tag]


def _wanted(found: SessionState) -> Iterator[_Wanted]:
    """What has no outcome; of an execution that continued as new, and nobody began the next, the trigger that does."""
    for turn, owed in found.ledger.outstanding():
        answer = result_message_id(owed.message.id)
        guards = frozenset({owed.message.id, answer, turn.trigger_id, guard_of(turn.trigger_id)})
        yield _Wanted(owed.message, owed.message.due or turn.time, guards)
    last, execution = found.ledger.last_turn, found.execution
    if found.to_continue is not None and last is not None:
        # What it carries is not looked at: history knows the id.
        trigger = Message(
            id=last.trigger_id, instance_id=execution.instance_id, body=Resume(), sent_at=last.time, resent=True
        )
        yield _Wanted(trigger, last.time, frozenset({last.trigger_id, guard_of(last.trigger_id)}))
