"""Code that ended its process too often is not run again: it fails, as an ordinary outcome (P11).

The watchdog leaves a note before it ends a process. Nobody asks for notes on the way of what goes well: only when
something may have run before, because its message comes again or its history is loaded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from durable_ext.errors import EndlessTurnError
from durable_ext.records.stall import Stall

# Fewer than the attempts of a message: what was held beside it, and lost its process as often, goes on.
MOST_STALLS = 3

# Reads the notes, unless that was done within so long.
Look = Callable[[timedelta], Awaitable[Sequence[Stall]]]


class Stalls:
    """What the notes of this hub say."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._known: Sequence[Stall] = ()

    async def look(self, age: timedelta) -> None:
        """Read the notes, unless that was done within `age`. Raises StorageError."""
        self._known = await self._look(age)

    def refusal(self, instance_id: str, execution_id: str, work: str = "") -> EndlessTurnError | None:
        """Why code is not run any more; None when it is."""
        if not self._known:
            return None
        wanted = (instance_id, execution_id, work)
        found = [stall for stall in self._known if (stall.instance_id, stall.execution_id, stall.work) == wanted]
        if len(found) < MOST_STALLS:
            return None
        place = next((f", at {stall.place}" for stall in found if stall.place), "")
        return EndlessTurnError(
            f"{found[-1].name} has blocked the event loop until its process was ended, {len(found)} times{place}; it "
            "is not run again. Do what blocks in an activity that is a plain function, which runs in a thread"
        )
