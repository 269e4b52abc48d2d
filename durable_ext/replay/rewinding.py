"""What an execution that failed keeps when it is rewound. Pure: the code itself says what stands without the failures.

The code runs again over its history without the outcomes it failed of; what it no longer asks for then, because only
those outcomes made it ask, goes with them, answers and all. What it still asks for is kept with its answer, under the
number it has now. So the past that is kept is one the code comes to by itself (R1), whatever retries, timers and
compensations the failures had led to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import msgspec

from durable_ext.records import events
from durable_ext.records.events import Decision, Event, ExecutionRewound, Input, Past, Terminal
from durable_ext.records.failures import Failure
from durable_ext.records.ids import child_execution_id
from durable_ext.records.turns import Turn, expanded
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.turn import replay

# Failures of which the code said nothing are tried one by one, the latest first, up to so many.
_MOST_TRIED = 50

_Failed = events.TaskFailed | events.ChildFailed | events.OperationFailed
_Returned = events.TaskCompleted | events.ChildCompleted | events.OperationCompleted
_Answer = _Returned | _Failed | events.TimerFired | events.LockAcquired
_Question = events.TaskScheduled | events.TimerCreated | events.ChildScheduled | events.EntityCalled | events.LockAsked
# Named by the number of what they end.
_Ending = events.TaskCancelled | events.LockLeft


class Rewound(msgspec.Struct, frozen=True):
    """The first events of the rewound execution, and its code, which waits or has ended."""

    events: tuple[Event, ...]
    live: LiveExecution


class _Entry(msgspec.Struct, frozen=True):
    """An input of history: as it is stored, with its payload in place, and what the code decided then."""

    turn: Turn
    stored: Input
    loaded: Input
    decided: tuple[Decision, ...]


class _Kept(msgspec.Struct, frozen=True):
    """One of the new past: the place of its input in history, and the decisions that history has as well."""

    index: int
    decided: tuple[Decision, ...]


def rewound(begin: Callable[[], LiveExecution], stored: Sequence[Turn], loaded: Sequence[Turn], reason: str) -> Rewound:
    """The beginning of the next execution of `stored`, which failed. `loaded` are the same turns, expanded, with the
    payloads of inputs in place; `begin` makes fresh code of the new execution.

    Raises NonDeterminismError when code and history part before the failure (R3).
    """
    origin = _origin(stored)
    entries = tuple(_entries(expanded(stored), loaded))

    def run(left_out: frozenset[int]) -> _Run:
        return _Run(begin(), origin, entries, left_out)

    first = run(frozenset())
    try:
        if first.parts_early:
            fresh = begin()
            try:
                replay(fresh, loaded)
            finally:
                fresh.drop()
        left_out = _without_failures(run, first, entries)
    finally:
        first.drop()
    final = run(left_out)
    held = final.held()
    if held:
        final.drop()
        final = run(left_out | held)
    return Rewound(final.beginning(reason), final.live)


def _without_failures(run: Callable[[frozenset[int]], _Run], first: _Run, entries: Sequence[_Entry]) -> frozenset[int]:
    """Which inputs to leave out: failures the code failed of, and those nothing that is kept rests on."""
    left_out = first.blamed()
    base = first.kept if not left_out else _dropped(run(left_out)).kept
    failed_of = {
        stored.task_id for stored in (entries[index].stored for index in left_out) if isinstance(stored, _Failed)
    }
    others = [
        kept.index
        for kept in base
        if isinstance(entries[kept.index].stored, _Failed) and not _led_to(entries[kept.index], failed_of)
    ]

    def stands(more: frozenset[int]) -> bool:
        tried = _dropped(run(left_out | more))
        wanted = [kept for kept in base if kept.index not in more]
        return tried.kept == wanted

    if others and stands(frozenset(others)):
        return left_out | frozenset(others)
    taken: frozenset[int] = frozenset()
    for index in reversed(others[-_MOST_TRIED:]):
        if stands(taken | {index}):
            taken |= {index}
    return left_out | taken


def _led_to(entry: _Entry, questions: set[int]) -> bool:
    """Whether the code dealt with a failure and went on to ask one of these."""
    return any(isinstance(decision, _Question) and decision.id in questions for decision in entry.decided)


def _dropped(run: _Run) -> _Run:
    run.drop()
    return run


class _Run:
    """The code once more, over a history without some of its inputs."""

    def __init__(self, live: LiveExecution, origin: str, entries: Sequence[_Entry], left_out: frozenset[int]) -> None:
        self.live = live
        self.kept: list[_Kept] = []
        self.parts_early = False
        self._origin = origin
        self._entries = entries
        self._past: list[tuple[_Entry, list[Event]]] = []
        self._new: set[int] = set()  # identities of events that history has not
        self._ids: dict[int, int] = {}  # from the numbers of history to those of now
        self._unasked: list[Decision] = []
        self._ended: Terminal | None = None
        live.is_replaying = True
        live.apply(ExecutionRewound(origin=origin), entries[0].turn.time)
        for index, entry in enumerate(entries):
            if index not in left_out and not live.finished:
                self._take(index, entry)
        live.is_replaying = False

    def drop(self) -> None:
        """Throw the code away."""
        self.live.drop()

    def blamed(self) -> frozenset[int]:
        """Inputs whose failure the code let through, or failed over while it dealt with it."""
        found = {id(failure) for failure in _failures_in(self.live.error)}
        return frozenset(
            index
            for index, entry in enumerate(self._entries)
            if isinstance(entry.loaded, _Failed) and id(entry.loaded.failure) in found
        )

    def held(self) -> frozenset[int]:
        """Inputs that gave locks which the code still holds: the failure has released them, so they are asked for anew,
        and what was done under them is done again."""
        left = {event.task_id for _, part in self._past for event in part if isinstance(event, events.LockLeft)}
        inputs = [(kept.index, part[0]) for kept, (_, part) in zip(self.kept, self._past, strict=True)]
        return frozenset(
            index for index, event in inputs if isinstance(event, events.LockAcquired) and event.task_id not in left
        )

    def beginning(self, reason: str) -> tuple[Event, ...]:
        """The events of turn 0, up to what the rewind itself decides."""
        past = self._as_past()
        places = [event for part in past for event in part.events]
        answered = {event.task_id for event in places if isinstance(event, _Answer | events.TaskCancelled)}
        reopened: list[int] = []
        decided: list[int] = []
        for place, event in enumerate(places, start=1):  # the start stands before the rewind
            if id(event) in self._new:
                decided.append(place)
            elif isinstance(event, _Question) and event.id not in answered and not _is_detached(event):
                reopened.append(place)
        opening = ExecutionRewound(
            origin=self._origin, reason=reason, past=past, reopened=tuple(reopened), decided=tuple(decided)
        )
        return (places[0], opening) if self._ended is None else (places[0], opening, self._ended)

    def _take(self, index: int, entry: _Entry) -> None:
        stored = self._renamed(entry.stored)
        loaded = self._renamed(entry.loaded)
        if stored is None or loaded is None:
            return
        asked = self.live.apply(loaded, entry.turn.time)
        self._unasked.extend(entry.decided)
        matched: list[Decision] = []
        recorded: list[Event] = [stored]
        for decision in asked:
            if isinstance(decision, Terminal):
                self._ended = decision
                continue
            known = self._known(decision)
            if known is None:
                self._new.add(id(decision))
            else:
                matched.append(known)
            recorded.append(known or decision)
        self._past.append((entry, recorded))
        self.kept.append(_Kept(index, tuple(matched)))
        if index < len(self._entries) - 1 and (self._unasked or len(matched) < len(asked)):
            self.parts_early = True

    def _renamed(self, event: Input) -> Input | None:
        """The input under the number of now; None when the code has not asked for it."""
        if not isinstance(event, _Answer):
            return event
        number = self._ids.get(event.task_id)
        return None if number is None else msgspec.structs.replace(event, task_id=number)

    def _known(self, decision: Decision) -> Decision | None:
        """What history has for a decision."""
        for recorded in self._unasked:
            if self._key(recorded, self._ids) != self._key(decision, None):
                continue
            self._unasked.remove(recorded)
            if isinstance(recorded, _Ending):
                return decision
            if isinstance(recorded, _Question | events.EventSent | events.EntitySignaled) and isinstance(
                decision, type(recorded)
            ):
                self._ids[recorded.id] = decision.id
                return _under_its_number(recorded, decision)
            return recorded
        return None

    def _key(self, decision: Decision, ids: dict[int, int] | None) -> tuple[object, ...]:
        match decision:
            case events.TaskCancelled() | events.LockLeft():
                return (type(decision).__name__, decision.task_id if ids is None else ids.get(decision.task_id))
            case events.TimerCreated():
                return ("timer", decision.fire_at)
            case events.EventSent():
                return ("event", decision.name, decision.instance_id)
            case events.EntityCalled() | events.EntitySignaled():
                return (type(decision).__name__, decision.entity_id, decision.operation)
            case events.LockAsked():
                return ("lock", decision.entities)
            case _:
                return (type(decision).__name__, getattr(decision, "name", None))

    def _as_past(self) -> tuple[Past, ...]:
        """The entries as turns, those of one time together; what is asked for again of a child gets its new id."""
        answered = {event.task_id for _, part in self._past for event in part if isinstance(event, _Answer)}
        past: list[Past] = []
        for entry, recorded in self._past:
            part = tuple(self._again(event, answered) for event in recorded)
            if past and past[-1].time == entry.turn.time:
                past[-1] = msgspec.structs.replace(past[-1], events=past[-1].events + part)
            else:
                past.append(Past(time=entry.turn.time, events=part))
        return tuple(past)

    def _again(self, event: Event, answered: set[int]) -> Event:
        if not isinstance(event, events.ChildScheduled) or event.id in answered or event.detached:
            return event
        if id(event) in self._new:
            return event
        own = child_execution_id(self.live.actual, event.id)
        return msgspec.structs.replace(event, execution_id=own)


def _under_its_number(recorded: Decision, decision: Decision) -> Decision:
    """The recorded decision, with its stored payload, under the number and the address that the code has for it now."""
    changes = {"id": getattr(decision, "id", None)}
    if isinstance(decision, events.ChildScheduled):
        changes["instance_id"] = decision.instance_id
    if isinstance(decision, events.EntityCalled):
        changes["lock"] = decision.lock
    return msgspec.structs.replace(recorded, **changes)


def _entries(stored: Sequence[Turn], loaded: Sequence[Turn]) -> Iterator[_Entry]:
    """The inputs of history in order, without what a former rewind put there and without the end."""
    for turn, whole in zip(stored, loaded, strict=True):
        opened: tuple[Input, Input] | None = None
        decided: list[Decision] = []
        for event, other in zip(turn.events, whole.events, strict=True):
            if isinstance(event, Input) and isinstance(other, Input):
                if opened is not None:
                    yield _Entry(turn, *opened, tuple(decided))
                opened, decided = (event, other), []
            elif not isinstance(event, Input | Terminal):
                decided.append(event)
        if opened is not None and not isinstance(opened[0], ExecutionRewound):
            yield _Entry(turn, *opened, tuple(decided))


def _origin(turns: Sequence[Turn]) -> str:
    marks = (event.origin for event in turns[0].events if isinstance(event, ExecutionRewound))
    return next(marks, turns[0].execution.execution_id)


def _failures_in(error: BaseException | None) -> Iterator[Failure]:
    """The failures of tasks in an exception, in what caused it and in what it came up in."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        failure = getattr(one, "failure", None)
        if isinstance(failure, Failure):
            yield failure
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions


def _is_detached(event: Event) -> bool:
    return isinstance(event, events.ChildScheduled) and event.detached
