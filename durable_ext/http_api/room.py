"""Room for the bytes of requests and answers: however many callers there are, together they get no more than this.

A request that finds no room is refused, and what it held is free for others, so that some of them always end.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from durable_ext.http_api.refusals import Refusal


class Room:
    """Bytes that all requests of one app may hold at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._held

    @contextmanager
    def share(self) -> Generator[Share]:
        """What one request holds; free again when the request is over."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held -= share.size

    def take(self, share: Share, size: int, *, always: bool) -> None:
        """Give a share more. Raises Refusal 503 when others hold the rest; who is alone gets all that it needs."""
        others = self._held - share.size
        if not always and others > 0 and self._held + size > self._most:
            raise Refusal(503, "busy", "too many large requests are under way; send it again later")
        self._held += size
        share.size += size


class Share:
    """Bytes that one request holds."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def take(self, size: int) -> None:
        """Hold more. Raises Refusal 503 when there is no room."""
        self._room.take(self, size, always=False)

    def keep(self, size: int) -> None:
        """Hold more that is there already and cannot be refused any longer."""
        self._room.take(self, size, always=True)
