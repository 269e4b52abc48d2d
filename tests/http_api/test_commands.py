"""Starts and commands: what of the request reaches the instance."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import msgspec
import pytest

from durable_ext.errors import StorageUnavailableError
from durable_ext.http_api.app import Served, create_app
from durable_ext.http_api.bodies import event_data, start_input
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.refusals import Refusal
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RaiseEvent, Resume, StartExecution, Suspend, Terminate

from .asking import JSON, ask
from .store import Hub, json_payload

DEEP = b"[" * 100_000 + b"]" * 100_000  # deeper than any version of Python reads


def input_of(hub: Hub) -> bytes:
    body = hub.store.sent[-1].body
    assert isinstance(body, StartExecution | RaiseEvent)
    assert body.input is not None
    return body.input.data if body.input.blob is None else hub.store.blobs[body.input.blob]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", b"null"),
        (b" \r\n ", b"null"),
        (b"null", b"null"),
        (b' {"a": 1.10} ', b'{"a": 1.10}'),
        (b'"hello"', b'"hello"'),
        (b'"{\\"a\\": 1.10}"', b'{"a": 1.10}'),  # azure-functions-durable 1.x
        (b'"\\"hello\\""', b'"hello"'),
        (b'"\\"\\""', b'""'),
        (b'"null"', b"null"),
        (b'"[1, 2"', b'"[1, 2"'),
        (b'"' + DEEP + b'"', b'"' + DEEP + b'"'),
        ('"grüß"'.encode(), '"grüß"'.encode()),
        (b'"\\"gr\\u00fc\\u00df\\""', '"grüß"'.encode()),
    ],
)
def test_bodies(body: bytes, value: bytes) -> None:
    hub = Hub()
    hub.add("runs")
    assert ask(hub, "POST orchestrators/greet", body).status_code == 202
    assert input_of(hub) == value
    assert ask(hub, "POST instances/runs/raiseEvent/go", body, JSON).status_code == 202
    assert input_of(hub) == value


def test_an_empty_string_is_no_input_but_it_is_data() -> None:
    assert bytes(start_input(b'""')) == b"null"
    assert bytes(event_data(b'""')) == b'""'


@pytest.mark.parametrize("body", [b"{", b"nope", b"1 2", b"1],[1", b'["\xff"]', b'"\\ud800"', b"[1,]", b"NaN", DEEP])
def test_bodies_that_are_no_json(body: bytes) -> None:
    for take in (start_input, event_data):
        with pytest.raises(Refusal) as caught:
            take(body)
        assert (caught.value.status, caught.value.word) == (400, "invalid_json")


def test_what_is_taken_can_be_stored_inside_other_json() -> None:
    def nested(depth: int) -> bytes:
        return b"[" * depth + b"]" * depth

    def taken(depth: int) -> bool:
        try:
            event_data(nested(depth))
        except Refusal:
            return False
        return True

    deepest = next(depth for depth in range(5000, 0, -1) if taken(depth))
    assert deepest > 200
    msgspec.json.decode(nested(deepest + 150), type=msgspec.Raw)


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    async def chunks() -> Any:
        raise AssertionError("read")
        yield b""

    response = ask(
        create_app(Hub().client, served=Served(limits=HttpLimits(body=5000))),
        "POST orchestrators/greet",
        cast("bytes", chunks()),
        {"Content-Length": "5001"},
    )
    assert response.status_code == 413


def test_a_body_without_a_length_is_measured_on_the_way() -> None:
    taken = 0

    async def chunks() -> Any:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b"1" * 1000

    response = ask(
        create_app(Hub().client, served=Served(limits=HttpLimits(body=5000))),
        "POST orchestrators/greet",
        cast("bytes", chunks()),
    )
    assert response.status_code == 413
    assert taken < 10


def test_a_start_takes_id_and_version() -> None:
    hub = Hub()
    answered = ask(hub, "POST orchestrators/greet/my%20id?version=2.0", b"1").json()
    row = hub.row("my id")
    assert row is not None
    assert (answered["id"], row.name, row.version) == ("my id", "greet", "2.0")
    assert ask(hub, "POST orchestrators/other").json()["id"] in hub.ids


@pytest.mark.parametrize("path", ["orchestrators/greet", "instances/done/restart"])
@pytest.mark.parametrize(
    "query",
    [
        "timeout=soon",
        "timeout=-1",
        "timeout=nan",
        "timeout=inf",
        "timeout=3601",
        "timeout=1&pollingInterval=2",
        "pollingInterval=x",
        "returnInternalServerErrorOnFailure=x",
    ],
)
def test_a_wrong_wait_starts_nothing(path: str, query: str) -> None:
    hub = Hub()
    hub.add("done", RuntimeStatus.COMPLETED)
    assert ask(hub, f"POST {path}?{query}").status_code == 400
    assert hub.store.sent == []


def test_a_wait_that_is_over_answers_as_if_nobody_had_waited() -> None:
    response = ask(Hub(), "POST orchestrators/greet/a?timeout=0.01&pollingInterval=0.01")
    assert response.status_code == 202
    assert response.headers["location"].endswith("/instances/a")


def test_a_started_instance_is_answered_for_even_if_storage_fails_while_it_waits() -> None:
    hub = Hub()

    async def read_row(instance_id: str) -> None:
        raise StorageUnavailableError(f"no {instance_id}")

    hub.store.read_row = read_row
    response = ask(hub, "POST orchestrators/greet/a?timeout=5")
    assert response.status_code == 202
    assert len(hub.store.sent) == 1


@pytest.mark.parametrize("status", [RuntimeStatus.TERMINATED, RuntimeStatus.CANCELED])
def test_an_end_that_is_no_completion_answers_the_status(status: RuntimeStatus) -> None:
    hub = Hub()
    hub.add("other", RuntimeStatus.COMPLETED)
    send = hub.store.send

    async def send_and_end(messages: Any) -> None:
        await send(messages)
        hub.add("a", status, output=json_payload("enough"))

    hub.store.send = send_and_end
    response = ask(hub, "POST orchestrators/greet/a?timeout=5&returnInternalServerErrorOnFailure=true")
    assert response.status_code == 200
    assert (response.json()["runtimeStatus"], response.json()["output"]) == (status.value, "enough")


@pytest.mark.parametrize(("query", "same"), [("", False), ("?restartWithNewInstanceId=False", True)])
def test_restart(query: str, same: bool) -> None:
    hub = Hub()
    hub.add("done", RuntimeStatus.COMPLETED)
    response = ask(hub, f"POST instances/done/restart{query}")
    assert (response.json()["id"] == "done") == same
    assert response.headers["location"] == response.json()["statusQueryGetUri"]
    assert input_of(hub) == b'{"who":"you"}'


def test_rewind() -> None:
    hub = Hub()
    hub.add_failed("failed")
    assert ask(hub, "POST instances/failed/rewind?reason=a%20%26%20b").status_code == 202
    (message,) = hub.store.sent
    assert isinstance(message.body, StartExecution)
    assert message.body.rewinds is not None
    assert message.body.rewinds.reason == "a & b"
    assert hub.store.rows["failed"].row.status is RuntimeStatus.PENDING


@pytest.mark.parametrize(("verb", "kind"), [("terminate", Terminate), ("suspend", Suspend), ("resume", Resume)])
@pytest.mark.parametrize(("query", "reason"), [("", ""), ("?reason=a%20%26%20b", "a & b")])
def test_commands(verb: str, kind: type, query: str, reason: str) -> None:
    hub = Hub()
    hub.add("runs", RuntimeStatus.SUSPENDED)
    assert ask(hub, f"POST instances/runs/{verb.upper()}{query}").status_code == 202
    (message,) = hub.store.sent
    assert isinstance(message.body, kind)
    assert message.instance_id == "runs"
    assert getattr(message.body, "reason", None) == reason


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b'{"output": {"n": 1}}', b'{"n":1}'),
        (b'{"output": "7", "by": "me"}', b'"7"'),
        (b'{"output": null}', None),
        *((other, None) for other in (b"", b'""', b"null", b"{}", b"[1]", b'{"n": 1}', b"enough", b"{", b"\xff")),
    ],
)
def test_the_body_of_a_termination_may_have_its_output(body: bytes, output: bytes | None) -> None:
    hub = Hub()
    hub.add("runs")
    assert ask(hub, "POST instances/runs/terminate?reason=why", body).status_code == 202
    sent = hub.store.sent[-1].body
    assert isinstance(sent, Terminate)
    assert (sent.reason, None if sent.output is None else sent.output.data.replace(b" ", b"")) == ("why", output)


@pytest.mark.parametrize(
    ("path", "name"),
    [("go", "go"), ("a%20%C3%A4", "a ä"), ("a/b", "a/b"), ("a%2Fb", "a/b"), ("{eventName}", "{eventName}")],
)
def test_event_names(path: str, name: str) -> None:
    hub = Hub()
    hub.add("runs")
    assert ask(hub, f"POST instances/runs/raiseevent/{path}", b"1", JSON).status_code == 202
    body = hub.store.sent[-1].body
    assert isinstance(body, RaiseEvent)
    assert body.name == name


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("Application/JSON; charset=utf-8", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        (None, 415),
    ],
)
def test_events_are_json_only(content_type: str | None, status: int) -> None:
    hub = Hub()
    hub.add("runs")
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = ask(hub, "POST instances/runs/raiseEvent/go", b"1", headers)
    assert response.status_code == status
    assert len(hub.store.sent) == (status == 202)


def test_a_caller_who_hangs_up_starts_nothing() -> None:
    hub = Hub()
    sent: list[Any] = []
    arriving = iter([{"type": "http.request", "body": b"[1", "more_body": True}, {"type": "http.disconnect"}])
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/api/durabletask/orchestrators/greet",
        "query_string": b"",
        "headers": [],
    }

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(cast("Any", create_app(hub.client))(scope, receive, send))
    assert sent[0]["status"] == 400
    assert hub.store.sent == []
    assert json.loads(sent[1]["body"])["error"] == "cut_off"
