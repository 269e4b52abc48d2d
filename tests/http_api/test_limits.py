"""What callers may ask for has bounds: types of bodies, time and room for them, and the length of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest

from durable_ext.http_api.app import Served, create_app
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.refusals import Refusal
from durable_ext.http_api.room import Room
from durable_ext.http_api.routes import ROUTES
from durable_ext.records.events import EventRaised, ExecutionStarted
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import stored

from .asking import BASE, ask, word_of
from .store import NOW, Hub, json_payload

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = "x-ms-continuation-token"
STARTED = ExecutionStarted(name="greet", input=json_payload(1), created_at=NOW)
BODY_ROUTES = [
    route.path.replace("{name}", "counter" if "entities" in route.path else "greet")
    .replace("{eventName...}", "go")
    .replace("{key}", "a")
    .replace("{id}", "runs")
    for route in ROUTES
    if route.body
]


def limited(hub: Hub, **limits: Any) -> Any:
    return create_app(hub.client, served=Served(limits=HttpLimits(**limits)))


def running() -> Hub:
    hub = Hub()
    hub.add("runs")
    return hub


@pytest.mark.parametrize("path", BODY_ROUTES)
@pytest.mark.parametrize("headers", [FORM, {"Content-Type": "text/plain"}, {}])
def test_a_body_that_is_not_sent_as_json_is_415(path: str, headers: dict[str, str]) -> None:
    hub = running()
    response = ask(hub, f"POST {path}?op=add", b'{"a":1}', headers)
    assert (response.status_code, word_of(response)) == (415, "wrong_content_type")
    assert "Content-Type: application/json" in response.json()["message"]
    assert hub.store.sent == []


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "text/json", "application/vnd.a+json"])
def test_a_body_that_is_sent_as_json_is_taken(media_type: str) -> None:
    hub = running()
    headers = {"Content-Type": media_type}
    assert ask(hub, "POST instances/runs/raiseEvent/go", b"1", headers).status_code == 202


@pytest.mark.parametrize("path", ["orchestrators/greet", "instances/runs/terminate"])
def test_no_body_needs_no_type(path: str) -> None:
    assert ask(running(), f"POST {path}", None, {}).status_code == 202
    assert ask(running(), f"POST {path}", b"", FORM).status_code == 202


@pytest.mark.parametrize("path", BODY_ROUTES)
def test_a_body_that_does_not_arrive_in_time_is_408(path: str) -> None:
    sent: list[Any] = []
    hub = running()
    app = limited(hub, arrival=timedelta(milliseconds=20))

    async def receive() -> Any:
        if not sent:
            sent.append("begun")
            return {"type": "http.request", "body": b"[1", "more_body": True}
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"/api/durabletask/{path}", "query_string": b"op=add"}
    asyncio.run(app({**scope, "headers": []}, receive, send))
    assert sent[1]["status"] == 408
    assert (b"connection", b"close") in [(name.lower(), value) for name, value in sent[1]["headers"]]
    assert hub.store.sent == []


def test_uploads_share_what_room_there_is() -> None:
    async def run() -> tuple[list[int], httpx.Response]:
        hub = running()
        app = limited(hub, body=1000, in_flight=1500)
        gate = asyncio.Event()

        async def upload(number: int) -> httpx.Response:
            async def parts() -> AsyncGenerator[bytes]:
                begun.append(number)
                if len(begun) == 3:
                    gate.set()
                yield b"[" + b"1," * 400
                await gate.wait()
                yield b"1]"

            headers = {"Content-Type": "application/json"}
            return await client.post(f"{BASE}/orchestrators/greet/i{number}", content=parts(), headers=headers)

        begun: list[int] = []
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client, asyncio.timeout(20):
            whole = asyncio.gather(*[upload(number) for number in range(3)])
            answers = await whole
            refused = [answer for answer in answers if answer.status_code == 503]
            assert (word_of(refused[0]), refused[0].headers["retry-after"]) == ("busy", "5")
            # What the refused ones held is free again.
            return [answer.status_code for answer in answers], await upload(4)

    codes, later = asyncio.run(run())
    assert sorted(codes)[0] == 202
    assert 503 in codes
    assert later.status_code == 202


def test_who_is_alone_gets_all_the_room_it_needs() -> None:
    room = Room(10)
    with room.share() as alone:
        alone.take(100)
        with room.share() as other, pytest.raises(Refusal) as refused:
            other.take(1)
        assert refused.value.status == 503
    assert room.held == 0
    with room.share() as other:
        other.take(1)


def put_away(hub: Hub, name: str, size: int) -> Any:
    hub.store.blobs[name] = b'"' + b"x" * (size - 2) + b'"'
    return stored(name, size)


def test_a_list_of_long_rows_goes_on_in_another_page() -> None:
    hub = Hub()
    for number in range(7):
        hub.add(f"i{number}", RuntimeStatus.COMPLETED, input=put_away(hub, f"b{number}", 400), output=json_payload(1))
    hub.add("i9", RuntimeStatus.COMPLETED, output=put_away(hub, "large", 5000))
    app = limited(hub, page=1000)
    seen: list[list[str]] = []
    headers: dict[str, str] = {}
    while True:
        response = ask(app, "GET instances?top=100", headers=headers)
        assert response.status_code == 200
        seen.append([row["instanceId"] for row in response.json()])
        if TOKEN not in response.headers:
            break
        headers = {TOKEN: response.headers[TOKEN]}
    assert seen == [["i0", "i1"], ["i2", "i3"], ["i4", "i5"], ["i6"], ["i9"]]
    # Without inputs they are short.
    assert len(ask(app, "GET instances?showInput=false").json()) == 7


def test_a_list_of_long_entities_goes_on_in_another_page() -> None:
    hub = Hub()
    for key in "abc":
        hub.add_entity(f"@counter@{key}", "x" * 600)
    app = limited(hub, page=1000)
    first = ask(app, "GET entities?fetchState=true")
    assert len(first.json()) == 1
    second = ask(app, "GET entities?fetchState=true", headers={TOKEN: first.headers[TOKEN]})
    assert [row["entityId"]["key"] for row in first.json() + second.json()] == ["a", "b"]
    assert len(ask(app, "GET entities").json()) == 3


def test_a_long_history_goes_on_in_another_page() -> None:
    hub = running()
    hub.add_turn("runs", STARTED)
    for number in range(1, 6):
        raised = EventRaised(name=f"e{number}", input=put_away(hub, f"b{number}", 400))
        hub.add_turn("runs", raised, number=number)
    app = limited(hub, page=1000)
    path = "GET instances/runs?showHistory=true&showHistoryOutput=true"
    first = ask(app, path)
    assert first.status_code == 202
    second = ask(app, path, headers={TOKEN: first.headers[TOKEN]})
    third = ask(app, path, headers={TOKEN: second.headers[TOKEN]})
    assert TOKEN not in third.headers
    events = [event for part in (first, second, third) for event in part.json()["historyEvents"]]
    assert [event.get("Name") for event in events] == [None, "e1", "e2", "e3", "e4", "e5"]
    # Another execution has another history.
    hub.store.turns.clear()
    hub.add_turn("other", STARTED)
    hub.add("other")
    response = ask(app, path.replace("runs", "other"), headers={TOKEN: first.headers[TOKEN]})
    assert (response.status_code, word_of(response)) == (400, "invalid_value")


def test_a_list_of_long_quarantined_messages_is_short() -> None:
    hub = Hub()
    for name in ("m1", "m2", "m3"):
        hub.add_quarantined(name)
    assert len(ask(hub, "GET quarantine").json()) == 3
    assert [message["id"] for message in ask(limited(hub, page=1), "GET quarantine").json()] == ["m1"]


def test_a_long_answer_waits_for_its_reader_in_pieces() -> None:
    hub = Hub()
    hub.add("long", RuntimeStatus.COMPLETED, output=put_away(hub, "b", 1_000_000))
    sizes: list[int] = []

    async def send(message: Any) -> None:
        sizes.append(len(message.get("body", b"")))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/api/durabletask/instances/long", "query_string": b""}
    asyncio.run(cast("Any", create_app(hub.client))({**scope, "headers": []}, receive, send))
    assert sum(sizes) > 1_000_000
    assert max(sizes) <= 256 * 1024
