"""The event loop of a harness: virtual time that stands still until somebody lets it pass.

It runs from plain code and from inside another loop alike: that one pauses meanwhile, as an orchestrator's loop lets
the worker's loop pause.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from asyncio import events, tasks
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from durable_ext.testing.virtual_time import START, VirtualTimeLoop

T = TypeVar("T")
_Ready = list[tuple[selectors.SelectorKey, int]]
_Select = Callable[[float | None], _Ready]

# Sums of seconds end just beside one another: timers this close together are due at the same moment.
_SAME_MOMENT = 5e-7
_MICROSECONDS = 1_000_000
_NOISE = 1e-3


class HarnessLoop(VirtualTimeLoop):
    """At rest: nothing is ready, nothing outside is awaited, and only time would bring something about."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__(start)
        self._at_rest: asyncio.Future[None] | None = None
        self._moves = 0

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end, whatever loop runs outside. Raises what it raises."""
        with _alone():
            return self.run_until_complete(work)

    async def rest(self) -> None:
        """Return once everything that can happen at this moment has happened."""
        await self._until_rest(0)

    async def move(self) -> None:
        """Let time pass up to the next timer, and return once everything that can happen then has happened."""
        await self._until_rest(1)

    def _whole(self, seconds: float) -> int:
        # What is above a whole microsecond by less than a nanosecond is noise of the sum, and would add up.
        noise = max(_NOISE, self._blur * _MICROSECONDS)
        return self._passed + math.ceil(seconds * _MICROSECONDS - noise)

    async def _until_rest(self, moves: int) -> None:
        self._at_rest, self._moves = self.create_future(), moves
        await self._at_rest

    def _wait(self, select: _Select, timeout: float | None, open_files: int) -> _Ready:
        waiting = self._at_rest
        if waiting is None or waiting.done() or self._is_awaited or (timeout is not None and timeout <= _SAME_MOMENT):
            return super()._wait(select, timeout, open_files)
        if self._moves and timeout is not None:
            self._moves -= 1
            return super()._wait(select, timeout, open_files)
        waiting.set_result(None)
        return []


@contextmanager
def _alone() -> Generator[None]:
    """Let the loop that runs here, if one does, pause."""
    outer = events._get_running_loop()
    current = None if outer is None else tasks.current_task(outer)
    if outer is not None and current is not None:
        tasks._leave_task(outer, current)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(outer)
        if outer is not None and current is not None:
            tasks._enter_task(outer, current)
