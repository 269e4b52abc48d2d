"""Who gets what an orchestration asks of entities, and what entities answer."""

from __future__ import annotations

from datetime import UTC, datetime

from durable_ext.records.entity_events import EntityCalled, EntitySignaled, LockAsked, LockGranted, OperationEnded
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.failures import Failure
from durable_ext.records.ids import lock_id
from durable_ext.records.instance import Caller, Execution, Preceding
from durable_ext.records.messages import (
    FinishOperation,
    GrantLock,
    Message,
    ReleaseLock,
    RequestLock,
    RunOperation,
)
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn
from durable_ext.replay.entity_outbox import (
    answer_letter,
    answered_caller,
    answers,
    asker_of,
    letter_to_entity,
    letters_of_release,
)
from durable_ext.replay.outbox import owed_by

NOW = datetime(2030, 1, 1, tzinfo=UTC)
IT = Execution(instance_id="it", execution_id="it-1", generation=0)
A, B = "@counter@a", "@counter@b"
CALLER = Caller(instance_id="it", execution_id="it-1", task_id=3)


def message(body: FinishOperation | GrantLock | RunOperation | RequestLock | ReleaseLock, to: str = "it") -> Message:
    return Message(id="m", instance_id=to, execution_id="it-1", body=body, sent_at=NOW)


def test_a_call_says_who_waits_and_a_signal_does_not() -> None:
    called = EntityCalled(id=3, entity_id=A, operation="add", input=inline(b"1"), lock="l")
    body = RunOperation(operation="add", input=inline(b"1"), caller=CALLER, lock="l")
    assert letter_to_entity(IT, called) == (body, A, None)
    signaled = EntitySignaled(id=4, entity_id=B, operation="add", input=inline(b"2"))
    assert letter_to_entity(IT, signaled) == (RunOperation(operation="add", input=inline(b"2")), B, None)


def test_a_lock_is_asked_of_the_first_entity_and_released_at_all() -> None:
    asked, name = LockAsked(id=3, entities=(A, B)), lock_id(IT, 3)
    assert letter_to_entity(IT, asked) == (RequestLock(lock=name, holder=CALLER, entities=(A, B)), A, None)
    assert list(letters_of_release(IT, asked)) == [(ReleaseLock(lock=name), A, None), (ReleaseLock(lock=name), B, None)]


def test_a_lock_goes_from_entity_to_entity_and_the_last_one_tells_the_holder() -> None:
    granted = LockGranted(number=0, lock="l", holder=CALLER, entities=(A, B))
    assert answer_letter(A, granted) == (RequestLock(lock="l", holder=CALLER, entities=(A, B)), B, None)
    assert answer_letter(B, granted) == (GrantLock(task_id=3), "it", "it-1")


def test_a_lock_that_is_passed_on_takes_along_what_comes_before_it() -> None:
    after = (Preceding(entity_id=B, message_id="m", sent_at=NOW),)
    granted = LockGranted(number=0, lock="l", holder=CALLER, entities=(A, B), after=after)
    turn = Turn(
        execution=Execution(instance_id=A, execution_id="a-1"),
        number=3,
        events=(granted,),
        message_ids=(),
        trigger_id="t",
        time=NOW,
        commit_id="c",
    )
    (owed,) = owed_by(turn, ExecutionStarted(name=A, created_at=NOW), ())
    assert (owed.message.instance_id, owed.message.after, owed.message.after_at) == (B, "m", NOW)
    assert owed.message.body == RequestLock(lock="l", holder=CALLER, entities=(A, B), after=after)


def test_an_operation_answers_who_called_it_and_nobody_else() -> None:
    assert answer_letter(A, OperationEnded(number=0, result=inline(b"1"))) is None
    done = OperationEnded(number=0, caller=CALLER, result=inline(b"1"))
    assert answer_letter(A, done) == (FinishOperation(task_id=3, result=inline(b"1")), "it", "it-1")
    failure = Failure(type="E", message="no")
    failed = OperationEnded(number=0, caller=CALLER, failure=failure)
    assert answer_letter(A, failed) == (FinishOperation(task_id=3, failure=failure), "it", "it-1")


def test_who_asked_and_who_is_answered() -> None:
    assert asker_of(message(RunOperation(operation="add", caller=CALLER), A)) == CALLER
    assert asker_of(message(RequestLock(lock="l", holder=CALLER, entities=(A,)), A)) == CALLER
    assert asker_of(message(ReleaseLock(lock="l"), A)) is None
    assert answered_caller(OperationEnded(number=0, caller=CALLER)) == CALLER
    assert answered_caller(LockGranted(number=0, lock="l", holder=CALLER, entities=(A,))) == CALLER
    assert answered_caller("something else") is None
    finish = message(FinishOperation(task_id=3))
    assert answers(finish, CALLER)
    assert answers(message(GrantLock(task_id=3)), CALLER)
    assert not answers(finish, None)
    assert not answers(message(FinishOperation(task_id=4)), CALLER)
    assert not answers(finish, Caller(instance_id="it", execution_id="it-2", task_id=3))
    assert not answers(message(RunOperation(operation="add", caller=CALLER)), CALLER)
