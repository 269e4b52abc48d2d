"""What goes wrong with calls: drawn from the seed as they come, or given as a list; all of it is written down."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from durable_ext.testing.simulation.case import CallFault, Case, Disturbance

# How often each kind is drawn, among others, and how many seconds it takes at least and at most.
KINDS: dict[str, tuple[int, float, float]] = {
    "refused": (6, 0, 0),
    "lost": (6, 0, 0),
    "repeated": (5, 0, 0),
    "delayed": (4, 0.1, 45),
    "straggling": (3, 0.1, 20),
    "dies_before": (1, 0, 0),
    "dies_after": (1, 0, 0),
}
# What else may happen to a receive or to a put.
RECEIVING: dict[str, tuple[int, float, float]] = {"short": (12, 1, 4)}
PUTTING: dict[str, tuple[int, float, float]] = {"hidden": (12, 1, 90)}
RECEIVES: tuple[str, ...] = ("get_messages", "receive")
PUTS: tuple[str, ...] = ("put_message",)
_EXTRA = {**dict.fromkeys(RECEIVES, RECEIVING), **dict.fromkeys(PUTS, PUTTING)}
# A store in the process has no wire that a request could be late on.
_ON_A_WIRE = frozenset({"straggling"})
_OF_PROCESSES = frozenset({"dies_before", "dies_after"})
# A burst refuses most calls.
_THROTTLED = 70
_EXTRA_RATE = 0.06
# The line of callers outside, whom nothing kills.
OUTSIDE = "outside"


class Weather:
    """The faults of one run. `now()` are the seconds since its begin."""

    def __init__(self, case: Case, now: Callable[[], float]) -> None:
        self.seed = case.seed
        self.drawn: list[CallFault] = []
        self.counts: Counter[str] = Counter()
        self._case = case
        self._now = now
        self._random = Random(f"{case.seed}/faults")  # noqa: S311 - has to be the same in each run
        self._given = None if case.faults is None else {(fault.line, fault.call): fault for fault in case.faults}
        self._bursts = bursts(case.disturbances)

    @property
    def is_out(self) -> bool:
        """Whether storage refuses most calls now."""
        now = self._now()
        return now < self._case.window and any(burst.at <= now < burst.at + burst.seconds for burst in self._bursts)

    def latency(self, noise: Random) -> float:
        """Seconds a call takes; one draw, whatever comes of it."""
        drawn = noise.random()
        return 0.0 if drawn < 0.5 else (drawn - 0.5) * 2 * self._case.noise

    def fault(self, line: str, number: int, call: str) -> CallFault | None:
        """What happens to a call."""
        if self._now() >= self._case.window:
            return None
        if self.is_out and _is_throttled(line, number):
            self.counts["throttled"] += 1
            return CallFault(line=line, call=number, kind="throttled")
        fault = self._draw(line, number, call) if self._given is None else self._given.get((line, number))
        if fault is not None:
            self.counts[fault.kind] += 1
            self.drawn.append(fault)
        return fault

    def _draw(self, line: str, number: int, call: str) -> CallFault | None:
        extra = _EXTRA.get(call)
        if extra is not None and self._case.rate and self._random.random() < _EXTRA_RATE:
            return self._of(extra, line, number)
        if self._random.random() >= self._case.rate:
            return None
        fault = self._of(KINDS, line, number)
        if line == OUTSIDE and fault.kind in _OF_PROCESSES:
            return None
        if self._case.store == "sqlite" and fault.kind in _ON_A_WIRE:
            return None
        return fault

    def _of(self, kinds: dict[str, tuple[int, float, float]], line: str, number: int) -> CallFault:
        names = list(kinds)
        (kind,) = self._random.choices(names, [kinds[name][0] for name in names])
        _, least, most = kinds[kind]
        seconds = round(least + (most - least) * self._random.random() ** 3, 2)
        return CallFault(line=line, call=number, kind=kind, seconds=seconds)


def bursts(disturbances: Sequence[Disturbance]) -> list[Disturbance]:
    """The times storage throttles."""
    return [disturbance for disturbance in disturbances if disturbance.kind == "burst"]


def _is_throttled(line: str, number: int) -> bool:
    return zlib.crc32(f"{line}/{number}".encode()) % 100 < _THROTTLED
