"""Entities over HTTP: shown, listed in pages, signalled."""

from __future__ import annotations

from datetime import timedelta

from durable_ext.records.messages import RunOperation
from durable_ext.records.payloads import stored

from .asking import JSON, ask, word_of
from .store import NOW, Hub

LATER = NOW + timedelta(hours=1)


def hub() -> Hub:
    found = Hub()
    found.add("order-1")
    found.add_entity("@counter@a", 5)
    found.add_entity("@counter@b", {"n": 7}, LATER)
    found.add_entity("@ledger@a", [1])
    found.add_entity("@counter@gone", None)
    return found


def test_the_state_as_it_is() -> None:
    response = ask(hub(), "GET entities/COUNTER/b")
    assert (response.status_code, response.content) == (200, b'{"n":7}')


def test_one_without_a_state_is_not_there() -> None:
    assert ask(hub(), "GET entities/counter/gone").status_code == 404
    assert ask(hub(), "GET entities/counter/nobody").status_code == 404


def test_a_long_state_is_loaded() -> None:
    made = hub()
    made.store.blobs = {"s": b"[1.10]"}
    made.add_entity("@counter@long", 1)
    row = made.row("@counter@long")
    assert row is not None
    made.add("@counter@long", input=stored("s", 6), custom_status=row.custom_status)
    assert ask(made, "GET entities/counter/long").content == b"[1.10]"
    listed = ask(made, "GET entities/counter?fetchState=true").text
    assert '"state":[1.10]' in listed


def test_a_list_of_those_with_a_state() -> None:
    assert ask(hub(), "GET entities").json() == [
        {"entityId": {"name": "counter", "key": "a"}, "lastOperationTime": "2025-03-01T12:00:00Z"},
        {"entityId": {"name": "counter", "key": "b"}, "lastOperationTime": "2025-03-01T13:00:00Z"},
        {"entityId": {"name": "ledger", "key": "a"}, "lastOperationTime": "2025-03-01T12:00:00Z"},
    ]
    assert [found["state"] for found in ask(hub(), "GET entities/Counter?fetchState=true").json()] == [5, {"n": 7}]


def test_a_list_by_the_time_of_the_last_operation() -> None:
    late = ask(hub(), "GET entities?lastOperationTimeFrom=2025-03-01T12:30:00Z").json()
    early = ask(hub(), "GET entities/counter?lastOperationTimeTo=2025-03-01T12:30:00Z").json()
    assert [found["entityId"]["key"] for found in (*late, *early)] == ["b", "a"]


def test_page_by_page() -> None:
    made, token = hub(), ""
    keys: list[dict[str, str]] = []
    for _ in range(5):
        response = ask(made, "GET entities?top=1", headers={"x-ms-continuation-token": token} if token else None)
        keys += [found["entityId"] for found in response.json()]
        token = response.headers.get("x-ms-continuation-token", "")
        if not token:
            break
    assert [(key["name"], key["key"]) for key in keys] == [("counter", "a"), ("counter", "b"), ("ledger", "a")]


def test_entities_are_no_instances_of_a_list() -> None:
    assert [found["instanceId"] for found in ask(hub(), "GET instances").json()] == ["order-1"]
    found = ask(hub(), "GET instances?instanceIdPrefix=%40counter%40a").json()
    assert [one["instanceId"] for one in found] == ["@counter@a"]


def test_a_signal() -> None:
    made = hub()
    assert ask(made, "POST entities/Counter/new?op=add", b'{"by": 1.10}', JSON).status_code == 202
    assert ask(made, "POST entities/counter/new?op=reset").status_code == 202
    assert ask(made, "DELETE entities/counter/new").status_code == 202
    bodies = [message.body for message in made.store.sent]
    assert {message.instance_id for message in made.store.sent} == {"@counter@new"}
    found = [(body.operation, body.input and body.input.data) for body in bodies if isinstance(body, RunOperation)]
    assert found == [("add", b'{"by": 1.10}'), ("reset", None), ("delete", None)]


def test_a_signal_without_an_operation() -> None:
    response = ask(hub(), "POST entities/counter/new", b"1", JSON)
    assert (response.status_code, word_of(response)) == (400, "invalid_value")
