"""How long instances wait for nothing: they have work that no living process holds and that no queue shows (T3).

A message that a dead process, or one that sleeps, has received is hidden and held by nobody; a decision whose message
is gone has nobody either. Both come right after a while; this is for how long that takes at worst.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import NonDeterminismError
from durable_ext.providers.contract import Catalog, InstanceFilter, Provider
from durable_ext.records.events import ContinuedAsNew
from durable_ext.records.ids import guard_of, result_message_id, start_message_id
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.messages import FireTimer, Message, RequestLock, RunOperation, StartExecution
from durable_ext.records.turns import Turn
from durable_ext.replay.ledger import Ledger
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.outbox import Owed
from durable_ext.testing.queued import Queued
from durable_ext.worker.client import utc_now
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.state import Absent, Loader

# No instance may wait for nothing longer.
LONGEST_WAIT = timedelta(minutes=2)
_OPEN = frozenset({RuntimeStatus.PENDING, RuntimeStatus.RUNNING, RuntimeStatus.SUSPENDED})
_MOST_ROWS = 1000
_FOR_ENTITIES = RunOperation | RequestLock


class AtWork(Protocol):
    """What there is to know of a living process."""

    @property
    def in_hand(self) -> frozenset[str]:
        """Instances with a session there, and ids of the messages it deals with."""
        ...


class Seen(msgspec.Struct, frozen=True):
    """One look: who is at work on what, and the messages that come by themselves."""

    now: datetime
    in_hand: frozenset[str]
    coming: frozenset[str]

    def has(self, *names: str) -> bool:
        """Whether one of these instances or messages is in somebody's hands, or on its way."""
        return not (self.in_hand.isdisjoint(names) and self.coming.isdisjoint(names))


class Waits:
    """Looks at a hub again and again. `longest`: for how long something waited at worst, `what` says what."""

    def __init__(self, provider: Provider, catalog: Catalog, registry: Registry) -> None:
        self.longest = timedelta(0)
        self.what = ""
        self._provider = provider
        self._catalog = catalog
        self._loader = Loader(provider, registry, utc_now, PayloadStore(provider, registry.converter))
        self._since: dict[str, datetime] = {}
        self._looked_at: datetime | None = None

    async def look(
        self, now: datetime, queued: Iterable[Queued], living: Collection[AtWork], *, outage: bool = False
    ) -> None:
        """See what waits for nothing now. Time in which nobody lives, or storage is out, does not count.

        Raises StorageError.
        """
        in_hand = frozenset[str]().union(*(process.in_hand for process in living))
        coming: set[str] = set()
        found: list[str] = []
        for entry in queued:
            messages = await self._messages_of(entry)
            if entry.visible_at <= now or not entry.received:
                coming.update(message.id for message in messages)
                continue
            found += [
                f"{message.instance_id}: {type(message.body).__name__} {message.id}, received {entry.received} times"
                for message in messages
                if message.id not in in_hand and message.instance_id not in in_hand
            ]
        seen = Seen(now, in_hand, frozenset(coming))
        page = await self._catalog.query(InstanceFilter(statuses=_OPEN, entities=False), limit=_MOST_ROWS)
        for row in page.rows:
            if row.instance_id not in in_hand:
                found += [f"{row.instance_id}: {what}" for what in await self._missed(row, seen)]
        self._note(now, found, counts=bool(living) and not outage)

    def _note(self, now: datetime, found: Sequence[str], *, counts: bool) -> None:
        # It may have begun right after the last look.
        before, self._looked_at = self._looked_at or now, now
        if not counts:
            self._since = {what: since + (now - before) for what, since in self._since.items()}
            before = now
        self._since = {what: self._since.get(what, before) for what in found}
        for what, since in self._since.items():
            if now - since > self.longest:
                self.longest, self.what = now - since, what

    async def _messages_of(self, entry: Queued) -> Sequence[Message]:
        return (await self._provider.open_delivery(entry.queue, entry.id, entry.body, entry.received)).messages

    async def _missed(self, row: InstanceRow, seen: Seen) -> list[str]:
        """What an instance that nobody is at work on has to wait for."""
        turns = (await self._provider.load(row.instance_id)).turns
        if not turns:
            due, start = row.scheduled_start or row.created_at, start_message_id(row.execution)
            # Of a child its parent misses the start.
            return [] if row.parent is not None or due > seen.now or seen.has(start) else ["its start"]
        ledger = Ledger(turns[0].execution)
        for turn in turns:
            ledger.record(turn)
        if ledger.ended is not None:
            goes_on = isinstance(ledger.ended, ContinuedAsNew)
            return ["its next execution"] if goes_on and not seen.has(*_guards(turns[-1])) else []
        return [
            f"{type(owed.message.body).__name__} {owed.message.id}"
            for turn, owed in ledger.outstanding()
            if not await self._is_seen_to(turn, owed, seen)
        ]

    async def _is_seen_to(self, turn: Turn, owed: Owed, seen: Seen) -> bool:
        message, body = owed.message, owed.message.body
        if seen.has(message.id, result_message_id(message.id), *_guards(turn)):
            return True
        if isinstance(body, FireTimer):
            return body.fire_at > seen.now or await self._is_cancelled(message.instance_id, body.task_id)
        if isinstance(body, StartExecution):
            return await self._goes_on(message.instance_id, seen)
        if isinstance(body, _FOR_ENTITIES):
            # One that was taken waits for its turn there, or for a lock.
            return seen.has(message.instance_id) or message.id in await self._provider.consumed(message.instance_id)
        return False

    async def _is_cancelled(self, instance_id: str, task_id: int) -> bool:
        """Whether the code waits for a timer no more, which history does not say."""
        state = await self._loader.load(instance_id)
        if isinstance(state, Absent):
            return False
        try:
            live = await self._loader.revive(state, state.ledger.recorded)
        except NonDeterminismError:  # the code of another version
            return False
        wanted = isinstance(live, LiveExecution) and live.wants_timer(task_id)
        live.drop()
        return not wanted

    async def _goes_on(self, child_id: str, seen: Seen) -> bool:
        """Whether a child has begun and is not over: what it waits for is its own matter."""
        if seen.has(child_id):
            return True
        loaded = await self._provider.load(child_id)
        return bool(loaded.turns) and not loaded.turns[-1].is_terminal


def _guards(turn: Turn) -> tuple[str, str]:
    return turn.trigger_id, guard_of(turn.trigger_id)
