"""A thread that sees when code of the app blocks the event loop: it says so, and ends the process when that lasts.

While the loop is blocked nothing else goes on in the process: no lease is renewed, no other instance has a turn, and a
restart begins with the same code. So the watchdog leaves a note of who it was before it ends the process; once there
are enough of them, that code is not run any more (stalls.py).

Each second it asks the loop for a sign of life. It counts the seconds it sees itself: while the whole process was
stopped, nobody was blocked. Code that keeps even threads from running (a regular expression can) gets a signal, where
there are any, whose handler lets them.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import FrameType

from durable_ext.authoring.places import innermost, outwards
from durable_ext.providers.contract import Provider
from durable_ext.records.stall import Stall, journal_of
from durable_ext.worker.client import utc_now
from durable_ext.worker.culprits import culprit_of, is_being_debugged

logger = logging.getLogger("durable_ext.watchdog")

# What a process ends with whose event loop was blocked for too long.
EXIT_CODE = 8
_TICK = 1.0
_NOTICED_AFTER = 1.0
# Threads that are kept from running this long are let run by a signal.
_STARVED_AFTER = 3.0
# The same place is reported once in this time.
_SAID_AGAIN = 300.0
_MOST_PLACES = 100
# How long the last words may take, note and log together, before the process ends without them.
_LAST_WORDS = 15.0

# Opens the store once more, for the thread: the one of the loop is of no use while that is blocked.
OpenStore = Callable[[], Provider]


class Watchdog:
    """Watches the loop it is started on, until it is stopped or the loop is closed."""

    def __init__(
        self,
        process_id: str,
        limit: timedelta,
        open_store: OpenStore | None,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._process_id = process_id
        self._limit = limit.total_seconds()
        self._open_store = open_store
        self._end = end
        self._stopped = threading.Event()
        self._thread_id = 0
        self._answered = True
        self._blocked = self._looked_at = self._worked = 0.0
        self._said: dict[str, float] = {}
        self._signals = False

    def start(self) -> None:
        """Watch the running loop."""
        self._thread_id = threading.get_ident()
        self._signals = _take_signal()
        self._arm()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, args=(loop,), name="durable-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more. Repeatable."""
        self._stopped.set()
        if self._signals:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looked_at, self._worked = time.monotonic(), time.process_time()
        while not self._stopped.wait(_TICK):
            self._arm()
            passed = self.passed()
            if self._answered:
                self._blocked, self._answered = 0.0, False
                try:
                    loop.call_soon_threadsafe(self._answer)
                except RuntimeError:  # the loop is closed
                    self.stop()
            else:
                self._blocked += passed
                self._look()

    def passed(self) -> float:
        """Seconds since the last look. One that is late without any work done saw the process stopped, or without a
        processor: that blocks nobody."""
        now, work = time.monotonic(), time.process_time()
        passed = min(now - self._looked_at, max(_TICK, work - self._worked))
        self._looked_at, self._worked = now, work
        return passed

    def _arm(self) -> None:
        if self._signals:
            signal.setitimer(signal.ITIMER_REAL, _STARVED_AFTER)

    def _answer(self) -> None:
        self._answered = True

    def _look(self) -> None:
        if self._blocked < _NOTICED_AFTER:
            return
        current = sys._current_frames()  # pyright: ignore[reportPrivateUsage] - the documented way to another thread
        frames = list(outwards(current.get(self._thread_id)))
        if self._answered:  # meanwhile
            return
        ends = bool(self._limit) and self._blocked >= self._limit and not _is_debugged(frames)
        culprit = culprit_of(frames)
        if ends:
            faulthandler.dump_traceback_later(_LAST_WORDS, exit=True)
            self._leave_note(culprit)
        self._say(frames, culprit, ends=ends)
        if ends:
            for handler in logging.getLogger().handlers:
                handler.flush()
            self._end(EXIT_CODE)

    def _say(self, frames: Sequence[FrameType], culprit: Stall | None, *, ends: bool) -> None:
        place, now = str(innermost(frames) or ""), time.monotonic()
        if not ends and now - self._said.get(place, -_SAID_AGAIN) < _SAID_AGAIN:
            return
        if len(self._said) >= _MOST_PLACES:
            self._said.clear()
        self._said[place] = now
        instance_id = "" if culprit is None else culprit.instance_id
        logger.log(
            logging.CRITICAL if ends else logging.WARNING,
            "instance %s: %s has blocked the event loop for %.0f s%s; nothing else goes on in this process. %s\n%s",
            instance_id or "unknown",
            "code that the engine did not call" if culprit is None else culprit.name,
            self._blocked,
            f", at {place}" if place else "",
            f"The process ends with exit code {EXIT_CODE} (DURABLE_STALL_LIMIT)"
            if ends
            else "Do what blocks in an activity that is a plain function",
            "".join(traceback.format_list(_summary(frames))).rstrip(),
            extra={"instance_id": instance_id},
        )

    def _leave_note(self, culprit: Stall | None) -> None:
        """Let whoever runs this instance next know. Whatever goes wrong, the process ends."""
        if culprit is None or self._open_store is None:
            return
        try:
            asyncio.run(self._write(culprit, self._open_store))
        except Exception as error:  # noqa: BLE001 - the process ends, and the next attempt counts all the same
            logger.error("instance %s: no note could be left: %s", culprit.instance_id, error)

    async def _write(self, culprit: Stall, open_store: OpenStore) -> None:
        async with asyncio.timeout(_LAST_WORDS / 2):
            store = open_store()
            try:
                await store.write_journal(journal_of(culprit, self._process_id, utc_now()))
            finally:
                await store.close()


def _summary(frames: Sequence[FrameType]) -> traceback.StackSummary:
    return traceback.StackSummary.extract(((frame, frame.f_lineno) for frame in reversed(frames)), limit=-40)


def _is_debugged(frames: Sequence[FrameType]) -> bool:
    return "pydevd" in sys.modules or is_being_debugged(frames)


def _take_signal() -> bool:
    """Have a signal let other threads run, unless somebody uses it already. False: there is none."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGALRM) not in (signal.SIG_DFL, _let_others_run):
        return False
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGALRM, _let_others_run)
        return True
    return False


def _let_others_run(_number: int, _frame: FrameType | None) -> None:
    # Sleeping lets go of the lock that all threads need.
    time.sleep(_TICK / 10)
