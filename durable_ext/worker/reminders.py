"""When something was last sent again, so that it is sent again ever less often. Kept in memory, for one janitor."""

from __future__ import annotations

from datetime import datetime, timedelta

_LONGEST_GAP = timedelta(hours=1)
# So many are remembered, at the least, before those are forgotten that nobody has missed for long.
_LEAST_REMEMBERED = 1000


class Reminders:
    """`gap` is the first pause; each further one is twice as long, up to an hour or the first."""

    def __init__(self, gap: timedelta) -> None:
        self._gap = gap
        self._longest = max(gap, _LONGEST_GAP)
        self._sent: dict[str, tuple[datetime, timedelta, int]] = {}
        self._most = _LEAST_REMEMBERED

    def is_due(self, key: str, now: datetime) -> bool:
        """Whether it may be sent again by now."""
        at, gap, _ = self._sent.get(key, (None, self._gap, 0))
        return at is None or now - at >= gap

    def next(self, key: str, now: datetime) -> datetime:
        """When it may be sent again: now, or later."""
        at, gap, _ = self._sent.get(key, (now, timedelta(0), 0))
        return max(at + gap, now)

    def times(self, key: str) -> int:
        """How often it was sent again, as far as is remembered."""
        return 0 if key not in self._sent else self._sent[key][2]

    def sent(self, key: str, now: datetime) -> None:
        """Note that it was sent again."""
        _, gap, times = self._sent.get(key, (None, self._gap / 2, 0))
        self._sent[key] = now, min(gap * 2, self._longest), times + 1
        if len(self._sent) > self._most:
            self._sent = {known: entry for known, entry in self._sent.items() if now - entry[0] < 2 * self._longest}
            # Where more are missed than that, looking through all of them for each would cost more than they do.
            self._most = max(_LEAST_REMEMBERED, 2 * len(self._sent))
