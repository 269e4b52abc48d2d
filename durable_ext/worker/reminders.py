"""When something was last sent again, so that it is sent again ever less often. Kept in memory, for one janitor."""

from __future__ import annotations

from datetime import datetime, timedelta

_LONGEST_GAP = timedelta(hours=1)


class Reminders:
    """`gap` is the first pause; each further one is twice as long, up to an hour or the first."""

    def __init__(self, gap: timedelta) -> None:
        self._gap = gap
        self._longest = max(gap, _LONGEST_GAP)
        self._sent: dict[str, tuple[datetime, timedelta]] = {}

    def is_due(self, key: str, now: datetime) -> bool:
        """Whether it may be sent again by now."""
        at, gap = self._sent.get(key, (None, self._gap))
        return at is None or now - at >= gap

    def sent(self, key: str, now: datetime) -> None:
        """Note that it was sent again."""
        self._sent = {known: entry for known, entry in self._sent.items() if now - entry[0] < 2 * self._longest}
        _, gap = self._sent.get(key, (None, self._gap / 2))
        self._sent[key] = now, min(gap * 2, self._longest)
