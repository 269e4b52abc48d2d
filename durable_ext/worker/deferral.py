"""Messages that cannot be taken now: put off (P12), kept for an operator (P11), or answered with a refusal."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from durable_ext.errors import InstanceExistsError
from durable_ext.records.codec import encode_messages
from durable_ext.records.failures import failure_from
from durable_ext.records.instance import Stuck
from durable_ext.records.messages import FinishChild, FireTimer, Message, Quarantined, RunOperation, StartExecution
from durable_ext.worker.items import Item
from durable_ext.worker.services import Services
from durable_ext.worker.telemetry import Counted

_LONGEST_PAUSE = timedelta(seconds=60)
# Of a message for another worker: chance decides who gets it next, so that it is shown often at first.
_SHOWN_OFTEN = 40
_SHOWN_AFTER = timedelta(seconds=5)
# How long a repeat waits for the process that deals with a copy of it.
GUARDED_FOR = timedelta(seconds=30)
# How long a work item stays away that this process does not serve.
NOT_SERVED_FOR = timedelta(seconds=5)
# The longest such pause of one whose affinity another process holds, or for which there is no room.
HELD_ELSEWHERE_FOR = timedelta(seconds=5)
# About an hour and a half of waiting for a cause that never comes, an hour for a worker that never does.
_MOST_DEFERRALS = 100
# A row says no more of it; the whole is in quarantine.
_LONGEST_REASON = 1000
# So many messages that are put off are remembered, at the least, before those are forgotten that have come back.
_LEAST_NOTED = 1000
# What became of a child's start that came more than once: who claims its answer first.
_REFUSED, _BEGUN = "refused", "begun"
_NO_CAUSE = "came ahead of what it belongs to, and that never came"


class Deferral:
    """Sends messages on their way again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sending: dict[str, asyncio.Future[None]] = {}
        self._sent: dict[str, tuple[int, datetime]] = {}  # by id: how often the copy was put off, and until when
        self._most_noted = _LEAST_NOTED

    def is_worn_out(self, message: Message) -> bool:
        """Whether a message was put off as often as any may be."""
        return message.deferrals >= _MOST_DEFERRALS

    def waited(self, message: Message) -> timedelta:
        """How long a message was put off for, all in all, without a time of its own."""
        return sum((_pause(number) for number in range(message.deferrals)), timedelta(0))

    async def leave(self, item: Item, reason: str) -> None:
        """Put off what a worker with other code is to take; which one of all gets it next is chance."""
        longest = _SHOWN_AFTER if item.message.deferrals < _SHOWN_OFTEN else _LONGEST_PAUSE
        await self.put_off(item, reason=reason, longest=longest)

    async def put_off(
        self,
        item: Item,
        until: datetime | None = None,
        *,
        reason: str = _NO_CAUSE,
        longest: timedelta = _LONGEST_PAUSE,
    ) -> None:
        """Send a message again, to come back later. One that has waited too often is quarantined with the reason.

        A timer that is not due yet comes back when it is, a message for an instance that starts later when it starts.
        Of several deliveries of one message one is sent again: each copy would be put off by itself ever after.
        """
        message, body = item.message, item.message.body
        known = (
            body.fire_at if isinstance(body, FireTimer) else message.due if isinstance(body, RunOperation) else until
        )
        if known is not None and known > self._services.clock():
            await self._services.provider.send([msgspec.structs.replace(message, due=known, resent=True)])
            return
        if self.is_worn_out(message):
            # A message without a cause says nothing about its instance, which may well go on.
            give_up = self._keep if reason is _NO_CAUSE else self.quarantine
            await give_up(message, reason, message.deferrals, item.queue)
            return
        self._services.settings.telemetry.count(Counted.PUT_OFF, type(body).__name__)
        await self._send_later(message, self._services.clock() + min(_pause(message.deferrals), longest))

    async def _send_later(self, message: Message, due: datetime) -> None:
        """Send the copy that has waited once more, unless another delivery of the message has had it sent."""
        while sending := self._sending.get(message.id):
            await asyncio.wait([sending])
        deferrals, waits_until = self._sent.get(message.id, (0, due))
        if message.deferrals < deferrals and self._services.clock() < waits_until:
            return
        later = msgspec.structs.replace(message, due=due, deferrals=message.deferrals + 1, resent=True)
        self._sending[message.id] = sending = asyncio.get_running_loop().create_future()
        try:
            await self._services.provider.send([later])
            self._sent[message.id] = later.deferrals, due
        finally:
            del self._sending[message.id]
            sending.set_result(None)
        if len(self._sent) > self._most_noted:
            now = self._services.clock()
            self._sent = {one: sent for one, sent in self._sent.items() if sent[1] > now}
            # Where more are away than that, looking through all of them for each would cost more than they do.
            self._most_noted = max(_LEAST_NOTED, 2 * len(self._sent))

    async def refuse(self, message: Message, error: Exception) -> None:
        """Tell the parent that its child cannot be started. Noted before it is told, so that no copy begins later.

        Unless it was started: then it is the child itself, or what it continued as, that has the id.
        """
        body = message.body
        if not isinstance(body, StartExecution) or body.parent is None:
            return
        if message.id in await self._services.provider.consumed(message.instance_id):
            return
        await self._services.provider.claim(body.parent.instance_id, _refusal_of(message), _REFUSED)
        answer = Message(
            id=_refusal_of(message),
            instance_id=body.parent.instance_id,
            execution_id=body.parent.execution_id,
            body=FinishChild(task_id=body.parent.task_id, failure=failure_from(error)),
            sent_at=self._services.clock(),
        )
        await self._services.provider.send([answer])

    async def is_settled(self, message: Message, *, is_held: bool) -> bool:
        """Whether this start ran under an id that was taken over since, or was refused; the parent is told again.

        While another instance has the id (`is_held`) nobody claims to begin: the start is about to be refused.
        """
        body, provider = message.body, self._services.provider
        if message.id in await provider.consumed(message.instance_id):
            return True
        parent = body.parent if isinstance(body, StartExecution) else None
        if parent is None or is_held or await provider.claim(parent.instance_id, _refusal_of(message), _BEGUN):
            return False
        await self.refuse(message, InstanceExistsError(f"the id {message.instance_id!r} belonged to another instance"))
        return True

    async def quarantine(self, message: Message, reason: str, attempts: int, queue: str, stack: str = "") -> None:
        """Keep a message that its instance needs, and have the row say that the instance is stuck (P11)."""
        await self._keep(message, reason, attempts, queue, stack)
        stuck = Stuck(since=self._services.clock(), reason=reason[:_LONGEST_REASON], message_id=message.id)
        await self._services.projector.mark(message.instance_id, stuck)

    async def _keep(self, message: Message, reason: str, attempts: int, queue: str, stack: str = "") -> None:
        """Keep a message where the catalog lists it; when it is replayed it is a repeat (P6)."""
        self._services.settings.telemetry.count(Counted.QUARANTINED, type(message.body).__name__)
        message = msgspec.structs.replace(message, resent=True, deferrals=0, failures=0, recoveries=0, due=None)
        await self._services.provider.quarantine(
            Quarantined(
                id=message.id,
                queue=queue,
                body=encode_messages([message]).decode(),
                reason=reason,
                instance_id=message.instance_id,
                dequeue_count=attempts,
                time=self._services.clock(),
                stack=stack,
            )
        )


def _refusal_of(message: Message) -> str:
    return f"{message.id}-refused"


def _pause(number: int) -> timedelta:
    """1, 2, 4 ... 60 seconds."""
    return min(timedelta(seconds=2 ** min(number, 10)), _LONGEST_PAUSE)
