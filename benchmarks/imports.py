"""How long a process takes to import the package and the app, and which modules take most of it (F4)."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.replay import Figure

_ROOT = Path(__file__).resolve().parents[1]
_RUNS = 5
_WORST = 5
_TIMED = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"
_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \| *(\S+)")
_PROMISED_MS = {"durable_ext": 150, "function_app": 500}


def figures() -> list[Figure]:
    """Milliseconds of each import in a new process, the process's own start not counted."""
    return [
        Figure(f"import {name}, median of {_RUNS} processes", _median_ms(name), "ms", most)
        for name, most in _PROMISED_MS.items()
    ]


def worst(name: str) -> str:
    """The modules whose own code takes longest, with what they import and without."""
    times = [_LINE.match(line) for line in _run("-X", "importtime", "-c", f"import {name}").stderr.splitlines()]
    found = sorted(((int(time[1]), int(time[2]), time[3]) for time in times if time), reverse=True)
    lines = [f"  {own / 1e3:7.1f} ms{total / 1e3:9.1f} ms  {module}" for own, total, module in found[:_WORST]]
    return "\n".join([f"{name}: {len(found)} modules; by own time, and with all they import:", *lines])


def report() -> Sequence[str]:
    """Lines to print: the figures, then the worst modules."""
    return [*map(str, figures()), *map(worst, _PROMISED_MS)]


def _median_ms(name: str) -> float:
    return statistics.median(float(_run("-c", _TIMED.format(name)).stdout) for _ in range(_RUNS)) * 1e3


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=_ROOT, capture_output=True, text=True, check=True)
