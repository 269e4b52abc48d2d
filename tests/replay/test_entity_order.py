"""What one execution sends to one entity names what it sent there before; what others get is left alone."""

from __future__ import annotations

from datetime import UTC, datetime

from durable_ext.records.instance import Caller, Preceding
from durable_ext.records.messages import Message, RaiseEvent, RequestLock, RunOperation
from durable_ext.records.payloads import inline
from durable_ext.replay.order import Order
from durable_ext.replay.outbox import Owed

NOW = datetime(2030, 1, 1, tzinfo=UTC)
A, B, C = "@counter@a", "@counter@b", "@counter@c"


def owed(message_id: str, to: str = A, due: datetime | None = None) -> Owed:
    body = RunOperation(operation="add") if to.startswith("@") else RaiseEvent(name="e", input=inline(b"1"))
    return Owed(Message(id=message_id, instance_id=to, body=body, sent_at=NOW, due=due), task_id=None)


def lock(message_id: str, to: str = A, task_id: int | None = 7) -> Owed:
    holder = Caller(instance_id="it", execution_id="it-1", task_id=7)
    body = RequestLock(lock="l", holder=holder, entities=(A, B, C))
    return Owed(Message(id=message_id, instance_id=to, body=body, sent_at=NOW), task_id=task_id)


def afters(order: Order, *entries: Owed) -> list[str]:
    return [entry.message.after for entry in order.apply(entries)]


def test_each_message_names_the_one_before_it_across_turns() -> None:
    order = Order()
    first, second = (owed("1"), owed("2", B), owed("3")), (owed("4"), owed("5", B))
    order.enter(first)
    order.enter(second)
    assert afters(order, *first) == ["", "", "1"]
    assert afters(order, *second) == ["3", "2"]
    assert order.place(owed("4")).message.after_at == NOW


def test_orchestrations_and_signals_for_later_have_no_place_in_it() -> None:
    order = Order()
    entries = (owed("1"), owed("2", "somebody"), owed("3", due=NOW), owed("4", "somebody"))
    order.enter(entries)
    assert order.is_trivial
    assert afters(order, *entries) == ["", "", "", ""]
    order.enter((owed("5"),))
    assert not order.is_trivial
    assert afters(order, owed("5")) == ["1"]


def test_a_request_for_a_lock_carries_along_what_each_entity_is_to_take_first() -> None:
    order = Order()
    order.enter((owed("1", B), owed("2"), lock("3"), owed("4"), owed("5", B)))
    asked = order.place(lock("3")).message
    assert asked.after == "2"
    assert isinstance(asked.body, RequestLock)
    assert asked.body.after == (Preceding(entity_id=B, message_id="1", sent_at=NOW),)
    assert afters(order, owed("4"), owed("5", B)) == ["3", "1"]


def test_a_request_that_an_entity_passes_on_has_no_place_among_its_own_messages() -> None:
    order = Order()
    entries = (owed("1", B), lock("2", B, task_id=None), owed("3", B))
    order.enter(entries)
    assert afters(order, *entries) == ["", "", "1"]
