"""Where the code of an orchestration and its history part: what a NonDeterminismError knows, as data (R3)."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True, rename="camel"):
    """A line of somebody's code: the file as Python names it, the line, and the function around it."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, in {self.function}"


class Parting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The first difference between a history and what the code does when it is replayed.

    `turn` and `event` count from 0; `event` is the place within the turn. `expected` is what history has there,
    `actual` what the code asked for, each as `TaskScheduled(1, charge)` or "nothing at this point". `source` is the
    line of the user's code that asked, or the one where the code waits or has ended; None when no such line is known.
    """

    instance_id: str
    execution_id: str
    turn: int
    event: int
    expected: str
    actual: str
    source: Place | None = None
