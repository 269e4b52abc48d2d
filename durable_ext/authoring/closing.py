"""Ends code of the app that was thrown away, or that would go on for ever.

Code that catches everything in a loop catches what is to end it as well: `while True: try: ... except: pass`. Closing
it once more does not help, and each verb that is refused is caught like the rest. But a handler catches nothing that
is raised in itself: so the knife raises once more at the next line, which is in the handler, or behind it.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import sys
from collections import Counter
from itertools import takewhile
from types import FrameType
from typing import Any

from durable_ext.authoring.places import frame_of, is_the_users, outwards, waiting
from durable_ext.errors import EndlessTurnError
from durable_ext.records.parting import Place

# So often code may await something in its cleanup, as TaskGroup does, and may call a verb that is refused to it.
_MOST_CLOSES = 10
_MOST_REFUSALS = 100
# Coroutines that wait for one another; Python allows as many.
_MOST_LINKS = 1_000


LEFT_BEHIND = "code that was thrown away goes on whenever it is closed; it is left behind and keeps its memory"


class CutError(BaseException):
    """Raised by the knife. Nobody outside of this room meets it, unless as the end of code that had to be cut."""


class Knife:
    """Raises at one of the next lines of the user's code that are run. One for one execution."""

    def __init__(self) -> None:
        self._refusals = 0
        self._drawn = False
        self._draws = 0
        self._passes = 0  # so many lines before it raises
        self._marked: list[FrameType] = []
        self._tracer: Any = None  # a debugger's, for example

    def refused(self) -> None:
        """A verb is about to raise into the code that called it. The knife is drawn when that keeps happening."""
        self._refusals += 1
        if self._refusals > _MOST_REFUSALS:
            self.draw(*takewhile(_is_inside, outwards(inspect.currentframe())))

    def draw(self, *frames: FrameType | None) -> None:
        """Have a line of these frames raise, of those that are the user's."""
        self._draws += 1
        self._passes = self._draws % _MOST_CLOSES
        if not self._drawn:
            self._drawn, self._tracer = True, sys.gettrace()
        for frame in frames:
            if frame is not None and is_the_users(frame):
                frame.f_trace = self._cut
                self._marked.append(frame)
        sys.settrace(_watch_nothing)

    def put_away(self) -> None:
        """Raise no more; whoever traced this thread does so again."""
        if self._drawn:
            self._drawn = False
            for frame in self._marked:
                frame.f_trace = None
            self._marked.clear()
            sys.settrace(self._tracer)

    def _cut(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        # Python stops tracing once this has raised.
        if event == "line":
            self._passes -= 1
            if self._passes <= 0:
                raise CutError
        return self._cut


def endless(place: Place | None, what: str) -> EndlessTurnError:
    """The error for code that does not come to an end."""
    where = "" if place is None else f", at {place}"
    return EndlessTurnError(
        f"the code of this turn does not come to an end: it {what}{where}. Code waits by awaiting a call, a timer or "
        "an event of its context; a loop that catches everything has to leave when nothing gets better"
    )


def close(body: Any, knife: Knife) -> bool:
    """Close a coroutine or a generator, and what it waits for, whatever its code does about it.

    From the inside: closed from the outside, one that awaits in its cleanup would be left to whoever frees it. False:
    something still waits. It is left behind and lives as long as the process, because its code would run again when
    Python frees it. The caller puts the knife away.
    """
    attempts: Counter[int] = Counter()
    for _ in range(_MOST_LINKS):
        link = next(iter(reversed(list(waiting(body)))), None)
        if link is None:
            return True
        attempts[id(link)] += 1
        if attempts[id(link)] > _MOST_CLOSES:
            knife.draw(frame_of(link))
        if _is_closed_by(link):
            del attempts[id(link)]
        elif attempts[id(link)] > 2 * _MOST_CLOSES:
            break
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(body))
    return False


def _is_closed_by(body: Any) -> bool:
    try:
        body.close()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - code thrown away has no say any more
        del error
    return frame_of(body) is None


def _is_inside(frame: FrameType) -> bool:
    """Whether a frame belongs to the code that is run, or closed, and not to who does that."""
    return frame.f_code is not asyncio.Handle._run.__code__ and frame.f_code is not _is_closed_by.__code__


def _watch_nothing(_frame: FrameType, _event: str, _argument: Any) -> None:
    return None
