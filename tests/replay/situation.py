"""A situation: an orchestrator, what happens to it, and what it decides.

Whatever the test looks at, `verify` replays the history so far, whole and from every prefix, and the code must reach
the same decisions each time (R1). The fixture `begin` does that for every situation of every test.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durable_ext.authoring.decisions import LogLine
from durable_ext.authoring.registry import AnyFunction, Registry
from durable_ext.records.codec import decode_events, encode_events
from durable_ext.records.events import Event, ExecutionFailed, Input
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution
from durable_ext.records.turns import Turn
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.turn import TurnResult, replay, run_turn

from .events import EXECUTION, NOON, SECOND, facts, started


def registry_of(main: AnyFunction, *activities: AnyFunction) -> Registry:
    """An app with the orchestrator under the name `main`."""
    registry = Registry()
    registry.add_orchestrator(main, "main")
    for activity in activities:
        registry.add_activity(activity)
    return registry


def fresh(registry: Registry, execution: Execution = EXECUTION) -> LiveExecution:
    return LiveExecution(execution, registry, registry.converter)


def turn_of(number: int, events: Sequence[Event], *, seconds: float | None = None) -> Turn:
    """A recorded turn; turn n is n seconds after noon."""
    return Turn(
        execution=EXECUTION,
        number=number,
        events=tuple(events),
        message_ids=(),
        trigger_id="start",
        time=NOON + timedelta(seconds=number if seconds is None else seconds),
        commit_id="c",
    )


class Situation:
    """One execution that goes on turn by turn, a second between them."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.live = fresh(registry)
        self.turns: list[Turn] = []
        self.logs: list[LogLine] = []
        self._given: list[tuple[Input, ...]] = []
        self._results: list[TurnResult] = []

    def start(self, value: Any = None, *more: Input) -> list[Event]:
        return self.turn(started(value), *more)

    def turn(self, *inputs: Input, seconds: float | None = None) -> list[Event]:
        """Take a turn; what the code decided in it comes back."""
        turn = turn_of(len(self.turns), (), seconds=seconds)
        result = run_turn(self.live, inputs, turn.time)
        self.turns.append(turn_of(turn.number, result.events, seconds=(turn.time - NOON) / SECOND))
        self._given.append(inputs)
        self._results.append(result)
        self.logs += result.logs
        return [event for event in result.events if event not in inputs]

    @property
    def end(self) -> Event:
        return self.turns[-1].events[-1]

    @property
    def failure(self) -> Failure:
        assert isinstance(self.end, ExecutionFailed), self.end
        return self.end.failure

    def verify(self) -> None:
        """Replay what is recorded, cut after every turn and after every event, and go on from there."""
        for cut in range(len(self.turns) + 1):
            self._go_on_after_turn(cut)
        for cut in range(len(self._single_inputs()) + 1):
            self._go_on_after_input(cut)

    def _go_on_after_turn(self, cut: int) -> None:
        live = fresh(self.registry)
        replay(live, map(_stored, self.turns[:cut]))
        assert live.logs == [], "a replay logs nothing"
        for turn, inputs, result in list(zip(self.turns, self._given, self._results, strict=True))[cut:]:
            again = run_turn(live, inputs, turn.time)
            assert facts(again.events) == facts(result.events)
            assert again.logs == result.logs
        live.drop()

    def _go_on_after_input(self, cut: int) -> None:
        live = fresh(self.registry)
        singles = self._single_inputs()
        replay(live, [_stored(turn) for turn, _ in singles[:cut]])
        for turn, late in singles[cut:]:
            again = run_turn(live, (*_inputs(turn)[:1], *late), turn.time)
            assert facts(again.events) == facts(turn.events)
        live.drop()

    def _single_inputs(self) -> list[tuple[Turn, tuple[Input, ...]]]:
        """The history as if each input had come alone, with those that came too late at the last one."""
        singles: list[tuple[Turn, tuple[Input, ...]]] = []
        for turn, inputs in zip(self.turns, self._given, strict=True):
            for group in _groups(turn):
                singles.append((turn_of(turn.number, group, seconds=(turn.time - NOON) / SECOND), ()))
            singles[-1] = (singles[-1][0], inputs[len(_inputs(turn)) :])
        return singles


def _stored(turn: Turn) -> Turn:
    """The turn as it comes back from storage."""
    events = decode_events(encode_events(turn.events))
    return turn_of(turn.number, events, seconds=(turn.time - NOON) / SECOND)


def _inputs(turn: Turn) -> tuple[Input, ...]:
    return tuple(event for event in turn.events if isinstance(event, Input))


def _groups(turn: Turn) -> list[list[Event]]:
    groups: list[list[Event]] = []
    for event in turn.events:
        if isinstance(event, Input):
            groups.append([])
        groups[-1].append(event)
    return groups
