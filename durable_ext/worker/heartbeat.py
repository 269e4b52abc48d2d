"""A heartbeat by process: each tells the others what it holds, so that they take it up about a minute after it died.

Under the Functions host a machine that dies keeps its messages hidden for ten minutes (F2). So a process that holds
messages for longer than a moment keeps a journal of them, written anew at each beat: a bounded number of calls for a
process, however many instances it has, and none for work that is done at once or for a process at rest. A journal that
is not renewed belongs to a dead process: whoever sees that first sends its messages again, marked. The hidden ones come
back later and meet receivers that know them (P6, P7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec

from durable_ext.errors import StorageError
from durable_ext.providers.contract import Clock, Provider
from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.messages import Message
from durable_ext.records.stall import Stall, is_note, stall_of
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.stalls import Stalls

logger = logging.getLogger("durable_ext.heartbeat")

# What is held longer than this is written down; what is dealt with at once never is.
MOMENT = timedelta(seconds=1)
# So many beats left out before our eyes: the process is gone.
_MISSED_BEATS = 3
# A journal as old as this when it is first seen is a dead process's too, unless clocks are three beats apart.
_STALE_BEATS = 4
# A copy that was sent for a dead process: who gets it has it in its journal by then.
_ON_ITS_WAY = timedelta(minutes=1)
# What ended processes longer ago had other reasons.
_REMEMBERED = timedelta(days=1)


class Held:
    """Messages of one delivery, from when they were received."""

    __slots__ = ("messages", "since")

    def __init__(self, messages: Sequence[Message], since: datetime) -> None:
        self.messages = messages
        self.since = since


class Heartbeat:
    """The journal of this process, and its eye on those of others."""

    def __init__(self, provider: Provider, process_id: str, clock: Clock, beat: timedelta, mishaps: Mishaps) -> None:
        self._provider = provider
        self._mishaps = mishaps
        self._process_id = process_id
        self._clock = clock
        self._beat = beat
        self._held: set[Held] = set()
        self._written: frozenset[str] = frozenset()
        self._written_at: datetime | None = None
        self._others: dict[str, tuple[KeptJournal, datetime]] = {}
        self._recovered: dict[str, datetime] = {}
        self._looked_at: datetime | None = None
        self._looking = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._closed = False
        self.stalls = Stalls(self._look_for_stalls)
        self._found_stalls: tuple[Stall, ...] = ()

    @contextmanager
    def holding(self, messages: Sequence[Message]) -> Generator[None]:
        """While inside, this process deals with these messages."""
        held = Held(messages, self._clock())
        self._held.add(held)
        self._start()
        try:
            yield
        finally:
            self._held.discard(held)

    @property
    def held_count(self) -> int:
        """How many deliveries this process deals with."""
        return len(self._held)

    @property
    def held_messages(self) -> frozenset[str]:
        """Ids of the messages that this process deals with."""
        return frozenset(message.id for held in self._held for message in held.messages)

    async def holds(self, message_ids: Collection[str], age: timedelta | None = None) -> frozenset[str]:
        """Which of these messages a living process deals with, this one included, as of `age` ago at most, a beat else.

        What was sent again for a dead process lately is dealt with, too. Raises StorageError.
        """
        await self._look(self._beat if age is None else age)
        now = self._clock()
        wanted = frozenset(message_ids)
        theirs = {message.id for message in self._messages_elsewhere(now)}
        self._recovered = {key: at for key, at in self._recovered.items() if now - at < _ON_ITS_WAY}
        return wanted & (self.held_messages | theirs | self._recovered.keys())

    async def living(self) -> frozenset[str]:
        """The other processes that hold messages and live. Raises StorageError."""
        await self._look(MOMENT)
        now = self._clock()
        return frozenset(key for key, (kept, seen_at) in self._others.items() if self._lives(kept, seen_at, now))

    async def recovered_elsewhere(self, message: Message) -> bool:
        """Whether another living process deals with a copy of the message that was sent for a dead one.

        The hidden original has come back late, and must not repair what that copy guards (P6). Raises StorageError.
        """
        if message.recoveries:
            return False
        await self._look(MOMENT)
        return any(other.recoveries and other.id == message.id for other in self._messages_elsewhere(self._clock()))

    async def watch(self) -> None:
        """Take up what dead processes held. Raises StorageError."""
        await self._look(timedelta(0))
        now = self._clock()
        for kept, seen_at in list(self._others.values()):
            if not self._lives(kept, seen_at, now):
                await self._try_to_recover(kept, now)
        self._start()

    async def close(self) -> None:
        """Beat no more. What is held by now has been given back, so the journal goes too."""
        self._closed = True
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        if self._written_at is not None:
            try:
                await self._provider.delete_journal(self._process_id)
            except Exception as error:  # noqa: BLE001 - the end of a process goes on to its end
                logger.warning("the journal of this process stays until another one finds it: %s", error)

    def _start(self) -> None:
        if (self._beating is None or self._beating.done()) and not self._closed and self._has_reason_to_beat():
            self._beating = asyncio.create_task(self._go_on())

    def _has_reason_to_beat(self) -> bool:
        return bool(self._held or self._others or self._written_at is not None)

    async def _go_on(self) -> None:
        """One look at a time, while there is something to write down or to watch."""
        while self._has_reason_to_beat():
            await asyncio.sleep(MOMENT.total_seconds())
            if not self._has_reason_to_beat():
                return
            try:
                await self._write()
                if self._looked_at is None or self._clock() - self._looked_at >= self._beat:
                    await self.watch()
            except StorageError as error:
                logger.warning("a heartbeat failed and is made up for: %s", error)
            except Exception as error:  # noqa: BLE001 - a process that beats no more is taken for dead
                self._mishaps.met("heartbeat", error)

    async def _write(self) -> None:
        """Write the journal when it says too little, or must show that this process lives; delete it at rest."""
        now = self._clock()
        messages = {message.id: message for held in self._held for message in held.messages}
        lasting = {message.id for held in self._held if now - held.since >= MOMENT for message in held.messages}
        is_due = self._written_at is not None and now - self._written_at >= self._beat
        if is_due and not messages:
            await self._provider.delete_journal(self._process_id)
            self._written, self._written_at = frozenset(), None
        elif is_due or not lasting <= self._written:
            journal = Journal(process_id=self._process_id, time=now, messages=tuple(messages.values()))
            await self._provider.write_journal(journal)
            self._written, self._written_at = frozenset(messages), now

    async def _look(self, age: timedelta) -> None:
        """Read the journals of others, unless that was done within `age`."""
        async with self._looking:
            now = self._clock()
            if self._looked_at is not None and now - self._looked_at < age:
                return
            journals = await self._provider.journals()
            notes = [kept.journal for kept in journals if is_note(kept.journal)]
            await self._note(notes, now)
            found = {kept.journal.process_id: kept for kept in journals if kept.journal not in notes}
            found.pop(self._process_id, None)
            self._looked_at = now
            self._others = {key: (kept, self._seen_at(kept, now)) for key, kept in found.items()}

    async def _look_for_stalls(self, age: timedelta) -> Sequence[Stall]:
        await self._look(age)
        return self._found_stalls

    async def _note(self, notes: Sequence[Journal], now: datetime) -> None:
        recent = [note for note in notes if now - note.time < _REMEMBERED]
        self._found_stalls = tuple(stall for note in recent if (stall := stall_of(note)) is not None)
        for note in notes:
            if note not in recent:
                await self._provider.delete_journal(note.process_id)

    def _seen_at(self, kept: KeptJournal, now: datetime) -> datetime:
        """When this very content was first seen here: two clocks need not agree."""
        known = self._others.get(kept.journal.process_id)
        return now if known is None or known[0].etag != kept.etag else known[1]

    def _lives(self, kept: KeptJournal, seen_at: datetime, now: datetime) -> bool:
        return now - seen_at < _MISSED_BEATS * self._beat and now - kept.journal.time < _STALE_BEATS * self._beat

    def _messages_elsewhere(self, now: datetime) -> Iterator[Message]:
        for kept, seen_at in self._others.values():
            if self._lives(kept, seen_at, now):
                yield from kept.journal.messages

    async def _try_to_recover(self, kept: KeptJournal, now: datetime) -> None:
        """One journal that cannot be dealt with keeps no other waiting."""
        try:
            await self._recover(kept, now)
        except StorageError as error:
            if error.retryable:
                raise
            logger.error("what process %s held is sent again later: %s", kept.journal.process_id, error)
        except Exception as error:  # noqa: BLE001 - it is tried again at the next look
            self._mishaps.met("recovery", error)

    async def _recover(self, kept: KeptJournal, now: datetime) -> None:
        """Send again what a dead process held. Its journal goes last: should this process die too, another sees it."""
        journal = kept.journal
        if not await self._provider.write_journal(msgspec.structs.replace(journal, time=now), replacing=kept.etag):
            return  # it lives after all, or another process recovers it
        copies = [_copy(message) for message in journal.messages]
        if copies:
            await self._provider.send(copies)
        await self._provider.delete_journal(journal.process_id)
        self._others.pop(journal.process_id, None)
        self._recovered |= {message.id: now for message in copies}
        logger.warning(
            "process %s is gone since %s; %d messages it held are sent again",
            journal.process_id,
            journal.time,
            len(copies),
        )


def _copy(message: Message) -> Message:
    return msgspec.structs.replace(message, resent=True, recoveries=message.recoveries + 1, due=None)
