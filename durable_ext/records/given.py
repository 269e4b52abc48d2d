"""What people hand over beside values: times, tags, reasons, versions. Checked at the call, because a record of the
wrong type can be written and never be read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from durable_ext.errors import InvalidInputError


def as_utc(time: datetime) -> datetime:
    """The time with a zone; one without is UTC. Raises InvalidInputError for what is no datetime."""
    if not isinstance(cast("object", time), datetime):
        raise InvalidInputError(f"a time is a datetime, not of type {type(time).__qualname__}")
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def check_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """The tags as a dict, empty for None. Raises InvalidInputError for a key or a value that is no text."""
    if not tags:
        return {}
    found = dict(tags)
    for part in (*found.keys(), *found.values()):
        _check_text("a key or a value of tags", part)
    return found


def check_reason(reason: str | None) -> str:
    """The reason, empty for None. Raises InvalidInputError for what is no text."""
    return "" if reason is None else _check_text("the reason", reason)


def check_version(version: str | None) -> str | None:
    """The version itself. Raises InvalidInputError for what is no text."""
    return None if version is None else _check_text("the version", version)


def _check_text(what: str, text: str) -> str:
    if not isinstance(cast("object", text), str):
        raise InvalidInputError(f"{what} is a text, not of type {type(text).__qualname__}")
    return text
