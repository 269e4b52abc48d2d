"""An event loop whose time passes at once: when nothing is left to do, it is the time of the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_START = datetime(2026, 1, 1, tzinfo=UTC)
_LONGEST_REAL_WAIT = 5.0


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for a timer it moves the time; for threads it waits really."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(_LONGEST_REAL_WAIT if self.threads else 0)
        if not events and timeout is None:
            raise RuntimeError("nothing is left that could wake anybody")
        if not events and timeout and not self.threads:
            self.time += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """`clock` is the loop's time as a date."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.time

    def clock(self) -> datetime:
        return _START + timedelta(seconds=self._virtual.time)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._virtual.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._virtual.threads -= 1
