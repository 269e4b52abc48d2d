"""The order of what one execution sends to one entity: each message names the one before it.

Queues keep no strict order. A receiver takes a message when it has taken the one named by `after`. A request for a lock
goes from entity to entity: it carries along what each of them is to take first, in the order of who asked for the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from durable_ext.records.ids import is_entity
from durable_ext.records.instance import Preceding
from durable_ext.records.messages import Message, RequestLock
from durable_ext.replay.outbox import Owed, behind


class Order:
    """What came before what, for one execution."""

    def __init__(self) -> None:
        self._last: dict[str, Preceding] = {}  # by entity
        self._before: dict[str, Preceding] = {}  # by message id
        self._of_locks: dict[str, tuple[Preceding, ...]] = {}  # by the id of a request

    @property
    def is_trivial(self) -> bool:
        """Whether nothing came before anything."""
        return not self._before and not self._of_locks

    def enter(self, owed: Iterable[Owed]) -> None:
        """The next turn sends these. Turns come in order."""
        for entry in owed:
            if _is_ordered(entry):
                self._enter(entry.message)

    def apply(self, owed: Iterable[Owed]) -> Iterator[Owed]:
        """The same, each naming the one before it."""
        return map(self.place, owed)

    def place(self, entry: Owed) -> Owed:
        """The same, naming the one before it."""
        message = self._in_order(entry.message)
        return entry if message is entry.message else msgspec.structs.replace(entry, message=message)

    def _enter(self, message: Message) -> None:
        last = self._last.get(message.instance_id)
        if last is not None:
            self._before[message.id] = last
        if isinstance(message.body, RequestLock):
            later = [entity for entity in message.body.entities if entity != message.instance_id]
            before = tuple(self._last[entity] for entity in later if entity in self._last)
            if before:
                self._of_locks[message.id] = before
        self._last[message.instance_id] = Preceding(
            entity_id=message.instance_id, message_id=message.id, sent_at=message.sent_at
        )

    def _in_order(self, message: Message) -> Message:
        before, of_lock = self._before.get(message.id), self._of_locks.get(message.id)
        if before is not None:
            message = behind(message, before)
        if of_lock is not None and isinstance(message.body, RequestLock):
            message = msgspec.structs.replace(message, body=msgspec.structs.replace(message.body, after=of_lock))
        return message


def _is_ordered(entry: Owed) -> bool:
    """Signals for later come when they are due. A request for a lock that an entity passes on has its place in the
    order of who asked for the lock."""
    message = entry.message
    is_passed_on = isinstance(message.body, RequestLock) and entry.task_id is None
    return is_entity(message.instance_id) and message.due is None and not is_passed_on
