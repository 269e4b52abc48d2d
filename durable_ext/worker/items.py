"""One message of a delivery until it is dealt with. A delivery is complete when all its items are (S7)."""

from __future__ import annotations

import asyncio

from durable_ext.errors import LeaseLostError
from durable_ext.records.messages import Message


class Item:
    """A message and the promise to deal with it.

    `repeated`: it may have been here before, look it up (P7). `came_back`: another process may have it still.
    `queue`: where it came from, empty for this process.
    `attempt`: how often it has been taken from there, this time included.
    """

    __slots__ = ("_twins", "attempt", "came_back", "done", "message", "queue", "repeated")

    def __init__(self, message: Message, *, repeated: bool = False, queue: str = "", attempt: int = 1) -> None:
        self.message = message
        self.queue = queue
        self.attempt = attempt
        self.came_back = message.resent or attempt > 1
        self.repeated = repeated or self.came_back
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._twins: list[Item] = []

    def share_fate(self, twin: Item) -> None:
        """Another delivery of this message: dealt with when this one is."""
        if self.done.done():
            twin._follow(self.done)
        else:
            self._twins.append(twin)
            self.done.add_done_callback(twin._follow)

    def _follow(self, done: asyncio.Future[None]) -> None:
        """What `settle` and `fail` do at once, and what cancelling does."""
        if done.cancelled():
            self.fail(LeaseLostError(f"message {self.message.id}: the delivery that was being dealt with is lost"))
        elif (error := done.exception()) is not None:
            self.fail(error)
        else:
            self.settle()

    def settle(self) -> None:
        """Dealt with: its delivery may be completed."""
        if not self.done.done():
            self.done.set_result(None)
            for twin in self._twins:
                twin.settle()

    def fail(self, error: BaseException) -> None:
        """Not dealt with: its delivery is to be abandoned and comes back."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # seen, whether or not anybody awaits it
            for twin in self._twins:
                twin.fail(error)
