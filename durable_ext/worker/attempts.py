"""What counts as an attempt at a message, and how one is noticed with which its process ended (P11).

An attempt counts when a process that had the message failed at it. One that fails in a living process is counted by
that process, in the copy it puts off. A dequeue count is no evidence: a lost lease, a stalled process and the lost
answer of a receive raise it as well, and nobody needs to have seen the message.

So who takes a message that was handed out often writes a note before it tries, and deletes it afterwards, whatever the
outcome. A note that stays belongs to a process that ended in the attempt. A process that was only stalled deletes its
note when it goes on, and the notes of processes that say that they live do not count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from durable_ext.errors import StorageError
from durable_ext.records.messages import Delivery, Message
from durable_ext.records.payloads import inline
from durable_ext.records.progress import ATTEMPT_NOTED, Report
from durable_ext.worker.services import Services
from durable_ext.worker.session import ATTEMPTS_HERE

logger = logging.getLogger("durable_ext.worker")

# With so few chances left a message is tried without others in this state: of two, one may be what ends the process.
_FEW_CHANCES = 2
# So long it has the process for itself; work that takes longer does not keep the others waiting.
_ALONE_FOR = 10.0
# Notes whose deletion failed are remembered, at most so many.
_MOST_LEFT = 1000


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at a message of a delivery. `earlier`: the attempts before it that failed or ended their process."""

    message: Message
    delivery: Delivery
    earlier: int

    @property
    def number(self) -> int:
        """This attempt counted, should it fail."""
        return self.earlier + 1

    @property
    def unseen(self) -> int:
        """How many of the earlier ones ended with their process, which could say nothing."""
        return self.earlier - self.message.failures


def is_noted(message: Message, delivery: Delivery) -> bool:
    """Whether a message was handed out so often without an end that processes may have ended with it."""
    return delivery.dequeue_count + message.recoveries > ATTEMPTS_HERE


class _Note(msgspec.Struct, frozen=True):
    """What a note says: who tries which message."""

    message: str
    process: str


class NotedAttempts:
    """The notes of this process, and its eye on those of others."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._alone = asyncio.Lock()
        self._left: list[tuple[str, str]] = []  # instance and note, where the deletion failed

    @asynccontextmanager
    async def noting(self, message: Message) -> AsyncGenerator[int]:
        """While inside, the message is tried, and storage knows that. How many attempts at it ended with their process.

        Raises StorageError when storage cannot be asked now. Where notes cannot be kept at all it is tried without.
        """
        unended = await self._count(message)
        left = self._services.settings.most_attempts - unended - message.failures
        async with self._by_itself(unended > 0 and left <= _FEW_CHANCES):
            note = f"{message.id}-attempt-{self._services.next_commit_id()}"
            try:
                await self._write(message, note)
                yield unended
            finally:
                await self._delete(message.instance_id, note)

    async def forget(self, message: Message) -> None:
        """The message is given up: should an operator replay it, it begins anew. Raises StorageError."""
        for note, _ in await self._of_others(message):
            await self._services.provider.delete_progress(message.instance_id, note)

    async def _of_others(self, message: Message) -> list[tuple[str, str]]:
        """The notes of other processes at this message, each with its process."""
        found: list[tuple[str, str]] = []
        for report in await self._services.provider.progress(message.instance_id):
            if report.task_id != ATTEMPT_NOTED:
                continue
            said = msgspec.json.decode(report.value.data, type=_Note)
            if said.message == message.id and said.process != self._services.process_id:
                found.append((report.work_item, said.process))
        return found

    async def _unended(self, message: Message) -> int:
        """Who lives is asked for only where it makes the difference."""
        found = await self._of_others(message)
        if len(found) + message.failures < self._services.settings.most_attempts:
            return len(found)
        living = await self._services.heartbeat.living()
        return sum(process not in living for _, process in found)

    async def _count(self, message: Message) -> int:
        try:
            return await self._unended(message)
        except StorageError as error:
            if error.retryable:
                raise
            logger.error("the notes of attempts at message %s cannot be read: %s", message.id, error)
        except Exception as error:  # noqa: BLE001 - what is wrong with notes is no fault of the message
            self._services.mishaps.met("note", error)
        return 0

    async def _write(self, message: Message, note: str) -> None:
        services = self._services
        content = _Note(message.id, services.process_id)
        report = Report(
            instance_id=message.instance_id,
            work_item=note,
            task_id=ATTEMPT_NOTED,
            name="",
            time=services.clock(),
            value=inline(msgspec.json.encode(content)),
        )
        try:
            await services.provider.write_progress(report)
        except StorageError as error:
            if error.retryable:
                raise
            logger.error("an attempt at message %s cannot be noted: %s", message.id, error)
        except Exception as error:  # noqa: BLE001 - as above, whatever it was
            services.mishaps.met("note", error)

    async def _delete(self, instance_id: str, note: str) -> None:
        """The attempt has ended. A note that cannot be deleted goes with the next one; until then others count it."""
        left, self._left = [*self._left, (instance_id, note)][-_MOST_LEFT:], []
        try:
            while left:
                await self._services.provider.delete_progress(*left[-1])
                left.pop()
        except StorageError as error:
            logger.warning("note %s stays for now: %s", left[-1][1], error)
        except Exception as error:  # noqa: BLE001 - as above, whatever it was
            self._services.mishaps.met("note", error)
        finally:
            self._left += left

    @asynccontextmanager
    async def _by_itself(self, is_suspect: bool) -> AsyncGenerator[None]:
        """One suspect at a time, for as long as its attempt takes, or until it has been alone for long enough."""
        if not is_suspect:
            yield
            return
        await self._alone.acquire()
        held = [self._alone]

        def let_others() -> None:
            if held:
                held.pop().release()

        reminder = asyncio.get_running_loop().call_later(_ALONE_FOR, let_others)
        try:
            yield
        finally:
            reminder.cancel()
            let_others()
