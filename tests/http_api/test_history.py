"""Turns as Durable Functions' history events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from durable_ext.http_api.history import to_history
from durable_ext.records import events
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Caller, Parent
from durable_ext.records.payloads import Payload, stored

from .asking import ask
from .store import NOW, Hub, json_payload, turn_of

LATER = NOW + timedelta(seconds=5)
FIRE_AT = datetime(2025, 3, 2, tzinfo=UTC)
FAILURE = Failure(type="app.NoStock", message="sold out", traceback="Traceback: sold out")
START = events.ExecutionStarted(name="greet", input=json_payload(1), version="2", tags={"a": "b"}, created_at=NOW)


def shown(*events_of_turns: tuple[events.Event, ...], with_input: bool = True, with_output: bool = True) -> Any:
    """The history of turns five seconds apart, with payloads as text."""
    turns = [
        turn_of("i", *found, number=number, time=NOW + timedelta(seconds=5) * number)
        for number, found in enumerate(events_of_turns)
    ]
    history = to_history(turns, with_input=with_input, with_output=with_output)
    return [{name: _text(value) for name, value in event.items()} for event in history]


def _text(value: Any) -> Any:
    return value.data.decode() if isinstance(value, Payload) else value


def test_a_start() -> None:
    assert shown((START,)) == [
        {"EventType": "ExecutionStarted", "Timestamp": NOW, "FunctionName": "greet", "Input": "1"}
    ]


def test_an_activity_that_is_answered_is_one_event() -> None:
    scheduled = events.TaskScheduled(id=0, name="reserve", input=json_payload("a"))
    assert shown((scheduled,), (events.TaskCompleted(task_id=0, result=json_payload("b")),)) == [
        {
            "EventType": "TaskCompleted",
            "Timestamp": LATER,
            "ScheduledTime": NOW,
            "FunctionName": "reserve",
            "Input": '"a"',
            "Result": '"b"',
        }
    ]
    assert shown((scheduled,), (events.TaskFailed(task_id=0, failure=FAILURE),), with_input=False) == [
        {
            "EventType": "TaskFailed",
            "Timestamp": LATER,
            "ScheduledTime": NOW,
            "FunctionName": "reserve",
            "Reason": "NoStock: sold out",
            "Details": "Traceback: sold out",
        }
    ]


def test_a_child_that_is_answered_is_one_event() -> None:
    scheduled = events.ChildScheduled(id=3, name="child", instance_id="c", execution_id="e", input=json_payload("a"))
    completed = events.ChildCompleted(task_id=3, result=json_payload("b"))
    (event,) = shown((scheduled,), (completed,), with_output=False)
    assert event["EventType"] == "SubOrchestrationInstanceCompleted"
    assert (event["ScheduledTime"], event["FunctionName"], event["Input"]) == (NOW, "child", '"a"')
    assert "Result" not in event
    failed = events.ChildFailed(task_id=3, failure=FAILURE)
    (event,) = shown((scheduled,), (failed,))
    assert (event["EventType"], event["Reason"]) == ("SubOrchestrationInstanceFailed", "NoStock: sold out")


def test_an_activity_that_is_cancelled_is_one_event() -> None:
    scheduled = events.TaskScheduled(id=0, name="reserve", input=json_payload("a"))
    assert shown((scheduled,), (events.TaskCancelled(task_id=0),)) == [
        {
            "EventType": "TaskCancelled",
            "Timestamp": LATER,
            "ScheduledTime": NOW,
            "FunctionName": "reserve",
            "Input": '"a"',
        }
    ]


def test_decisions_without_an_answer_yet() -> None:
    task = events.TaskScheduled(id=0, name="reserve", input=json_payload("a"))
    child = events.ChildScheduled(id=1, name="child", instance_id="c", execution_id="e", input=json_payload("b"))
    assert shown((task, child), with_input=False) == [
        {"EventType": "TaskScheduled", "Timestamp": NOW, "Name": "reserve"},
        {"EventType": "SubOrchestrationInstanceCreated", "Timestamp": NOW, "Name": "child", "InstanceId": "c"},
    ]
    assert [event["Input"] for event in shown((task, child))] == ['"a"', '"b"']


def test_a_timer_stays_two_events() -> None:
    assert shown((events.TimerCreated(id=0, fire_at=FIRE_AT),), (events.TimerFired(task_id=0),)) == [
        {"EventType": "TimerCreated", "Timestamp": NOW, "FireAt": FIRE_AT},
        {"EventType": "TimerFired", "Timestamp": LATER, "FireAt": FIRE_AT},
    ]


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (
            events.EventRaised(name="go", input=json_payload(1)),
            {"EventType": "EventRaised", "Name": "go", "Input": "1"},
        ),
        (
            events.EventSent(id=0, instance_id="x", name="go", input=json_payload(1)),
            {"EventType": "EventSent", "InstanceId": "x", "Name": "go", "Input": "1"},
        ),
        (events.ExecutionSuspended(reason="r"), {"EventType": "ExecutionSuspended", "Reason": "r"}),
        (events.ExecutionResumed(reason="r"), {"EventType": "ExecutionResumed", "Reason": "r"}),
        (
            events.ExecutionTerminated(reason="r"),
            {"EventType": "ExecutionTerminated", "Reason": "r", "Input": '"r"'},
        ),
        (
            events.ExecutionTerminated(reason="r", output=json_payload(1)),
            {"EventType": "ExecutionTerminated", "Reason": "r", "Input": '"r"', "Result": "1"},
        ),
        (
            events.ExecutionCompleted(result=json_payload(1)),
            {"EventType": "ExecutionCompleted", "OrchestrationStatus": "Completed", "Result": "1"},
        ),
        (
            events.ExecutionFailed(failure=FAILURE),
            {
                "EventType": "ExecutionCompleted",
                "OrchestrationStatus": "Failed",
                "Result": '"NoStock: sold out"',
                "Reason": "NoStock: sold out",
                "Details": "Traceback: sold out",
            },
        ),
        (
            events.ContinuedAsNew(input=json_payload(1), execution_id="next"),
            {"EventType": "ContinueAsNew", "OrchestrationStatus": "ContinuedAsNew", "Result": "1"},
        ),
    ],
)
def test_other_events(event: events.Event, fields: dict[str, Any]) -> None:
    assert shown((event,)) == [{"Timestamp": NOW, **fields}]
    bare = {name: value for name, value in fields.items() if name not in ("Input", "Result")}
    assert shown((event,), with_input=False, with_output=False) == [{"Timestamp": NOW, **bare}]


def test_custom_statuses_are_left_out() -> None:
    assert shown((events.CustomStatusSet(status=json_payload(1)),)) == []


def test_an_answer_without_its_decision_is_shown_all_the_same() -> None:
    result = json_payload(1)
    answers = (events.TaskCompleted(task_id=7, result=result), events.TimerFired(task_id=8))
    assert [event["EventType"] for event in shown(answers)] == ["TaskCompleted", "TimerFired"]


def test_every_kind_of_event_is_known() -> None:
    made = {
        "name": "n",
        "input": json_payload(1),
        "result": json_payload(1),
        "status": json_payload(1),
        "value": json_payload(1),
        "key": "k",
        "failure": FAILURE,
        "created_at": NOW,
        "fire_at": NOW,
        "id": 0,
        "task_id": 0,
        "instance_id": "i",
        "execution_id": "e",
        "entity_id": "@counter@one",
        "operation": "add",
        "entities": ("@counter@one",),
        "lock": "l",
        "holder": Caller(instance_id="i", execution_id="e", task_id=0),
        "number": 0,
        "origin": "e",
        "parent": Parent(instance_id="p", execution_id="e", task_id=0),
    }
    for kind in get_args(events.Event):
        event = kind(**{name: value for name, value in made.items() if name in kind.__struct_fields__})
        assert isinstance(shown((event,)), list)


def test_entities_are_events_sent_and_raised() -> None:
    holder = Caller(instance_id="i", execution_id="e", task_id=1)
    asked = (
        events.EntityCalled(id=0, entity_id="@counter@one", operation="add", input=json_payload(2)),
        events.LockAsked(id=1, entities=("@counter@one", "@counter@two")),
        events.OperationCompleted(task_id=0, result=json_payload(5)),
        events.LockAcquired(task_id=1),
        events.LockLeft(task_id=1),
    )
    assert shown(asked) == [
        {"EventType": "EventSent", "Timestamp": NOW, "InstanceId": "@counter@one", "Name": "add", "Input": "2"},
        {"EventType": "EventSent", "Timestamp": NOW, "InstanceId": "@counter@one, @counter@two", "Name": "lock"},
        {"EventType": "EventRaised", "Timestamp": NOW, "Name": "add", "Input": "5"},
        {"EventType": "EventRaised", "Timestamp": NOW, "Name": "lock"},
        {"EventType": "EventSent", "Timestamp": NOW, "InstanceId": "@counter@one, @counter@two", "Name": "release"},
    ]
    happened = (
        events.OperationRequested(operation="add", input=json_payload(2), caller=holder),
        events.OperationEnded(number=0, caller=holder, result=json_payload(5)),
        events.EntityUpdated(state=json_payload(5)),
        events.OperationFailed(task_id=9, failure=FAILURE),
    )
    assert shown(happened, with_input=False) == [
        {"EventType": "EventRaised", "Timestamp": NOW, "Name": "add"},
        {"EventType": "EventSent", "Timestamp": NOW, "InstanceId": "i", "Name": "result"},
        {
            "EventType": "EventRaised",
            "Timestamp": NOW,
            "Name": "",
            "Reason": "NoStock: sold out",
            "Details": "Traceback: sold out",
        },
    ]


def history_of(hub: Hub, query: str) -> list[dict[str, Any]]:
    return ask(hub, f"GET instances/i?{query}").json()["historyEvents"]


def test_over_http_with_long_payloads_loaded() -> None:
    hub = Hub()
    hub.add("i")
    hub.store.blobs = {"in": b'{"price": 1.10}', "out": b"[1.10]"}
    task = events.TaskScheduled(id=0, name="reserve", input=stored("in", 1))
    hub.add_turn("i", START, task)
    hub.add_turn("i", events.TaskCompleted(task_id=0, result=stored("out", 1)), number=1, time=LATER)
    response = ask(hub, "GET instances/i?showHistory=True&showHistoryOutput=True")
    assert b'"Input":{"price": 1.10},"Result":[1.10]' in response.content
    assert [event["Timestamp"] for event in response.json()["historyEvents"]] == [
        "2025-03-01T12:00:00.123456Z",
        "2025-03-01T12:00:05.123456Z",
    ]


def test_over_http_nothing_unwanted_is_loaded() -> None:
    hub = Hub()
    hub.add("i")
    task = events.TaskScheduled(id=0, name="reserve", input=stored("gone", 1))
    hub.add_turn("i", task, events.TaskCompleted(task_id=0, result=stored("gone", 1)))
    (event,) = history_of(hub, "showHistory=true&showInput=false")
    assert set(event) == {"EventType", "Timestamp", "ScheduledTime", "FunctionName"}
    assert "historyEvents" not in ask(hub, "GET instances/i?showHistoryOutput=true").json()
