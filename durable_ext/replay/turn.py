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
    Event,
    EventSent,
    ForInstance,
    Input,
    TaskCancelled,
    TaskScheduled,
)
from durable_ext.records.turns import Turn
from durable_ext.replay.live import LiveExecution


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


def replay(live: LiveExecution, turns: Iterable[Turn]) -> None:
    """Bring fresh code to where history is. Raises NonDeterminismError where they part (R3)."""
    live.is_replaying = True
    for turn in turns:
        _replay_turn(live, turn)
    live.is_replaying = False


def _replay_turn(live: LiveExecution, turn: Turn) -> None:
    asked: deque[Decision] = deque()
    for position, event in enumerate(turn.events):
        if isinstance(event, Input):
            _all_recorded(asked, turn, position)
            asked.extend(live.apply(event, turn.time))
        else:
            _pass_over(asked, event)
            if not asked:
                raise _parted(turn, position, _describe(event), "nothing at this point")
            _compare(event, asked.popleft(), turn, position)
    _all_recorded(asked, turn, len(turn.events))


def _pass_over(asked: deque[Decision], recorded: Decision | None) -> None:
    """Leave out cancellations that are not in history: histories recorded before there was this event go on."""
    while asked and isinstance(asked[0], TaskCancelled) and asked[0] != recorded:
        asked.popleft()


def _all_recorded(asked: deque[Decision], turn: Turn, position: int) -> None:
    _pass_over(asked, None)
    if asked:
        raise _parted(turn, position, "nothing at this point", _describe(asked[0]))


def _compare(recorded: Decision, asked: Decision, turn: Turn, position: int) -> None:
    if _identity(recorded) != _identity(asked):
        raise _parted(turn, position, _describe(recorded), _describe(asked))


def _identity(decision: Decision) -> tuple[object, ...]:
    """What must be the same at a replay: kind, number, name and address; payloads may differ."""
    match decision:
        case TaskScheduled():
            return ("task", decision.id, decision.name)
        case TaskCancelled():
            return ("cancelled", decision.task_id)
        case ChildScheduled():
            return ("child", decision.id, decision.name, decision.instance_id)
        case EventSent():
            return ("event", decision.id, decision.name, decision.instance_id)
        case _:
            return (type(decision).__name__, getattr(decision, "id", None))


def _describe(decision: Decision) -> str:
    identity = _identity(decision)
    return f"{type(decision).__name__}({', '.join(str(part) for part in identity[1:] if part is not None)})"


def _parted(turn: Turn, position: int, recorded: str, asked: str) -> NonDeterminismError:
    execution = turn.execution
    return NonDeterminismError(
        f"replay of instance {execution.instance_id!r} parts from its history at turn {turn.number}, event {position}: "
        f"history has {recorded}, the code asked for {asked}. The code of a running orchestration must decide the same "
        "at every replay; undo the change or give the new code a new name or version. The instance is unharmed"
    )
