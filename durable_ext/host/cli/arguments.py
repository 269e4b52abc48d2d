"""What words on the command line stand for: statuses, times, durations, tags. A wrong one is a wrong command line."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from durable_ext.records.given import as_utc
from durable_ext.records.instance import TERMINAL, RuntimeStatus

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PART = r"(\d+(?:\.\d+)?)([smhdw])"
_DURATION = re.compile(f"(?:{_PART})+")
_SETS = {"any": frozenset(RuntimeStatus), "none": frozenset[RuntimeStatus](), "ended": TERMINAL}


def status(text: str) -> RuntimeStatus:
    """A status, in capitals or not."""
    for one in RuntimeStatus:
        if one.value.lower() == text.lower():
            return one
    raise ArgumentTypeError(f"{text!r} is no status")


def statuses(text: str) -> frozenset[RuntimeStatus]:
    """A status, or `any`, `none` or `ended`."""
    found = _SETS.get(text.lower())
    return frozenset({status(text)}) if found is None else found


def time(text: str) -> datetime:
    """A time in ISO 8601, in UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time; write it as 2030-01-31T12:00:00Z") from error
    return as_utc(found)


def duration(text: str) -> timedelta:
    """`90`, `90s`, `1.5h`, `1d12h`: seconds without a unit."""
    try:
        if re.fullmatch(r"\d+(?:\.\d+)?", text):
            return timedelta(seconds=float(text))
        if _DURATION.fullmatch(text):
            return sum(
                (timedelta(**{_UNITS[unit]: float(number)}) for number, unit in re.findall(_PART, text)), timedelta(0)
            )
    except OverflowError as error:
        raise ArgumentTypeError(f"{text!r} is too long") from error
    raise ArgumentTypeError(f"{text!r} is no duration; write it as 90s, 15m, 2h, 7d or 1d12h")


def tag(text: str) -> tuple[str, str]:
    """A tag of an instance: key and value."""
    key, found, value = text.partition("=")
    if not found or not key:
        raise ArgumentTypeError(f"{text!r} is no tag; write it as KEY=VALUE")
    return key, value
