"""What one execution sends to one entity names what it sent there before; what others get is left alone."""

from __future__ import annotations

from datetime import UTC, datetime

from durable_ext.records.messages import Message, RaiseEvent, RunOperation
from durable_ext.records.payloads import inline
from durable_ext.replay.order import Order
from durable_ext.replay.outbox import Owed

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def owed(message_id: str, to: str = "@counter@a", due: datetime | None = None) -> Owed:
    body = RunOperation(operation="add") if to.startswith("@") else RaiseEvent(name="e", input=inline(b"1"))
    return Owed(Message(id=message_id, instance_id=to, body=body, sent_at=NOW, due=due), task_id=None)


def afters(order: Order, *entries: Owed) -> list[str]:
    return [entry.message.after for entry in order.apply(entries)]


def test_each_message_names_the_one_before_it_across_turns() -> None:
    order = Order()
    first, second = (owed("1"), owed("2", "@counter@b"), owed("3")), (owed("4"), owed("5", "@counter@b"))
    order.enter(first)
    order.enter(second)
    assert afters(order, *first) == ["", "", "1"]
    assert afters(order, *second) == ["3", "2"]


def test_orchestrations_and_signals_for_later_have_no_place_in_it() -> None:
    order = Order()
    entries = (owed("1"), owed("2", "somebody"), owed("3", due=NOW), owed("4", "somebody"))
    order.enter(entries)
    assert order.is_trivial
    assert afters(order, *entries) == ["", "", "", ""]
    order.enter((owed("5"),))
    assert not order.is_trivial
    assert afters(order, owed("5")) == ["1"]
