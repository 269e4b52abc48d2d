"""A scenario, stopped at every call in every way and world, and the report of it (T3)."""

from __future__ import annotations

import logging
import zlib
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec

from durable_ext.errors import InvalidInputError
from durable_ext.testing.aftermath import worst_runs
from durable_ext.testing.crash_run import Expected, Outcome, Setting, play
from durable_ext.testing.scenario import THREE_WAYS, WAYS, WORLDS, Scenario, StoreName, WayName, World

_engine_log = logging.getLogger("durable_ext")

# Points tried so far, and all of them as far as is known.
Progress = Callable[[int, int], object]
_MOST_SHOWN = 10
_MOST_LINES = 3
# What fails, fails at many points, and slowly: it waits for what never comes.
_MOST_FAILURES = 20


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """Which points are tried. `only`: a single one, as a report names it. `most`: at most so many of each world, spread
    evenly over its ways and calls, the same ones each time and others in each world and store; None: all."""

    store: StoreName = "azure"
    worlds: Sequence[World] = WORLDS
    ways: Sequence[WayName] = THREE_WAYS
    only: str | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        for name, known in [*((world, WORLDS) for world in self.worlds), *((way, tuple(WAYS)) for way in self.ways)]:
            if name not in known:
                raise InvalidInputError(f"{name!r} is none of {', '.join(known)}")
        if self.store not in ("azure", "sqlite"):
            raise InvalidInputError(f"the store is 'azure' or 'sqlite', not {self.store!r}")


class CrashFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A point that was not survived. `point` names it for `only`; `call` is what storage was asked there, "" without
    a fault; `wrong` says what was found afterwards, `log` what the engine complained of last."""

    point: str
    call: str
    wrong: tuple[str, ...]
    log: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"at {self.call}, point" if self.call else "without any fault,"
        lines = [f"{where} {self.point!r}:", *self.wrong, *(f"log: {line}" for line in self.log)]
        return "\n    ".join(lines)


class CrashReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried and what came of it. `str()` is for people.

    `output`: of the runs, as plain JSON value. `points`: tried, each a call in one way and world. `survived`: of those.
    `unreached`: points that were played to a good end without meeting their call, because code outside decides how many
    calls there are (threads that take long, for one); they count neither as tried nor as survived. `untried`:
    points left out after twenty failures. `storage_calls`: by name, of the
    first run without faults. `activity_runs`: by activity, how often a single call of it ran at worst. `slowest`: how
    much later, in virtual time, the orchestration ended at worst than without faults. `longest_wait`: how long an
    instance waited for nothing at worst: nobody alive held what it had to do next, and no queue showed it.
    """

    orchestrator: str
    output: Any
    points: int
    survived: int
    unreached: int
    untried: int
    failures: tuple[CrashFailure, ...]
    storage_calls: Mapping[str, int]
    activity_runs: Mapping[str, int]
    slowest: timedelta
    longest_wait: timedelta = timedelta(0)

    @property
    def all_survived(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __str__(self) -> str:
        lines = [f"{self.orchestrator}: {self.points} crash points tried, {self.survived} survived"]
        if self.unreached:
            lines[0] += f", {self.unreached} not reached"
        if self.untried:
            lines[0] += f", {self.untried} not tried any more"
        if self.storage_calls:
            lines.append(f"storage calls without faults: {_counted(self.storage_calls)}")
        if self.activity_runs:
            lines.append(f"runs of one activity call at worst: {_counted(self.activity_runs)}")
        if self.points:
            lines.append(f"slowest recovery: {self.slowest.total_seconds():.0f} s of virtual time")
            lines.append(f"longest wait for nothing: {self.longest_wait.total_seconds():.0f} s of virtual time")
        for failure in self.failures[:_MOST_SHOWN]:
            lines.append(f"not survived {failure}")
        if len(self.failures) > _MOST_SHOWN:
            lines.append(f"and {len(self.failures) - _MOST_SHOWN} more in report.failures")
        if self.failures:
            lines.append(f"to play one alone: crash_everywhere(..., only={self.failures[0].point!r})")
        return "\n".join(lines)


class CrashPointError(AssertionError):
    """A point was not survived. `report` has them all; the message is its text."""

    def __init__(self, report: CrashReport) -> None:
        super().__init__(str(report))
        self.report = report


def try_points(scenario: Scenario, plans: Plans, progress: Progress | None = None) -> CrashReport:
    """Play the scenario without faults in every world, then with a fault at each of its calls; report, never raise."""
    words = _LastWords()
    with _heard(words, alone=plans.only is not None):
        return _Enumeration(scenario, plans, progress or _unseen, words).report()


class _Enumeration:
    """The books of one enumeration."""

    def __init__(self, scenario: Scenario, plans: Plans, progress: Progress, words: _LastWords) -> None:
        self._scenario = scenario
        self._words = words
        self._plans = plans
        self._progress = progress
        self._expected: Expected | None = None
        self._failures: list[CrashFailure] = []
        self._calls: Mapping[str, int] = {}
        self._runs: dict[str, int] = {}
        self._slowest = self._longest_wait = timedelta(0)
        self._tried = self._survived = self._unreached = self._untried = 0

    def report(self) -> CrashReport:
        if self._plans.only is not None:
            self._play_alone(setting_of(self._plans.only))
        else:
            worlds = self._plans.worlds
            chosen = [point for world in worlds for point in self._chosen(world, self._undisturbed(world))]
            total = len(chosen)
            for number, (setting, call) in enumerate(chosen, start=1):
                self._disturbed(setting, call)
                self._progress(number, total)
                if len(self._failures) >= _MOST_FAILURES:
                    self._untried = total - number
                    break
        return CrashReport(
            orchestrator=self._scenario.orchestrator,
            output=None if self._expected is None else self._expected.output,
            points=self._tried,
            survived=self._survived,
            unreached=self._unreached,
            untried=self._untried,
            failures=tuple(self._failures),
            storage_calls=self._calls,
            activity_runs=self._runs,
            slowest=self._slowest,
            longest_wait=self._longest_wait,
        )

    def _play_alone(self, setting: Setting) -> None:
        plain = msgspec.structs.replace(setting, call=-1)
        points = dict(self._undisturbed(plain.world, setting.store))
        if setting.call >= 0 and not self._failures:
            self._disturbed(setting, points.get(setting.call, "a call that the run without faults does not make"))

    def _chosen(self, world: World, points: Sequence[tuple[int, str]]) -> list[tuple[Setting, str]]:
        every = [
            (Setting(store=self._plans.store, world=world, way=way, call=number), call)
            for way in self._plans.ways
            for number, call in points
        ]
        most = self._plans.most
        if most is None or len(every) <= most:
            return every
        # Anywhere within a stride, so that worlds and stores try different calls.
        place = zlib.crc32(f"{self._plans.store} {world} {self._scenario.orchestrator}".encode()) / 2**32
        return [every[int((number + place) * len(every) / most)] for number in range(most)]

    def _undisturbed(self, world: World, store: StoreName | None = None) -> Sequence[tuple[int, str]]:
        """Play without faults; the points, none when that alone goes wrong."""
        setting = Setting(store=store or self._plans.store, world=world)
        outcome = self._play(setting)
        self._expected = self._expected or outcome.expected
        self._calls = self._calls or Counter(call for _, call in outcome.points)
        if outcome.wrong:
            self._fail(setting, "", outcome)
            return ()
        return outcome.points

    def _play(self, setting: Setting) -> Outcome:
        self._words.take()
        outcome = play(self._scenario, setting, self._expected)
        self._runs = worst_runs(outcome.runs, self._runs)
        self._slowest = max(self._slowest, outcome.later_than(self._expected))
        self._longest_wait = max(self._longest_wait, outcome.waited)
        return outcome

    def _fail(self, setting: Setting, call: str, outcome: Outcome) -> None:
        self._failures.append(CrashFailure(point=setting.point, call=call, wrong=outcome.wrong, log=self._words.take()))

    def _disturbed(self, setting: Setting, call: str) -> None:
        outcome = self._play(setting)
        if outcome.wrong:
            self._tried += 1
            self._fail(setting, call, outcome)
        elif outcome.reached:
            self._tried += 1
            self._survived += 1
        else:
            self._unreached += 1


class _LastWords(logging.Handler):
    """What the engine has complained of lately."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if line not in self._lines:
            self._lines.append(line)

    def take(self) -> tuple[str, ...]:
        """The last lines since the last call."""
        lines = tuple(self._lines)
        self._lines.clear()
        return lines


@contextmanager
def _heard(words: _LastWords, *, alone: bool) -> Generator[None]:
    """Of hundreds of runs the log is noise; of a single one it goes where logs go."""
    before = _engine_log.propagate, _engine_log.level
    _engine_log.addHandler(words)
    if not alone:
        _engine_log.propagate = False
        _engine_log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        _engine_log.removeHandler(words)
        _engine_log.propagate = before[0]
        _engine_log.setLevel(before[1])


def setting_of(point: str) -> Setting:
    """The setting that a report names. Raises InvalidInputError."""
    try:
        store, world, way, call = point.split()
        return msgspec.convert({"store": store, "world": world, "way": way, "call": int(call)}, Setting)
    except (ValueError, msgspec.ValidationError) as error:
        raise InvalidInputError(f"{point!r} is no point, such as 'azure cached before 17': {error}") from error


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _unseen(_tried: int, _all: int) -> None:
    pass
