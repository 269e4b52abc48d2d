"""Posts to a topic on this machine: the schema, the key, the identity, and answers that are worth a retry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from durable_ext.authoring.lifecycle import PUBLISHED, LifecycleEvent
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError, HttpRequestError
from durable_ext.functions.engine import Engine
from durable_ext.functions.settings import read_settings
from durable_ext.outbound import event_grid
from durable_ext.outbound.event_grid import EventGridPublisher
from durable_ext.records.instance import RuntimeStatus

from .test_http_activity import served

HERE = Path(__file__).resolve().parent
KEY = "an-open-sesame"
EVENT = LifecycleEvent(
    id="e1",
    hub="Shop",
    name="order",
    instance_id="x",
    status=RuntimeStatus.FAILED,
    time=datetime(2030, 1, 1, 12, tzinfo=UTC),
    reason="ValueError: none left",
)


def topic(status: int, got: list[web.Request], bodies: list[Any]) -> dict[str, Any]:
    async def take(request: web.Request) -> web.Response:
        got.append(request)
        bodies.append(await request.json())
        return web.Response(status=status)

    return {"/api/events": take}


def test_the_schema_is_that_of_durable_functions() -> None:
    got: list[web.Request] = []
    bodies: list[Any] = []

    async def use(base: str) -> None:
        await EventGridPublisher(f"{base}/api/events", lambda: KEY).publish([EVENT, EVENT])

    served(topic(200, got, bodies), use)
    assert got[0].method == "POST"
    assert got[0].headers["aeg-sas-key"] == KEY
    assert got[0].headers["Content-Type"] == "application/json"
    entry = {
        "id": "e1",
        "subject": "durable/orchestrator/Failed",
        "data": {
            "hubName": "Shop",
            "functionName": "order",
            "instanceId": "x",
            "reason": "ValueError: none left",
            "runtimeStatus": "Failed",
        },
        "eventType": "orchestratorEvent",
        "eventTime": "2030-01-01T12:00:00Z",
        "dataVersion": "1.0",
    }
    assert bodies == [[entry, entry]]


@pytest.mark.parametrize(("status", "retried"), [(503, True), (429, True), (400, False), (401, False)])
def test_answers_say_whether_to_try_again(status: int, retried: bool) -> None:
    async def use(base: str) -> None:
        with pytest.raises(HttpRequestError, match=f"answered {status}") as caught:
            await EventGridPublisher(f"{base}/api/events?secret=x", lambda: KEY).publish([EVENT])
        assert caught.value.retryable is retried
        assert KEY not in str(caught.value)
        assert "secret" not in str(caught.value)
        with pytest.raises(HttpRequestError) as caught:
            await EventGridPublisher(f"{base}/api/events", lambda: KEY, retried={status}).publish([EVENT])
        assert caught.value.retryable

    served(topic(status, [], []), use)


def test_a_redirect_is_no_success_and_nothing_follows_it() -> None:
    """A post that is redirected becomes a get without its events, and the page it gets would look like an answer."""
    elsewhere: list[web.Request] = []

    async def move(_: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    async def show(request: web.Request) -> web.Response:
        elsewhere.append(request)
        return web.Response(text="welcome")

    async def use(base: str) -> None:
        with pytest.raises(HttpRequestError, match="answered 302") as caught:
            await EventGridPublisher(f"{base}/api/events", lambda: KEY).publish([EVENT])
        assert not caught.value.retryable

    served({"/api/events": move, "/elsewhere": show}, use)
    assert elsewhere == []


def test_without_a_key_the_apps_identity_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def send(request: Any) -> dict[str, Any]:
        sent.append(request)
        return {"statusCode": 200}

    monkeypatch.setattr(event_grid, "send_directly", send)

    async def use(_: str) -> None:
        await EventGridPublisher("https://shop.westeurope-1.eventgrid.azure.net/api/events").publish([EVENT])

    served({}, use)
    assert sent[0].token_source.resource == "https://eventgrid.azure.net"
    assert "aeg-sas-key" not in sent[0].headers


@pytest.mark.parametrize("endpoint", ["http://shop.example/api/events", "shop.example", "ftp://shop.example/"])
def test_an_endpoint_that_is_not_https_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint"):
        EventGridPublisher(endpoint)
    with pytest.raises(ConfigurationError, match="DURABLE_EVENT_GRID_ENDPOINT"):
        read_settings({"DURABLE_EVENT_GRID_ENDPOINT": endpoint}, HERE)


def test_the_settings_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[web.Request] = []

    async def use(base: str) -> None:
        monkeypatch.setenv("DURABLE_EVENT_GRID_ENDPOINT", f"{base}/api/events")
        monkeypatch.setenv("DURABLE_EVENT_GRID_KEY_SETTING", "TOPIC_KEY")
        monkeypatch.setenv("TOPIC_KEY", f" {KEY}\n")
        engine = Engine(Registry())
        chosen = engine.worker_settings.lifecycle
        assert chosen is not None
        assert chosen.statuses == PUBLISHED
        await chosen.publisher.publish([EVENT])
        assert KEY not in repr(engine.settings) + repr(chosen) + repr(vars(chosen.publisher))

    served(topic(200, got, []), use)
    assert got[0].headers["aeg-sas-key"] == KEY


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DURABLE_EVENT_GRID_KEY_SETTING", "TOPIC_KEY", "names the setting 'TOPIC_KEY', which is not set"),
        ("DURABLE_EVENT_GRID_RETRY_STATUS", "5xx", "takes HTTP status codes, by commas"),
        ("DURABLE_LIFECYCLE_EVENTS", "Paused", "takes Completed, Failed, Running, Terminated, by commas"),
        ("DURABLE_LIFECYCLE_EVENTS", ",", "takes Completed, Failed, Running, Terminated, by commas"),
        ("DURABLE_LIFECYCLE_RETRIES", "-1", "takes a whole number from 0 to 1000"),
        ("DURABLE_LIFECYCLE_RETRY_INTERVAL", "0", "takes a whole number from 1 to 86400"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        read_settings({name: value}, HERE)
    assert said in str(caught.value)
