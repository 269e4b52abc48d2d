"""A failing case made smaller: fewer instances, then fewer disturbances, orders and faults, as long as it fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

import msgspec

from durable_ext.testing.simulation.case import Case, Planned
from durable_ext.testing.simulation.world import Outcome, play

T = TypeVar("T")

_MOST_TRIES = 250
_LONGEST = 180.0
_NUMBERS = re.compile(r"[0-9a-f]{8,}|[0-9]+")
_TELLING = 24


class Shrunk(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest case found, how it went, and how many runs that took."""

    case: Case
    outcome: Outcome
    tries: int


class Shrinker:
    """Tries smaller cases within a bound. `run` plays one."""

    def __init__(self, case: Case, outcome: Outcome, run: Callable[[Case], Outcome], most_tries: int) -> None:
        self.case = case
        self.outcome = outcome
        self.tries = 0
        self._run = run
        self._most = most_tries
        self._ends_at = monotonic() + _LONGEST
        self._kinds = _kinds(outcome)

    def fails(self, case: Case) -> bool:
        """Whether a case fails; one that does is the smallest so far. False when there are no tries left."""
        if self.tries >= self._most or monotonic() > self._ends_at:
            return False
        self.tries += 1
        outcome = self._run(case)
        alike = bool(_kinds(outcome) & self._kinds)
        if alike:
            self.case, self.outcome = case, outcome
        return alike

    def fewer(self, items: Sequence[T], with_items: Callable[[Sequence[T]], Case]) -> None:
        """Leave out as many of the items as possible: halves, then quarters, at last one by one."""
        kept = list(items)
        size = len(kept)
        while kept and size:
            position = 0
            while position < len(kept):
                rest = kept[:position] + kept[position + size :]
                if self.fails(with_items(rest)):
                    kept = rest
                else:
                    position += size
            size //= 2


def shrink(
    case: Case, outcome: Outcome, *, run: Callable[[Case], Outcome] = play, most_tries: int = _MOST_TRIES
) -> Shrunk:
    """The smallest case that was found to fail, with its faults given. `outcome` is that of the whole case."""
    shrinker = Shrinker(case, outcome, run, most_tries)
    if case.faults is None:
        shrinker.fails(msgspec.structs.replace(case, faults=outcome.drawn))
    for _ in range(2):
        before = shrinker.case
        shrinker.fewer(shrinker.case.load, lambda load: _with_load(shrinker.case, load))
        shrinker.fewer(
            shrinker.case.disturbances,
            lambda rest: msgspec.structs.replace(shrinker.case, disturbances=tuple(rest)),
        )
        if shrinker.case.faults is not None:
            shrinker.fewer(
                shrinker.case.faults, lambda rest: msgspec.structs.replace(shrinker.case, faults=tuple(rest))
            )
        for planned in shrinker.case.load:
            shrinker.fewer(planned.orders, _with_orders(shrinker, planned))
        if shrinker.case == before:
            break
    return Shrunk(case=shrinker.case, outcome=shrinker.outcome, tries=shrinker.tries)


def _kinds(outcome: Outcome) -> set[str]:
    """What is wrong, without ids and numbers: a smaller case has to fail of the same."""
    return {_NUMBERS.sub("", text.partition(": ")[2] or text)[:_TELLING] for text in outcome.wrong}


def _with_load(case: Case, load: Sequence[Planned]) -> Case:
    """Who sends goes with who is sent to."""
    present = {planned.id for planned in load}
    told = {planned.after for planned in case.load if planned.after}
    telling = {planned.after for planned in load if planned.after}
    kept = [planned for planned in load if planned.id not in told - telling]
    return msgspec.structs.replace(
        case, load=tuple(planned for planned in kept if not planned.after or planned.after in present)
    )


def _with_orders(shrinker: Shrinker, planned: Planned) -> Callable[[Sequence[object]], Case]:
    """Only commands are left out: an event is part of what the programme waits for."""

    def with_orders(orders: Sequence[object]) -> Case:
        events = [order for order in planned.orders if order.kind == "event"]
        commands = [order for order in planned.orders if order in orders and order.kind != "event"]
        kept = tuple(sorted(events + commands, key=lambda order: order.at))
        load = tuple(
            msgspec.structs.replace(one, orders=kept) if one.id == planned.id else one for one in shrinker.case.load
        )
        return msgspec.structs.replace(shrinker.case, load=load)

    return with_orders
