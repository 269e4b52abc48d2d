"""Many seeds, on as many cores as there are; what they add up to; what is said about one that failed."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import timedelta
from itertools import islice
from multiprocessing import get_context

import msgspec

from durable_ext.testing.simulation.case import Case, to_text
from durable_ext.testing.simulation.load import case_of
from durable_ext.testing.simulation.patience import PatienceError, at_most
from durable_ext.testing.simulation.shrink import Shrunk, shrink
from durable_ext.testing.simulation.world import Outcome, play

_AT_ONCE = 5
_WAITING = 4
# A run takes a fraction of a second; one that takes this long will not end.
_LONGEST_RUN = 60
_LOGGER = logging.getLogger("durable_ext")
COMMAND = "python -m durable_ext.testing.simulation"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a seed went, and what it shrank to when it failed."""

    seed: int
    outcome: Outcome
    shrunk: Shrunk | None = None


class Totals:
    """The figures of a run of many seeds."""

    def __init__(self) -> None:
        self.survived = 0
        self.failed: list[int] = []
        self.instances = 0
        self.calls = 0
        self.virtual = self.waited = 0.0
        self.faults: Counter[str] = Counter()
        self._began = time.monotonic()

    def add(self, result: Result) -> None:
        """One more seed."""
        outcome = result.outcome
        if outcome.wrong:
            self.failed.append(result.seed)
        else:
            self.survived += 1
        self.instances += outcome.instances
        self.calls += outcome.calls
        self.virtual += outcome.seconds
        self.waited = max(self.waited, outcome.waited)
        self.faults.update(outcome.faults)

    @property
    def count(self) -> int:
        """Seeds so far."""
        return self.survived + len(self.failed)

    @property
    def seconds(self) -> float:
        """Seconds on the wall since it began."""
        return time.monotonic() - self._began

    def lines(self) -> Iterator[str]:
        """The figures, for people."""
        yield f"seeds survived   {self.survived:,} of {self.count:,}"
        yield f"instances        {self.instances:,}"
        yield f"faults injected  {sum(self.faults.values()):,}"
        for kind, count in sorted(self.faults.items()):
            yield f"  {kind:<15}{count:,}"
        yield f"storage calls    {self.calls:,}"
        yield f"virtual time     {timedelta(seconds=round(self.virtual)).days:,} days"
        yield f"longest wait     {self.waited:.0f} s for nothing"
        yield f"seconds          {self.seconds:.0f}"


def play_seed(seed: int, *, shrinks: bool = True) -> Result:
    """Play one seed, and shrink it when it fails."""
    case = case_of(seed)
    outcome = played(case)
    if not outcome.wrong or not shrinks:
        return Result(seed=seed, outcome=outcome)
    return Result(seed=seed, outcome=outcome, shrunk=shrink(case, outcome, run=played))


def played(case: Case) -> Outcome:
    """Play a case; one that ends with an exception has failed of it."""
    try:
        with at_most(_LONGEST_RUN):
            return play(case)
    except (Exception, PatienceError) as error:  # noqa: BLE001 - whatever ends a run is what is wrong with it
        text = f"the run ended with {type(error).__name__}: {error}"
        return Outcome(wrong=(text,), drawn=(), digest="", faults={}, instances=0, calls=0, seconds=0)


def play_all(seeds: Iterable[int], workers: int) -> Iterator[Result]:
    """Play seeds in so many processes, in whatever order they end."""
    if workers == 1:
        level = _LOGGER.level
        _begin_worker()
        try:
            yield from map(play_seed, seeds)
        finally:
            _LOGGER.setLevel(level)
        return
    rest = iter(seeds)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
        pending = {pool.submit(_play_some, some) for some in islice(_groups(rest), workers * _WAITING)}
        while pending:
            done = next(as_completed(pending))
            pending.remove(done)
            pending.update(pool.submit(_play_some, some) for some in islice(_groups(rest), 1))
            yield from done.result()


def story_of(result: Result) -> Iterator[str]:
    """What is said about a seed that failed."""
    yield f"seed {result.seed} failed:"
    yield from (f"  {text}" for text in result.outcome.wrong)
    yield f"  run it alone: {COMMAND} --seed {result.seed}"
    shrunk = result.shrunk
    if shrunk is None:
        return
    case = shrunk.case
    faults = len(case.faults or ()) + len(case.disturbances)
    yield f"  shrunk in {shrunk.tries} runs to {len(case.load)} instances and {faults} faults, which give:"
    yield from (f"    {text}" for text in shrunk.outcome.wrong)
    yield f"  play that with {COMMAND} --case FILE, the file holding:"
    yield f"  {to_text(case)}"


def _groups(seeds: Iterator[int]) -> Iterator[tuple[int, ...]]:
    while some := tuple(islice(seeds, _AT_ONCE)):
        yield some


def _play_some(seeds: tuple[int, ...]) -> list[Result]:
    return [play_seed(seed) for seed in seeds]


def _begin_worker() -> None:
    # What the engine says of each fault would be millions of lines.
    _LOGGER.setLevel(logging.CRITICAL)
