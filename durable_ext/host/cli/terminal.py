"""Text on its way to a terminal: what a terminal would obey is shown instead, for payloads hold whatever callers sent.

The escapes are those of JSON, so that JSON stays what it was.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

# Control characters, and those that change the direction of what stands around them. Tabs and line ends are text.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LINE = re.compile(rf"{_OBEYED.pattern}|[\t\n]")


def harmless(text: str) -> str:
    """The text with escapes in place of what a terminal would obey."""
    return _OBEYED.sub(_escape, text)


def one_line(text: str) -> str:
    """The same, for a value among others: its line ends are escaped too, so that it cannot look like several."""
    return _LINE.sub(_escape, text)


@contextmanager
def shielded() -> Generator[None]:
    """What is printed meanwhile goes to a terminal as `harmless` has it, and elsewhere as it is."""
    with ExitStack() as undo:
        if sys.stdout.isatty():
            undo.enter_context(redirect_stdout(cast("TextIO", _Shield(sys.stdout))))
        if sys.stderr.isatty():
            undo.enter_context(redirect_stderr(cast("TextIO", _Shield(sys.stderr))))
        yield


def unshielded_stderr() -> TextIO:
    """Standard error for who means to move a terminal's cursor."""
    stream: object = sys.stderr
    return stream.stream if isinstance(stream, _Shield) else sys.stderr


class _Shield:
    """A stream of text in front of a terminal's own."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(harmless(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
