"""The first of what a command lists, and a word to people when there are more."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TypeVar

from durable_ext.errors import InvalidInputError

T = TypeVar("T")


async def first_of(listing: AsyncIterator[T], top: int) -> tuple[list[T], bool]:
    """At most `top` of a listing, and whether there are more. Raises InvalidInputError for less than one."""
    if top < 1:
        raise InvalidInputError("--top is at least 1")
    found: list[T] = []
    async for one in listing:
        if len(found) == top:
            return found, True
        found.append(one)
    return found, False


def tell_of_more(top: int) -> None:
    """Say that the listing is not whole, where it is in nobody's way."""
    print(f"there are more than {top}; ask for more with --top", file=sys.stderr)
