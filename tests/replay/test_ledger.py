"""The books of an execution: what is news (P7), what is early (P12), and what is owed (P4, P6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec
import pytest

from durable_ext.records import events, messages
from durable_ext.records.events import Event
from durable_ext.records.instance import Caller
from durable_ext.records.messages import Body, Message
from durable_ext.replay.ledger import Ledger, Verdict

from .events import (
    EXECUTION,
    NOON,
    answer,
    child,
    child_answer,
    child_refusal,
    completed,
    continued,
    facts,
    failed,
    failure,
    fired,
    payload,
    raised,
    refusal,
    resumed,
    sent,
    started,
    suspended,
    task,
    terminated,
    timer,
)
from .situation import turn_of

BEGUN: list[Event] = [
    started(),
    task(0, "a"),
    timer(1, 60),
    child(2, "ship"),
    task(3, "b"),
]
ASKED: list[Event] = [
    *BEGUN,
    events.EntityCalled(id=4, entity_id="@counter@one", operation="add"),
    events.LockAsked(id=5, entities=("@counter@one", "@counter@two")),
]
ANY = None

HOLDER = Caller(instance_id="order-1", execution_id="e1", task_id=5)
START = messages.StartExecution(execution=EXECUTION, name="main", input=payload(1), created_at=NOON)
DONE = messages.FinishTask(task_id=0, result=payload("ok"))
RUN = messages.RunActivity(task_id=0, name="a", input=payload(1))
BODIES: list[Body] = [
    START,
    DONE,
    messages.FinishChild(task_id=2, result=payload("ok")),
    messages.FireTimer(task_id=1, fire_at=NOON),
    messages.RaiseEvent(name="e", input=payload(1)),
    messages.Terminate(reason="enough", recursive=False),
    messages.Suspend(reason="stop"),
    messages.Resume(reason="go"),
    RUN,
    messages.FinishOperation(task_id=4, result=payload("ok")),
    messages.GrantLock(task_id=5),
    messages.RunOperation(operation="add"),
    messages.RequestLock(lock="l", holder=HOLDER, entities=("@counter@one",)),
    messages.ReleaseLock(lock="l"),
    messages.RemoveEntity(),
]


def ledger_of(*turns: Sequence[Event]) -> Ledger:
    ledger = Ledger(EXECUTION)
    for number, recorded in enumerate(turns):
        ledger.record(turn_of(number, recorded))
    return ledger


def message(body: Body, *, execution_id: str | None = "e1", message_id: str = "m1") -> Message:
    return Message(id=message_id, instance_id="order-1", execution_id=execution_id, body=body, sent_at=NOON)


def verdict(ledger: Ledger, body: Body, *, execution_id: str | None = "e1") -> object:
    found = ledger.judge(message(body, execution_id=execution_id))
    return found if isinstance(found, Verdict) else facts([found])[0]


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (DONE, answer(0, "ok")),
        (messages.FinishTask(task_id=3, failure=failure()), refusal(3)),
        (messages.FinishTask(task_id=3), answer(3)),
        (messages.FinishChild(task_id=2, result=payload("ok")), child_answer(2, "ok")),
        (messages.FinishChild(task_id=2, failure=failure()), child_refusal(2)),
        (messages.FireTimer(task_id=1, fire_at=NOON), fired(1)),
        (
            messages.FinishOperation(task_id=4, result=payload("ok")),
            events.OperationCompleted(task_id=4, result=payload("ok")),
        ),
        (
            messages.FinishOperation(task_id=4, failure=failure()),
            events.OperationFailed(task_id=4, failure=failure()),
        ),
        (messages.GrantLock(task_id=5), events.LockAcquired(task_id=5)),
        (messages.RaiseEvent(name="e", input=payload(1)), raised("e", 1)),
        (messages.Terminate(reason="enough"), terminated()),
        (
            messages.Terminate(reason="enough", recursive=False),
            events.ExecutionTerminated(reason="enough", recursive=False),
        ),
        (messages.Suspend(reason="stop"), suspended()),
        (messages.Resume(reason="go"), resumed()),
    ],
)
def test_news_become_inputs(body: Body, event: Event) -> None:
    assert verdict(ledger_of(ASKED), body) == facts([event])[0]


def test_a_start_is_news_before_turn_0_only() -> None:
    wanted = started(1)
    assert verdict(ledger_of(), START) == facts([wanted])[0]
    assert verdict(ledger_of(BEGUN), START) is Verdict.KNOWN


def test_a_start_hands_over_all_it_has() -> None:
    body = msgspec.structs.replace(START, version="2", tags={"team": "a"}, previous="e0")
    found = ledger_of().judge(message(body))
    assert isinstance(found, events.ExecutionStarted)
    assert (found.version, found.tags, found.created_at, found.previous) == ("2", {"team": "a"}, NOON, "e0")


def test_there_is_a_case_for_every_kind_of_message() -> None:
    assert {type(body) for body in BODIES} == set(get_args(Body))


@pytest.mark.parametrize("body", BODIES)
def test_what_was_consumed_is_known(body: Body) -> None:
    ledger = Ledger(EXECUTION)
    ledger.record(msgspec.structs.replace(turn_of(0, BEGUN), message_ids=("m1", "m2")))
    assert verdict(ledger, body) is Verdict.KNOWN
    assert ledger.has_consumed("m1")
    assert not ledger.has_consumed("m3")


@pytest.mark.parametrize(
    "body",
    [
        messages.FinishTask(task_id=0, result=payload("again")),
        messages.FinishTask(task_id=0, failure=failure()),
        messages.FinishChild(task_id=2, result=payload("again")),
        messages.FireTimer(task_id=1, fire_at=NOON),
    ],
)
def test_a_second_answer_is_known_whatever_its_id(body: Body) -> None:
    ledger = ledger_of(BEGUN, [answer(0), fired(1), child_answer(2)])
    assert verdict(ledger, body) is Verdict.KNOWN


@pytest.mark.parametrize(
    "body",
    [
        messages.FinishTask(task_id=4, result=payload(1)),
        messages.FinishChild(task_id=4, result=payload(1)),
        messages.FireTimer(task_id=4, fire_at=NOON),
    ],
)
def test_an_answer_ahead_of_its_decision_is_early(body: Body) -> None:
    assert verdict(ledger_of(BEGUN), body) is Verdict.EARLY


@pytest.mark.parametrize(
    "body",
    [
        messages.FinishTask(task_id=1, result=payload(1)),
        messages.FinishTask(task_id=2, result=payload(1)),
        messages.FinishChild(task_id=0, result=payload(1)),
        messages.FireTimer(task_id=0, fire_at=NOON),
        messages.FireTimer(task_id=2, fire_at=NOON),
    ],
)
def test_an_answer_of_another_kind_is_none(body: Body) -> None:
    assert verdict(ledger_of(BEGUN), body) is Verdict.OVER


@pytest.mark.parametrize("body", BODIES)
def test_another_execution_is_not_ours(body: Body) -> None:
    assert verdict(ledger_of(BEGUN), body, execution_id="e0") is Verdict.OVER


def test_a_work_item_is_no_input() -> None:
    assert verdict(ledger_of(BEGUN), RUN) is Verdict.OVER


@pytest.mark.parametrize("body", [*BODIES[:5], *BODIES[6:]])
@pytest.mark.parametrize("end", [completed(), failed(failure()), terminated()])
def test_after_the_end_all_is_over(body: Body, end: Event) -> None:
    for execution_id in ("e1", ANY):
        assert verdict(ledger_of(BEGUN, [end]), body, execution_id=execution_id) is Verdict.OVER


def test_after_continue_as_new_the_next_execution_is_waited_for() -> None:
    ledger = ledger_of(BEGUN, [raised("e"), continued(1)])
    body = messages.RaiseEvent(name="e", input=payload(1))
    assert verdict(ledger, body, execution_id=ANY) is Verdict.EARLY
    assert verdict(ledger, body, execution_id="e2") is Verdict.EARLY
    assert verdict(ledger, DONE) is Verdict.OVER


def test_the_current_execution_takes_what_is_for_any() -> None:
    body = messages.RaiseEvent(name="e", input=payload(1))
    assert verdict(ledger_of(BEGUN), body, execution_id=ANY) == facts([raised("e", 1)])[0]


def test_suspend_and_resume_in_one_batch_are_both_news() -> None:
    """A batch is judged against committed turns: the resume must not be lost because the suspension is still ahead."""
    ledger = ledger_of(BEGUN)
    assert verdict(ledger, messages.Suspend(reason="stop")) == facts([suspended()])[0]
    assert verdict(ledger, messages.Resume(reason="go")) == facts([resumed()])[0]


# What is owed.


def _owed(ledger: Ledger, trigger: str) -> list[int | None]:
    return [owed.task_id for owed in ledger.owed_under(trigger)]


def test_all_is_owed_until_there_is_an_outcome_and_the_start_of_a_child_for_good() -> None:
    """The child may have ended elsewhere, and not have sent yet what its first turn decided (S4, P6)."""
    ledger = ledger_of([*BEGUN, sent(4, "other", "hello")])
    assert _owed(ledger, "start") == [0, 1, 2, 3, None]
    ledger.record(turn_of(1, [answer(0), fired(1)]))
    assert _owed(ledger, "start") == [2, 3, None]
    ledger.record(turn_of(2, [child_refusal(2), refusal(3)]))
    assert _owed(ledger, "start") == [2, None]


def test_a_trigger_answers_for_its_own_turns() -> None:
    ledger = Ledger(EXECUTION)
    ledger.record(turn_of(0, [started(), task(0, "a")]))
    ledger.record(msgspec.structs.replace(turn_of(1, [raised("e"), task(1, "b")]), trigger_id="second"))
    ledger.record(turn_of(2, [raised("e"), task(2, "c")]))
    assert _owed(ledger, "start") == [0, 2]
    assert _owed(ledger, "second") == [1]
    assert _owed(ledger, "unknown") == []


def test_what_is_owed_is_what_was_sent() -> None:
    ledger = ledger_of(BEGUN)
    assert ledger.owed_under("start") == ledger.owed_by(turn_of(0, BEGUN))


def test_nothing_is_owed_before_the_start() -> None:
    assert ledger_of([suspended()]).owed_under("start") == ()


def test_a_terminate_goes_on_to_children_that_still_run() -> None:
    detached = msgspec.structs.replace(child(5, "audit"), detached=True)
    first = [*BEGUN, child(4, "bill"), detached]
    ledger = ledger_of(first, [child_answer(2)], [terminated()])
    sent_to = [owed.message for owed in ledger.owed_by(ledger.recorded[-1])]
    assert [message.instance_id for message in sent_to] == ["e1:4"]
    assert sent_to[0].body == messages.Terminate(reason="enough", recursive=True, by_parent="e1")


def test_books_are_kept() -> None:
    ledger = ledger_of(BEGUN, [answer(0)])
    assert ledger.turns == 2
    assert [turn.number for turn in ledger.recorded] == [0, 1]
    assert ledger.last_turn is ledger.recorded[-1]
    assert ledger.started is BEGUN[0]
    assert ledger.ended is None
    assert Ledger(EXECUTION).last_turn is None
    end = completed()
    ledger.record(turn_of(2, [end]))
    assert ledger.ended is end
