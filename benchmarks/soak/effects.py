"""What activities did, written down where a killed process loses nothing: one line a begin and an end, in one write."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# What the app of the soak reads from its environment: where to write, and the schedule of an extra janitor.
FOLDER = "SOAK_EFFECTS"
TIDY = "SOAK_TIDY"

BEGIN = "begin"
END = "end"


class Effect(NamedTuple):
    """An activity began or ended under its idempotency key, in a process, at a time (seconds since the epoch)."""

    key: str
    process_id: int
    time: float
    what: str


class Notes:
    """The file of this process."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
        self._file = os.open(folder / f"{os.getpid()}.effects", flags, 0o644)

    def write(self, key: str, what: str) -> None:
        """Add a line."""
        os.write(self._file, f"{key} {os.getpid()} {time.time():.3f} {what}\n".encode())


def read_effects(folder: Path) -> list[Effect]:
    """All that any process wrote, in order of time."""
    return sorted(_parsed(folder.glob("*.effects")), key=lambda effect: effect.time)


def _parsed(files: Iterable[Path]) -> Iterable[Effect]:
    for file in files:
        for line in file.read_text().splitlines():
            key, process_id, at, what = line.split(" ")
            yield Effect(key, int(process_id), float(at), what)
