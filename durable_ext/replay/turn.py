"""A turn as a pure function: inputs in, events out (R1). And its reverse: replaying recorded turns (R3).

Inputs are handed over one by one, and what the code decides after each is recorded right behind it. So a turn's events
do not depend on how inputs were batched, and a replay can name the exact event where code and history part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from durable_ext.authoring.decisions import LogLine
from durable_ext.errors import NonDeterminismError
from durable_ext.records.events import (
    ChildScheduled,
    ContinuedAsNew,
    Decision,
    EntityCalled,
    EntitySignaled,
    Event,
    EventSent,
    ForInstance,
    Input,
    LockAsked,
    LockLeft,
    TaskCancelled,
    TaskScheduled,
    Terminal,
)
from durable_ext.records.parting import Parting, Place
from durable_ext.records.turns import Turn, expanded
from durable_ext.records.value_events import ValueCleared, ValueSet
from durable_ext.replay.ending import is_ending
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.witness import Witness


class TurnResult(msgspec.Struct, frozen=True):
    """What a turn came to: the events to record, and the lines the code logged."""

    events: tuple[Event, ...]
    logs: tuple[LogLine, ...]


def run_turn(live: LiveExecution, inputs: Sequence[Input], now: datetime) -> TurnResult:
    """Hand new inputs to the code. Inputs after the end are dropped; continue-as-new takes along what is meant for the
    instance rather than for this execution."""
    recorded: list[Event] = []
    for position, event in enumerate(inputs):
        recorded.append(event)
        recorded.extend(live.apply(event, now))
        if live.finished:
            _carry(recorded, inputs[position + 1 :])
            break
    logs, live.logs = tuple(live.logs), []
    return TurnResult(tuple(recorded), logs)


def _carry(recorded: list[Event], rest: Sequence[Input]) -> None:
    last = recorded[-1]
    if isinstance(last, ContinuedAsNew):
        late = tuple(event for event in rest if isinstance(event, ForInstance))
        recorded[-1] = msgspec.structs.replace(last, carried=last.carried + late)


class _Difference(msgspec.Struct, frozen=True):
    """Where history and code part first. None: nothing at this point."""

    turn: Turn
    position: int
    recorded: Decision | None
    asked: Decision | None

    def is_like(self, other: _Difference | None) -> bool:
        return other is not None and self._summary == other._summary

    @property
    def _summary(self) -> tuple[object, ...]:
        return (self.turn.number, self.position, _describe(self.recorded), _describe(self.asked))


def replay(live: LiveExecution, turns: Iterable[Turn]) -> None:
    """Bring fresh code to where history is. Raises NonDeterminismError where they part (R3)."""
    live.is_replaying = True
    past: list[Turn] = []
    for turn in expanded(turns):
        past.append(turn)
        difference = _replay_turn(live, turn)
        if difference is not None:
            raise _explained(live, past, difference)
    live.is_replaying = False


def _replay_turn(live: LiveExecution, turn: Turn) -> _Difference | None:
    asked: deque[Decision] = deque()
    ends_unasked = is_ending(turn.events[-1:])
    for position, event in enumerate(turn.events):
        if isinstance(event, Input):
            _pass_over(asked, None)
            if ends_unasked:  # nobody ran the code for what came with the termination
                if live.finished:
                    return None
                asked.clear()
            if asked:
                return _Difference(turn, position, None, asked[0])
            asked.extend(live.apply(event, turn.time))
        else:
            _pass_over(asked, event)
            if not asked or _identity(event) != _identity(asked[0]):
                return _Difference(turn, position, event, asked[0] if asked else None)
            asked.popleft()
    _pass_over(asked, None)
    return _Difference(turn, len(turn.events), None, asked[0]) if asked else None


def _pass_over(asked: deque[Decision], recorded: Decision | None) -> None:
    """Leave out cancellations that are not in history: histories recorded before there was this event go on."""
    while asked and isinstance(asked[0], TaskCancelled) and asked[0] != recorded:
        asked.popleft()


def _identity(decision: Decision) -> tuple[object, ...]:
    """What must be the same at a replay: kind, number, name and address; payloads may differ."""
    match decision:
        case TaskScheduled():
            return ("task", decision.id, decision.name, decision.tag or None, decision.session_id or None)
        case TaskCancelled():
            return ("cancelled", decision.task_id)
        case ChildScheduled():
            return ("child", decision.id, decision.name, decision.instance_id)
        case EventSent():
            return ("event", decision.id, decision.name, decision.instance_id)
        case EntityCalled() | EntitySignaled():
            return (type(decision).__name__, decision.id, decision.operation, decision.entity_id)
        case LockAsked():
            return ("lock", decision.id, *decision.entities)
        case LockLeft():
            return ("left", decision.task_id)
        case ValueSet() | ValueCleared():
            return (type(decision).__name__, decision.key)
        case _:
            return (type(decision).__name__, getattr(decision, "id", None))


def _describe(decision: Decision | None) -> str:
    if decision is None:
        return "nothing at this point"
    identity = _identity(decision)
    return f"{type(decision).__name__}({', '.join(str(part) for part in identity[1:] if part is not None)})"


def _explained(live: LiveExecution, past: Sequence[Turn], difference: _Difference) -> NonDeterminismError:
    """The error with the line of code. Code that nobody watched runs once more, with a witness."""
    if isinstance(live, Witness):
        return _parted(difference, live.place_of(difference.asked), steady=True)
    witness = Witness.of(live)
    witness.is_replaying = True
    try:
        found = (_replay_turn(witness, turn) for turn in past)
        again = next((one for one in found if one is not None), None)
        if again is None or not difference.is_like(again):
            return _parted(difference, None, steady=False)
        return _parted(difference, witness.place_of(again.asked), steady=True)
    finally:
        witness.drop()


def _parted(difference: _Difference, source: Place | None, *, steady: bool) -> NonDeterminismError:
    execution = difference.turn.execution
    parting = Parting(
        instance_id=execution.instance_id,
        execution_id=execution.execution_id,
        turn=difference.turn.number,
        event=difference.position,
        expected=_describe(difference.recorded),
        actual=_describe(difference.asked),
        source=source,
    )
    where = "" if source is None else f" The code {_stand(difference.asked)} {source}."
    if not steady:
        where = " Replayed once more, the code did something else: look for a clock, random numbers or other state."
    return NonDeterminismError(
        f"replay of instance {parting.instance_id!r} parts from its history at turn {parting.turn}, event "
        f"{parting.event}: history has {parting.expected}, the code asked for {parting.actual}.{where} The code of a "
        "running orchestration must decide the same at every replay; undo the change or give the new code a new name "
        "or version. The instance is unharmed",
        parting,
    )


def _stand(asked: Decision | None) -> str:
    if asked is None:
        return "waits at"
    return "ends at" if isinstance(asked, Terminal) else "asks at"
