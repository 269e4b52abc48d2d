"""Where the user's code is: the line that frames, and what waits for one another, have come to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from durable_ext.records.parting import Place

_NOT_THE_USERS = sys.stdlib_module_names | {"durable_ext"}
_LOCALS = ".<locals>."
# What coroutines, generators and async generators call their frame, and what they wait for.
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


def innermost(frames: Iterable[FrameType]) -> Place | None:
    """The line of the first frame that is the user's; code of an installed package counts when there is no other."""
    installed: Place | None = None
    for frame in frames:
        if is_the_users(frame):
            if "site-packages" not in frame.f_code.co_filename:
                return place(frame, frame.f_lineno)
            installed = installed or place(frame, frame.f_lineno)
    return installed


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it, from the inside out."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def waiting(body: Any) -> Iterator[Any]:
    """A coroutine or generator and what it waits for, from the outside in: all that have not ended."""
    while body is not None:
        if frame_of(body) is not None:
            yield body
        body = next((getattr(body, name) for name in _AWAITED if hasattr(body, name)), None)


def waiting_place(body: Any) -> Place | None:
    """The line of the user's code at which a coroutine or generator waits."""
    return innermost(reversed([frame for one in waiting(body) if (frame := frame_of(one)) is not None]))


def frame_of(body: Any) -> FrameType | None:
    """The frame of a coroutine or generator; None when it has ended."""
    return next((getattr(body, name) for name in _FRAMES if hasattr(body, name)), None)


def is_the_users(frame: FrameType) -> bool:
    """Whether a frame is neither Python's nor ours."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _NOT_THE_USERS


def place(frame: FrameType, line: int) -> Place:
    """A line of a frame's code."""
    return Place(frame.f_code.co_filename, line, function_of(frame.f_code.co_qualname))


def function_of(qualified: str) -> str:
    """The function a frame belongs to: a comprehension is part of the function around it."""
    named = [part for part in qualified.split(_LOCALS) if not part.startswith("<")]
    return named[-1] if named else qualified
