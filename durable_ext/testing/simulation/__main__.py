"""`python -m durable_ext.testing.simulation`: see docs/simulation.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from durable_ext.testing.simulation.case import from_text
from durable_ext.testing.simulation.seeds import Result, Totals, play_all, played, story_of

_WIDTH = 40
_PAUSE_ON_A_TERMINAL = 0.2
_PAUSE_ELSEWHERE = 30.0


class Progress:
    """A bar on a terminal, else a line now and then; on the error stream, so that results can be piped."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._bar = sys.stderr.isatty()
        self._shown_at = time.monotonic()

    def show(self, totals: Totals) -> None:
        """Say how far it is, if that is due."""
        now = time.monotonic()
        if now - self._shown_at < (_PAUSE_ON_A_TERMINAL if self._bar else _PAUSE_ELSEWHERE):
            return
        self._shown_at = now
        rate = totals.count / max(totals.seconds, 0.001)
        left = (self._wanted - totals.count) / max(rate, 0.001)
        text = f"{totals.count}/{self._wanted} seeds, {len(totals.failed)} failed, {rate:.1f}/s, {left:.0f} s left"
        if self._bar:
            full = _WIDTH * totals.count // self._wanted
            text = f"\r[{'#' * full}{'.' * (_WIDTH - full)}] {text}\x1b[K"
        _say(text, end="" if self._bar else "\n")

    def clear(self) -> None:
        """Take the bar away."""
        if self._bar:
            _say("\r\x1b[K", end="")


def _say(text: str, *, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m durable_ext.testing.simulation",
        description="Whole task hubs on virtual time, with everything going wrong at once; one seed is one run.",
    )
    parser.add_argument("--seeds", type=_positive, default=500, help="how many seeds (default: 500)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--case", type=Path, help="a case in a file, as a failing seed is shrunk to")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", dest="workers", type=_positive, default=cores, help="processes (default: the cores)")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code: 1 when any seed fails."""
    options = _parser().parse_args(arguments)
    totals = Totals()
    if options.case is not None:
        results = iter([_case_in(options.case)])
        wanted = 1
    elif options.seed is not None:
        results, wanted = play_all([options.seed], 1), 1
    else:
        seeds = range(options.first, options.first + options.seeds)
        results, wanted = play_all(seeds, options.workers), options.seeds
    progress = Progress(wanted)
    for result in results:
        totals.add(result)
        if result.outcome.wrong:
            progress.clear()
            for line in story_of(result):
                _tell(line)
        progress.show(totals)
    progress.clear()
    for line in totals.lines():
        _tell(line)
    return 1 if totals.failed else 0


def _case_in(file: Path) -> Result:
    case = from_text(file.read_bytes())
    return Result(seed=case.seed, outcome=played(case))


if __name__ == "__main__":
    sys.exit(main())
