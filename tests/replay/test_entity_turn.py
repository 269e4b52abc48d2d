"""A turn of an entity: who runs next, who holds the lock, what is recorded, and what a restored entity knows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from durable_ext.records.entity_events import (
    EntityRemoved,
    EntitySignaled,
    EntityUpdated,
    LockGranted,
    LockReleased,
    LockRequested,
    OperationEnded,
    OperationRequested,
    RemovalRequested,
)
from durable_ext.records.events import ContinuedAsNew, Event, EventRaised, ExecutionStarted, Input
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Caller, Execution
from durable_ext.records.payloads import Payload, inline
from durable_ext.replay.entity_turn import MOST_TURNS, LiveEntity, Operation, Outcome

NOW = datetime(2030, 1, 1, tzinfo=UTC)
EXECUTION = Execution(instance_id="@log@it", execution_id="e", generation=0)
ANN, BEN = (Caller(instance_id=name, execution_id=f"{name}-1", task_id=0) for name in ("ann", "ben"))


def ask(operation: str, caller: Caller | None = ANN, lock: str = "") -> OperationRequested:
    return OperationRequested(operation=operation, caller=caller, lock=lock)


def wants(lock: str, holder: Caller = ANN) -> LockRequested:
    return LockRequested(lock=lock, holder=holder, entities=("@log@it",))


def text(value: str) -> Payload:
    return inline(msgspec.json.encode(value))


class Log:
    """An entity whose state is the text of all operations that ran; `fail` fails, `tell` signals, `drop` empties it."""

    def __init__(self) -> None:
        self.entity = LiveEntity(EXECUTION)
        self.places: list[tuple[int, int]] = []

    async def run(self, operation: Operation, first_id: int) -> Outcome:
        self.places.append((operation.position, operation.size))
        name = operation.request.operation
        if name == "fail":
            return Outcome(state=operation.state, failure=Failure(type="E", message="no"))
        if name == "look":
            return Outcome(state=operation.state, result=operation.state)
        if name == "drop":
            return Outcome(state=None)
        before = "" if operation.state is None else msgspec.json.decode(operation.state.data, type=str)
        sent = (EntitySignaled(id=first_id, entity_id="@log@other", operation="x"),) if name == "tell" else ()
        return Outcome(state=text(before + name), result=text(name), sent=sent)

    def turn(self, *inputs: Input) -> list[Event]:
        return list(asyncio.run(self.entity.take_turn(inputs, NOW, self.run)).events)

    @property
    def text(self) -> str:
        state = self.entity.state
        return "" if state is None else msgspec.json.decode(state.data, type=str)


def of(kind: type[Event], events: Sequence[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def test_operations_run_one_by_one_in_the_order_they_came() -> None:
    log = Log()
    events = log.turn(ask("a"), ask("b", caller=None), ask("c", caller=BEN))
    assert log.text == "abc"
    assert log.places == [(0, 3), (1, 3), (2, 3)]
    assert of(OperationEnded, events) == [
        OperationEnded(number=0, caller=ANN, result=text("a")),
        OperationEnded(number=1),
        OperationEnded(number=2, caller=BEN, result=text("c")),
    ]
    assert events[-1] == EntityUpdated(state=text("abc"))
    assert [type(event) for event in events[:2]] == [OperationRequested, OperationEnded]


def test_what_an_operation_sends_is_numbered_across_turns_and_stands_before_its_end() -> None:
    log = Log()
    first, second = log.turn(ask("tell"), ask("tell")), log.turn(ask("tell"))
    sent = of(EntitySignaled, [*first, *second])
    assert [getattr(event, "id", None) for event in sent] == [0, 1, 2]
    kinds = [type(event).__name__ for event in first]
    assert kinds[1:3] == ["EntitySignaled", "OperationEnded"]


def test_a_turn_that_changes_nothing_says_so() -> None:
    log = Log()
    log.turn(ask("a"))
    events = log.turn(ask("look"), ask("fail", caller=BEN))
    assert events[-1] == EntityUpdated(unchanged=True)
    ended = of(OperationEnded, events)
    assert ended[0] == OperationEnded(number=1, caller=ANN, result=text("a"))
    assert ended[1] == OperationEnded(number=2, caller=BEN, failure=Failure(type="E", message="no"))


def test_a_locked_entity_keeps_others_waiting_and_serves_its_holder() -> None:
    log = Log()
    events = log.turn(wants("l1"), ask("x", caller=BEN), wants("l2", BEN), ask("a", lock="l1"))
    assert log.text == "a"
    assert of(LockGranted, events) == [LockGranted(number=0, lock="l1", holder=ANN, entities=("@log@it",))]
    assert events[-1] == EntityUpdated(state=text("a"), waiting=2, lock="l1", locked_by="ann")
    after = log.turn(LockReleased(lock="l1"))
    assert log.text == "ax", "what came before the other lock is run before it is granted"
    assert of(LockGranted, after) == [LockGranted(number=2, lock="l2", holder=BEN, entities=("@log@it",))]
    assert after[-1] == EntityUpdated(state=text("ax"), lock="l2", locked_by="ben")


def test_an_operation_under_a_lock_that_is_gone_is_refused() -> None:
    log = Log()
    log.turn(wants("l1"), LockReleased(lock="l1"))
    (ended,) = of(OperationEnded, log.turn(ask("a", lock="l1")))
    assert isinstance(ended, OperationEnded)
    assert ended.failure is not None
    assert ended.failure.type.endswith("EntityLockLostError")
    assert log.text == ""


def test_a_lock_that_was_given_up_before_its_request_came_is_never_granted() -> None:
    log = Log()
    events = log.turn(LockReleased(lock="l1"), wants("l1"), ask("a"))
    assert of(LockGranted, events) == []
    assert log.text == "a"
    assert of(LockGranted, log.turn(wants("l1"))) != [], "the release counts once"


def test_a_lock_that_waits_is_given_up() -> None:
    log = Log()
    log.turn(wants("l1"), wants("l2", BEN))
    log.turn(LockReleased(lock="l2"))
    assert of(LockGranted, log.turn(LockReleased(lock="l1"))) == []
    assert log.turn(ask("a"))[-1] == EntityUpdated(state=text("a"))


def test_an_entity_is_removed_when_it_is_empty_and_nobody_waits() -> None:
    log = Log()
    log.turn(ask("a"))
    assert of(EntityRemoved, log.turn(RemovalRequested())) == []
    log.turn(ask("drop"), wants("l1"))
    assert of(EntityRemoved, log.turn(RemovalRequested())) == []
    log.turn(LockReleased(lock="l1"))
    assert log.turn(RemovalRequested())[-1] == EntityRemoved()
    assert log.entity.finished
    assert of(EntityRemoved, log.turn(RemovalRequested(), ask("b"))) == [], "what came behind makes it anew"
    assert log.text == "b"


def test_other_inputs_are_a_defect_of_the_engine() -> None:
    with pytest.raises(LookupError, match="EventRaised"):
        Log().turn(EventRaised(name="x", input=inline(b"1")))


def test_an_entity_that_is_restored_goes_on_as_the_live_one() -> None:
    log, turns = Log(), list[list[Event]]()
    turns.append(log.turn(ExecutionStarted(name="log", created_at=NOW), ask("tell"), wants("l1"), ask("x", caller=BEN)))
    turns.append(log.turn(ask("a", lock="l1"), LockReleased(lock="unknown")))
    restored = Log()
    for events in turns:
        restored.entity.restore(events, None)
    for inputs in ((wants("unknown", BEN), LockReleased(lock="l1")), (ask("tell"),)):
        assert restored.turn(*inputs) == log.turn(*inputs)
    assert restored.text == log.text == "tellaxtell"


def test_after_many_turns_the_next_execution_begins_where_it_was() -> None:
    log, last = Log(), list[Event]()
    log.turn(ask("a"), wants("l1"), ask("x", caller=BEN), LockReleased(lock="early"))
    for _ in range(MOST_TURNS - 1):
        assert not log.entity.finished
        last = log.turn(ask("look", lock="l1"))
    assert isinstance(last[-1], ContinuedAsNew)
    assert log.entity.finished
    assert last[-1].input is not None
    following = Log()
    began = following.turn(ExecutionStarted(name="log", created_at=NOW, input=last[-1].input), wants("early", BEN))
    assert following.text == "a"
    assert began[-1] == EntityUpdated(state=text("a"), waiting=1, lock="l1", locked_by="ann")
    following.turn(LockReleased(lock="l1"))
    assert following.text == "ax"


def test_large_states_end_an_execution_sooner() -> None:
    log, turns = Log(), 0
    while not log.entity.finished:
        log.turn(ask("y" * 60_000))
        turns += 1
    assert turns == 5
