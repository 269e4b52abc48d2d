"""What a committed turn sends is derived from it alone; sending again sends the same (P4)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from durable_ext.records import events, messages
from durable_ext.records.events import Event
from durable_ext.records.instance import Execution, Parent
from durable_ext.replay.outbox import Owed, owed_by

from .events import (
    EXECUTION,
    at,
    child,
    completed,
    failed,
    failure,
    payload,
    raised,
    sent,
    started,
    status,
    task,
    terminated,
    timer,
)
from .situation import turn_of

PARENT = Parent(instance_id="boss", execution_id="b1", task_id=7)


def sent_by(*recorded: Event, parent: Parent | None = None, number: int = 3) -> list[Owed]:
    open_children = [event for event in recorded if isinstance(event, events.ChildScheduled)]
    return list(owed_by(turn_of(number, recorded), started(parent=parent), open_children))


def plain(owed: Owed) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(owed.message))


def test_an_activity() -> None:
    asked = events.TaskScheduled(id=4, name="a", input=payload(1), placement="local", tags={"team": "a"})
    [owed] = sent_by(raised("e"), asked)
    assert (owed.task_id, owed.placement) == (4, "local")
    assert plain(owed) == {
        "id": "e1-3-1",
        "instanceId": "order-1",
        "executionId": "e1",
        "sentAt": "2030-01-01T12:00:03Z",
        "body": {
            "type": "RunActivity",
            "taskId": 4,
            "name": "a",
            "input": {"json": 1, "size": 1},
            "tags": {"team": "a"},
        },
    }


def test_a_timer_is_hidden_until_it_is_due() -> None:
    [owed] = sent_by(timer(2, 60))
    assert owed.task_id == 2
    assert owed.message.due == at(60)
    assert owed.message.body == messages.FireTimer(task_id=2, fire_at=at(60))
    assert owed.message.execution_id == "e1"


def test_a_child_is_started_under_its_derived_ids() -> None:
    asked = child(2, "ship", 5)
    [owed] = sent_by(asked)
    body = owed.message.body
    assert isinstance(body, messages.StartExecution)
    assert owed.task_id == 2
    assert owed.message.instance_id == "e1:2"
    assert owed.message.execution_id == asked.execution_id
    assert body.execution == Execution(instance_id="e1:2", execution_id=asked.execution_id)
    assert body.parent == Parent(instance_id="order-1", execution_id="e1", task_id=2, name="main")
    assert (body.name, body.created_at) == ("ship", at(3))


def test_a_detached_child_has_no_parent_and_no_outcome() -> None:
    [owed] = sent_by(msgspec.structs.replace(child(2, "ship"), detached=True))
    body = owed.message.body
    assert isinstance(body, messages.StartExecution)
    assert body.parent is None
    assert owed.task_id is None


def test_an_event_goes_to_whichever_execution_is_current() -> None:
    [owed] = sent_by(sent(5, "other", "hello", "you"))
    assert owed.task_id is None
    assert (owed.message.instance_id, owed.message.execution_id) == ("other", None)
    assert plain(owed)["body"] == {"type": "RaiseEvent", "name": "hello", "input": {"json": "you", "size": 5}}


@pytest.mark.parametrize(
    ("end", "field", "value"),
    [
        (completed("ok"), "result", {"json": "ok", "size": 4}),
        (failed(failure()), "failure", {"type": "shop.OutOfStock", "message": "no stock"}),
        (
            terminated(),
            "failure",
            {"type": "Terminated", "message": "the child orchestration was terminated: enough"},
        ),
    ],
)
def test_the_parent_hears_how_it_ended(end: Event, field: str, value: object) -> None:
    [owed] = sent_by(raised("e"), end, parent=PARENT)
    assert (owed.message.instance_id, owed.message.execution_id) == ("boss", "b1")
    assert plain(owed)["body"] == {"type": "FinishChild", "taskId": 7, field: value}
    assert owed.task_id is None


def test_without_a_parent_nobody_hears() -> None:
    assert sent_by(completed("ok")) == []


def test_a_terminate_goes_to_running_children_and_to_the_parent() -> None:
    first, second = child(1, "ship"), child(2, "bill", instance_id="bill-1")
    sent_now = list(owed_by(turn_of(9, [terminated()]), started(parent=PARENT), [first, task(3, "a"), second]))
    assert [(owed.message.instance_id, owed.message.execution_id) for owed in sent_now] == [
        ("e1:1", None),
        ("bill-1", None),
        ("boss", "b1"),
    ]
    wanted = messages.Terminate(reason="enough", recursive=True, by_parent="e1")
    assert [owed.message.body for owed in sent_now[:2]] == [wanted, wanted]
    assert len({owed.message.id for owed in sent_now}) == 3


def test_a_terminate_that_is_not_recursive_leaves_children_alone() -> None:
    end = events.ExecutionTerminated(reason="enough", recursive=False)
    assert list(owed_by(turn_of(9, [end]), started(), [child(1, "ship")])) == []


def test_other_events_send_nothing() -> None:
    assert sent_by(started(), raised("e"), status(1), parent=PARENT) == []


def test_ids_are_stable_and_distinct() -> None:
    recorded = (task(0, "a"), timer(1, 60), child(2, "ship"), sent(3, "other", "e"), task(4, "a"))
    ids = [owed.message.id for owed in sent_by(*recorded)]
    assert ids == [owed.message.id for owed in sent_by(*recorded)]
    elsewhere = [owed.message.id for owed in sent_by(*recorded, number=4)]
    other = msgspec.structs.replace(
        turn_of(3, recorded), execution=Execution(instance_id="order-1", execution_id="e2", generation=1)
    )
    next_generation = [owed.message.id for owed in owed_by(other, started(), ())]
    assert len({*ids, *elsewhere, *next_generation}) == 15
    assert EXECUTION.execution_id in ids[0]
