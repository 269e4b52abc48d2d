"""A deliberate break, as data."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """`was` stands in `file` once, and becomes `now`; one of `tests` (arguments of pytest) has to fail."""

    rule: str
    what: str
    file: str
    was: str
    now: str
    tests: tuple[str, ...]
