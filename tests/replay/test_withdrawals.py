"""The books when the code cancels activities, or somebody the instance: nothing owed, what was sent is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from durable_ext.records import events, messages
from durable_ext.records.events import Event
from durable_ext.records.messages import Message
from durable_ext.records.turns import Turn
from durable_ext.replay.ledger import Ledger, Verdict

from .events import (
    EXECUTION,
    NOON,
    answer,
    cancelled,
    child,
    completed,
    continued,
    failed,
    failure,
    fired,
    payload,
    raised,
    refusal,
    sent,
    started,
    task,
    terminated,
    timer,
)
from .situation import turn_of

BEGUN: list[Event] = [started(), task(0, "a"), timer(1, 60), child(2, "ship"), task(3, "b")]


def ledger_of(*turns: Sequence[Event] | Turn) -> Ledger:
    ledger = Ledger(EXECUTION)
    for number, recorded in enumerate(turns):
        ledger.record(recorded if isinstance(recorded, Turn) else turn_of(number, recorded))
    return ledger


def under(trigger_id: str, number: int, recorded: Sequence[Event]) -> Turn:
    return msgspec.structs.replace(turn_of(number, recorded), trigger_id=trigger_id)


def _owed_by_last(ledger: Ledger) -> list[int | None]:
    return [owed.task_id for owed in ledger.owed_by(ledger.recorded[-1])]


def _withdrawn_by_last(ledger: Ledger) -> tuple[str, ...]:
    return ledger.withdrawn_by(ledger.recorded[-1])


def _sent_for(ledger: Ledger, *task_ids: int) -> tuple[str, ...]:
    """Ids of the messages that were sent for these decisions, as the turns said when they were the last."""
    replayed = Ledger(EXECUTION)
    ids: dict[int | None, str] = {}
    for turn in ledger.recorded:
        replayed.record(turn)
        ids |= {owed.task_id: owed.message.id for owed in replayed.owed_by(turn)}
    return tuple(ids[task_id] for task_id in task_ids)


@pytest.mark.parametrize("why", [None, failure()])
def test_a_late_outcome_is_known(why: object) -> None:
    ledger = ledger_of(BEGUN, [raised("e"), cancelled(0)])
    late = messages.FinishTask(task_id=0, result=payload("ok"))
    if why is not None:
        late = messages.FinishTask(task_id=0, failure=failure())
    message = Message(id="m1", instance_id="order-1", execution_id="e1", body=late, sent_at=NOON)
    assert ledger.judge(message) is Verdict.KNOWN
    in_time = msgspec.structs.replace(message, body=messages.FinishTask(task_id=3, result=payload("ok")))
    assert ledger.judge(in_time) == answer(3, "ok")


def test_what_is_cancelled_is_not_owed() -> None:
    ledger = ledger_of(BEGUN, [raised("e"), cancelled(0)])
    assert [owed.task_id for owed in ledger.owed_under("start")] == [1, 2, 3]
    assert _owed_by_last(ledger) == []


def test_what_was_sent_is_withdrawn_in_the_order_of_the_code() -> None:
    ledger = ledger_of(BEGUN, [raised("e"), task(4, "c")], [raised("e"), cancelled(4), cancelled(0)])
    assert _withdrawn_by_last(ledger) == _sent_for(ledger, 4, 0) == ("e1-1-1", "e1-0-1")
    assert ledger.withdrawn_by(ledger.recorded[0]) == ledger.withdrawn_by(ledger.recorded[1]) == ()


def test_what_one_turn_asks_for_and_cancels_is_never_sent() -> None:
    ledger = ledger_of(BEGUN, [raised("e"), task(4, "c"), task(5, "d"), cancelled(4)])
    assert _owed_by_last(ledger) == [5]
    assert _withdrawn_by_last(ledger) == ()
    assert [owed.task_id for owed in ledger.owed_under("start")] == [0, 1, 2, 3, 5]


def test_what_had_its_answer_is_not_withdrawn() -> None:
    ledger = ledger_of(BEGUN, [answer(0), refusal(3)], [raised("e"), cancelled(0), cancelled(3)])
    assert _withdrawn_by_last(ledger) == ()


def test_an_answer_that_came_with_the_cancellation_changes_nothing() -> None:
    ledger = ledger_of(BEGUN, [raised("e"), cancelled(0), answer(0)])
    assert [owed.task_id for owed in ledger.owed_under("start")] == [1, 2, 3]


def test_terminate_withdraws_what_is_open() -> None:
    """Activities alone: children are terminated by a message, a timer is dropped when it fires, and not sent again."""
    ledger = ledger_of(BEGUN, [answer(3), task(4, "c")], [raised("e"), task(5, "d"), terminated()])
    assert _withdrawn_by_last(ledger) == _sent_for(ledger, 0, 4)
    assert [type(owed.message.body) for owed in ledger.owed_by(ledger.recorded[-1])] == [messages.Terminate]
    assert [owed.task_id for owed in ledger.owed_under("start")] == [2, None]


@pytest.mark.parametrize("end", [completed(), failed(failure()), continued(1)])
def test_every_other_end_withdraws_nothing(end: Event) -> None:
    """What nobody waited for goes on (P4), but for timers."""
    ledger = ledger_of(BEGUN, [raised("e"), end])
    assert _withdrawn_by_last(ledger) == ()
    assert [owed.task_id for owed in ledger.owed_under("start") if owed.task_id is not None] == [0, 2, 3]


def test_a_trigger_withdraws_what_its_own_turns_do() -> None:
    ledger = ledger_of(
        under("one", 0, BEGUN),
        under("two", 1, [raised("e"), cancelled(0), task(4, "c"), task(5, "d")]),
        under("three", 2, [raised("e"), cancelled(3)]),
        under("two", 3, [raised("e"), cancelled(5), cancelled(4)]),
    )
    assert ledger.withdrawn_under("one") == ledger.withdrawn_under("unknown") == ()
    assert ledger.withdrawn_under("two") == _sent_for(ledger, 0, 5, 4)
    assert ledger.withdrawn_under("three") == _sent_for(ledger, 3)


def test_every_open_decision_is_outstanding() -> None:
    detached = msgspec.structs.replace(child(5, "audit"), detached=True)
    first = [*BEGUN, sent(4, "other", "hello"), detached]
    ledger = ledger_of(first, [raised("e"), task(6, "c")])
    outstanding = ledger.outstanding()
    assert [(turn.number, owed.task_id) for turn, owed in outstanding] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 6)]
    due = [owed for turn in ledger.recorded for owed in ledger.owed_by(turn) if owed.task_id is not None]
    assert [owed for _, owed in outstanding] == due
    assert all(turn is ledger.recorded[turn.number] for turn, _ in outstanding)


def test_what_is_outstanding_names_what_was_sent_before_it() -> None:
    call = events.EntityCalled(id=4, entity_id="@counter@one", operation="add")
    ledger = ledger_of(BEGUN, [raised("e"), call, msgspec.structs.replace(call, id=5)])
    first, second = (owed.message for _, owed in ledger.outstanding() if owed.task_id in {4, 5})
    assert (first.after, second.after) == ("", first.id)


def test_what_has_an_outcome_is_not_outstanding() -> None:
    ledger = ledger_of(BEGUN, [fired(1), answer(0), cancelled(3)])
    assert [owed.task_id for _, owed in ledger.outstanding()] == [2]
    assert Ledger(EXECUTION).outstanding() == ()


@pytest.mark.parametrize("end", [completed(), failed(failure()), continued(1), terminated()])
def test_after_the_end_nothing_is_outstanding(end: Event) -> None:
    assert ledger_of(BEGUN, [raised("e"), end]).outstanding() == ()


def test_a_recursive_terminate_still_reaches_children_of_this_turn() -> None:
    ledger = ledger_of([*BEGUN, events.CustomStatusSet(status=payload("x")), terminated()])
    owed = ledger.owed_by(ledger.recorded[0])
    kinds = [messages.FireTimer, messages.StartExecution, messages.Terminate]
    assert [type(entry.message.body) for entry in owed] == kinds
