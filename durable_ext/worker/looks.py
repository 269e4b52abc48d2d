"""When the janitor reads the history of an instance at rest: soon after its last turn, then ever less often.

Reading a row costs next to nothing, a page has two hundred; reading a history is a call. So the janitor remembers what
it read, in memory: of an instance that rests nothing new is to be learnt, until a row with a newer turn comes by.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

from durable_ext.records.instance import InstanceRow

# What a session writes last is its row: it is at work no more when the row is this old, or died of it.
AT_REST = timedelta(minutes=1)
_LONGEST_GAP = timedelta(hours=1)
# Of more instances than that the janitor forgets when it looked at them, and looks early.
_MOST_REMEMBERED = 50_000


# When the row was written, and whether the instance was stuck.
_State: TypeAlias = tuple[datetime, bool]


class Looks:
    """One per janitor."""

    def __init__(self) -> None:
        self._next: dict[str, tuple[_State, datetime]] = {}

    def is_due(self, row: InstanceRow, now: datetime) -> bool:
        """Whether its history is to be read now."""
        if now - row.updated_at < AT_REST:
            return False
        written, due = self._next.get(row.instance_id, (None, now))
        return written != _state_of(row) or now >= due

    def looked(self, row: InstanceRow, now: datetime, by: datetime | None) -> None:
        """It was read, and is again once it has rested for twice as long: an hour later at the latest, and by `by`."""
        due = now + min(max(now - row.updated_at, AT_REST), _LONGEST_GAP)
        if by is not None:
            due = min(due, max(by, now))
        if len(self._next) >= _MOST_REMEMBERED and row.instance_id not in self._next:
            self._next.clear()
        self._next[row.instance_id] = _state_of(row), due


def _state_of(row: InstanceRow) -> _State:
    return row.updated_at, row.stuck is not None
