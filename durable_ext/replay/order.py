"""The order of what one execution sends to one entity: each message names the one before it.

Queues keep no strict order. A receiver takes a message when it has taken the one named by `after`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from durable_ext.records.ids import is_entity
from durable_ext.records.messages import Message
from durable_ext.replay.outbox import Owed


class Order:
    """What came before what, for one execution."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}  # message ids by entity
        self._before: dict[str, str] = {}

    @property
    def is_trivial(self) -> bool:
        """Whether nothing came before anything."""
        return not self._before

    def enter(self, owed: Iterable[Owed]) -> None:
        """The next turn sends these. Turns come in order."""
        for entry in owed:
            message = entry.message
            if _is_ordered(message):
                last = self._last.get(message.instance_id)
                if last is not None:
                    self._before[message.id] = last
                self._last[message.instance_id] = message.id

    def apply(self, owed: Iterable[Owed]) -> Iterator[Owed]:
        """The same, each naming the one before it."""
        for entry in owed:
            before = self._before.get(entry.message.id)
            if before is None:
                yield entry
            else:
                yield msgspec.structs.replace(entry, message=msgspec.structs.replace(entry.message, after=before))


def _is_ordered(message: Message) -> bool:
    """Signals for later come when they are due."""
    return is_entity(message.instance_id) and message.due is None
