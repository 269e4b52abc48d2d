"""Pages that end early where what they list is long: rows of a catalog, and events of a history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import Page
from durable_ext.records.instance import InstanceRow
from durable_ext.records.payloads import Payload

T = TypeVar("T")


async def fitting_page(
    query: Callable[[int], Awaitable[Page]], limit: int, size_of: Callable[[InstanceRow], int], most: int
) -> Page:
    """A page of at most `limit` rows that are together no longer than `most`, one row at least.

    Where the next page begins only the store can say, so a page that is too long is asked for again, shorter.
    """
    page = await query(limit)
    while (fitting := how_many_fit(page.rows, size_of, most)) < len(page.rows):
        page = await query(fitting)
    return page


def how_many_fit(items: Sequence[T], size_of: Callable[[T], int], most: int) -> int:
    """How many of the first items are together no longer than `most`; one at least, where there is one."""
    length = 0
    for number, item in enumerate(items):
        length += size_of(item)
        if number and length > most:
            return number
    return len(items)


def payload_size(payload: Payload | None) -> int:
    """Bytes of a payload, here or in its blob."""
    return 0 if payload is None else max(payload.size, len(payload.json))


def row_size(row: InstanceRow, *, with_input: bool) -> int:
    """Bytes of what a status shows of a row."""
    shown = (row.input if with_input else None, row.output, row.custom_status)
    return sum(map(payload_size, shown))


def event_size(event: Mapping[str, Any]) -> int:
    """Bytes of a history event, payloads that are to be loaded included."""
    return sum(payload_size(value) if isinstance(value, Payload) else len(str(value)) for value in event.values())


def place_of_event(execution_id: str, place: int) -> str:
    """Where a history goes on, as a token holds it."""
    return f"{place} {execution_id}"


def first_event(continuation: str | None, execution_id: str) -> int:
    """The place at which this part of a history begins. Raises InvalidInputError for one of another execution."""
    place, _, execution = (continuation or "").partition(" ")
    if continuation is None:
        return 0
    if execution != execution_id or not (place.isascii() and place.isdigit()):
        raise InvalidInputError("the history that this token goes on with is over; ask again without it")
    return int(place[:9])
