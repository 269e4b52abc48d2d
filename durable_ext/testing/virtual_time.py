"""Virtual time: an event loop that jumps to its next timer instead of waiting for it.

A test of hours runs in milliseconds, and two runs are alike. Time stands still while something outside the loop may
still report: a call in an executor is waited for, and with sockets open time passes as on the wall. When nothing is
ready, no timer is set and nothing outside is awaited, the loop raises instead of hanging.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")
_Ready = list[tuple[selectors.SelectorKey, int]]
_Select = Callable[[float | None], _Ready]

START = datetime(2030, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000
# How exact asyncio takes timers, and by how many of the last digits of a float (ulp) a sum of seconds may be off.
_NANOSECOND = 1e-9
_ULPS_OFF = 3
# What asyncio.run_coroutine_threadsafe puts on the loop.
_FROM_THREAD = "run_coroutine_threadsafe."
# The pipe by which other threads wake the loop.
_OWN_FILES = 1


class DeadlockError(RuntimeError):
    """Every task waits for another one, and nothing will ever happen. The message names the tasks."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The event loop. `time()` counts virtual seconds from 0; `now()` is the clock, `start` and what has passed since.

    Threads that report to the loop must be started with `run_in_executor` (or `asyncio.to_thread`): of others it does
    not know.
    """

    def __init__(self, start: datetime = START) -> None:
        super().__init__(_Selector(self._wait))
        self._start = start
        self._now = start
        # Whole microseconds, as datetime has them: a wait until some time never ends just short of it.
        self._passed = 0
        self._clock_resolution = _NANOSECOND
        self._outside = 0
        self._lending = False

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._passed / _MICROSECONDS

    def now(self) -> datetime:
        """Aware virtual time, UTC."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """As any loop does; time stands still until the call is over."""
        future = super().run_in_executor(executor, func, *args)
        self._outside += 1
        future.add_done_callback(self._came_back)
        return future

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        """As any loop does."""
        if getattr(callback, "__qualname__", "").startswith(_FROM_THREAD):
            callback = partial(self._lend, callback)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As any loop does. While a thread waits for a task it began here, it is this loop's turn, not the thread's."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        if self._lending:
            self._outside -= 1
            task.add_done_callback(self._handed_back)
        return task

    def _lend(self, begin: Callable[..., object], *args: Any) -> None:
        self._lending = self._outside > 0
        try:
            begin(*args)
        finally:
            self._lending = False

    def _handed_back(self, _task: asyncio.Task[Any]) -> None:
        self._outside += 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the loop's own signature
        """As any loop does. Its thread is not in an executor, so it is counted here."""
        self._outside += 1
        try:
            if sys.version_info >= (3, 12):
                await super().shutdown_default_executor(timeout)
            else:
                await super().shutdown_default_executor()
        finally:
            self._outside -= 1

    @property
    def _is_awaited(self) -> bool:
        """Whether something outside the loop is under way."""
        return self._outside > 0

    def _came_back(self, _future: asyncio.Future[Any]) -> None:
        self._outside -= 1

    def _wait(self, select: _Select, timeout: float | None, open_files: int) -> _Ready:
        """Nothing is ready: wait really while something outside can become ready, else jump."""
        if self._outside:
            return select(None)
        if open_files > _OWN_FILES:
            before = monotonic()
            ready = select(timeout)
            self._pass(monotonic() - before)
            return ready
        if timeout is None:
            raise DeadlockError(f"nothing is ready and no timer is set; waiting: {_names(self)}")
        self._pass(timeout)
        return []

    def _pass(self, seconds: float) -> None:
        self._passed = max(self._passed + 1, self._whole(seconds))
        self._now = self._start + timedelta(microseconds=self._passed)
        # After some months floats are coarser than a nanosecond: a timer due just now would be due at no time at all.
        self._clock_resolution = max(_NANOSECOND, self._blur)

    def _whole(self, seconds: float) -> int:
        """What has passed so many seconds from now, in whole microseconds."""
        return math.ceil((self.time() + seconds) * _MICROSECONDS)

    @property
    def _blur(self) -> float:
        """By how many seconds sums of seconds may be off by now."""
        return _ULPS_OFF * math.ulp(self.time())


class _Selector(selectors.DefaultSelector):
    """Asks the loop before it waits."""

    def __init__(self, wait: Callable[[_Select, float | None, int], _Ready]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> _Ready:
        if timeout == 0 and len(self.get_map()) <= _OWN_FILES:
            return []  # what other threads have put on the loop is there already; their byte in the pipe can wait
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        return self._wait(super().select, timeout, len(self.get_map()))


class VirtualClock:
    """The time of a virtual loop, as the Clock that workers and providers take."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def __call__(self) -> datetime:
        return self._loop.now()

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass; what is due meanwhile happens."""
        await asyncio.sleep(seconds)


def run(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], *, start: datetime = START) -> T:
    """Run `main(clock)` to its end in virtual time that begins at `start`. Raises DeadlockError when it never ends."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start)) as runner:
        loop = runner.get_loop()
        if not isinstance(loop, VirtualTimeLoop):
            raise TypeError("the runner did not use the loop it was given")
        return runner.run(main(VirtualClock(loop)))


def _names(loop: asyncio.AbstractEventLoop) -> str:
    return ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(loop)))
