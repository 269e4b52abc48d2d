"""Values of the query string: flags, numbers, dates and statuses. A value that is none is refused, never ignored.

An empty value counts as absent, because the Functions host drops it.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.ids import ENTITY_MARK
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.limits import MAX_PAGE

PAGE = 100
LONGEST_WAIT = timedelta(hours=1)

# Nothing is older, and stores cannot compare with much older times; clients send year 1 for "from the beginning".
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_STATUSES = {status.value.lower(): status for status in RuntimeStatus}


def flag(query: QueryParams, name: str, default: bool) -> bool:
    """A truth value, in any case. Raises InvalidInputError."""
    text = query.get(name, "")
    if not text:
        return default
    try:
        return _FLAGS[text.lower()]
    except KeyError as error:
        raise InvalidInputError(f"{name} is {text!r}; it takes true or false") from error


def page_size(query: QueryParams) -> int:
    """`top`: a whole number above zero, at most a page of the store. Raises InvalidInputError."""
    text = query.get("top", "")
    if not text:
        return PAGE
    if not (text.isascii() and text.isdigit()) or int(text[:9]) < 1:
        raise InvalidInputError(f"top is {text!r}; it takes a whole number above zero")
    return min(int(text[:9]), MAX_PAGE)


def waiting_time(query: QueryParams) -> timedelta | None:
    """`timeout`: how long to wait for completion; None: not at all. Raises InvalidInputError.

    `pollingInterval` is checked and has no further effect: the end of an instance is noticed without it.
    """
    timeout = _seconds(query, "timeout")
    interval = _seconds(query, "pollingInterval")
    if timeout is not None and interval is not None and interval > timeout:
        raise InvalidInputError("pollingInterval is above timeout; make it smaller")
    return timeout


def _seconds(query: QueryParams, name: str) -> timedelta | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError as error:
        raise InvalidInputError(f"{name} is {text!r}; it takes a number of seconds") from error
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_WAIT.total_seconds():
        raise InvalidInputError(f"{name} is {text!r}; it takes 0 to {LONGEST_WAIT.total_seconds():.0f} seconds")
    return timedelta(seconds=seconds)


def instance_filter(query: QueryParams) -> InstanceFilter:
    """Which instances are meant; entities only when the prefix is that of entities. Raises InvalidInputError."""
    prefix = query.get("instanceIdPrefix", "")
    return InstanceFilter(
        statuses=_statuses(query),
        created_from=time(query, "createdTimeFrom"),
        created_to=time(query, "createdTimeTo"),
        id_prefix=prefix,
        entities=prefix.startswith(ENTITY_MARK),
    )


def _statuses(query: QueryParams) -> frozenset[RuntimeStatus]:
    names = [name.strip() for text in query.getlist("runtimeStatus") for name in text.split(",")]
    unknown = [name for name in names if name and name.lower() not in _STATUSES]
    if unknown:
        known = ", ".join(status.value for status in RuntimeStatus)
        raise InvalidInputError(f"runtimeStatus has {unknown[0]!r}; the statuses are {known}")
    return frozenset(_STATUSES[name.lower()] for name in names if name)


def time(query: QueryParams, name: str) -> datetime | None:
    """A time; without an offset it is UTC. Raises InvalidInputError."""
    text = query.get(name, "").strip()
    if not text:
        return None
    if "T" in text:
        text = text.replace(" ", "+")  # a plus sign that the caller did not encode
    year, dash, rest = text.partition("-")
    try:
        # Python's strftime leaves out the zeros of years before 1000.
        found = datetime.fromisoformat(f"{year:0>4}{dash}{rest}")
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f"{name} is {text!r}; it takes a time like 2025-01-31T12:00:00Z") from error
    return max(found, _EARLIEST)
