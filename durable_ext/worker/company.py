"""Which messages of an instance are dealt with together, so that one that fails them all is told from the rest (P11).

Messages that are there at the same time take part in the same turn, and fail with it, whichever of them is the cause.
So a message that failed in company is tried once more by itself before it is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Presence:
    """One message while it is dealt with. `accompanied`: another of its instance was there meanwhile."""

    __slots__ = ("accompanied",)

    def __init__(self, *, accompanied: bool) -> None:
        self.accompanied = accompanied


class _Instance:
    def __init__(self) -> None:
        self.present: set[Presence] = set()
        self.turn = asyncio.Lock()


class Company:
    """The messages in hand, by instance."""

    def __init__(self) -> None:
        self._instances: dict[str, _Instance] = {}

    @contextmanager
    def present(self, instance_id: str) -> Generator[Presence]:
        """While inside, a message of the instance is in hand."""
        instance = self._instances.setdefault(instance_id, _Instance())
        presence = Presence(accompanied=bool(instance.present))
        for other in instance.present:
            other.accompanied = True
        instance.present.add(presence)
        try:
            yield presence
        finally:
            instance.present.discard(presence)
            if not instance.present:
                del self._instances[instance_id]

    def one_by_one(self, instance_id: str) -> asyncio.Lock:
        """Held while a message in hand is tried by itself: of those that failed together, one at a time."""
        return self._instances[instance_id].turn
