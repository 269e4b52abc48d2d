"""Times as text that people can read and SQLite can compare: UTC, microseconds, always the same length."""

from __future__ import annotations

from datetime import UTC, datetime


def time_text(value: datetime) -> str:
    """An aware time as text."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def time_of(text: str) -> datetime:
    """The reverse."""
    return datetime.fromisoformat(text)
