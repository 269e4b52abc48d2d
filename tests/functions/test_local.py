"""Calling an app's functions without the Functions host: the worker's converters, threads and rules."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.functions import DurableApp
from durable_ext.functions.local import LocalFunctions, index

URL = "https://orders.example/api/x?a=1&empty=&b=two%20words"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")


def indexed(app: DurableApp) -> LocalFunctions:
    return index(app)


def answer_of(app: DurableApp, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    functions = index(app)
    function = functions.http[0]
    try:
        status, headers, text = asyncio.run(
            function.invoke("PUT", URL, {"X-One": "1", "Host": "orders.example"}, {"id": "7"}, body)
        )
    finally:
        functions.close()
    return status, {name.lower(): value for name, value in headers}, text


def test_what_a_request_looks_like() -> None:
    app = DurableApp()
    seen: dict[str, Any] = {}

    @app.route(route="x", methods=["PUT"], auth_level=func.AuthLevel.ADMIN)
    async def look(req: func.HttpRequest) -> func.HttpResponse:
        seen.update(method=req.method, url=req.url, params=dict(req.params), route=dict(req.route_params))
        seen.update(header=req.headers["x-one"], body=req.get_json())
        return func.HttpResponse(b"made", status_code=201, headers={"Location": "/there"}, mimetype="text/x-made")

    assert look is not None
    status, headers, body = answer_of(app, b'{"n": 1}')
    assert (status, body) == (201, b"made")
    assert headers["location"] == "/there"
    assert headers["content-type"].startswith("text/x-made")
    assert seen == {
        **{"method": "PUT", "url": URL, "params": {"a": "1", "b": "two words"}, "route": {"id": "7"}},
        **{"header": "1", "body": {"n": 1}},
    }
    function = indexed(app).http[0]
    assert (function.route, function.methods, function.auth_level) == ("x", ("PUT",), "admin")


def test_a_function_that_is_no_coroutine_runs_in_a_thread() -> None:
    app = DurableApp()

    @app.route(route="x")
    def look(req: func.HttpRequest, context: func.Context) -> str:
        assert context.invocation_id
        return f"{context.function_name} {threading.current_thread() is threading.main_thread()}"

    assert look is not None
    assert answer_of(app)[::2] == (200, b"look False")


def test_nothing_returned_is_a_failure() -> None:
    app = DurableApp()

    @app.route(route="x")
    async def look(req: func.HttpRequest) -> None: ...

    assert look is not None
    assert answer_of(app) == (500, {}, b"")


def test_cookies() -> None:
    app = DurableApp()

    @app.route(route="x")
    async def look(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("", headers={"Set-Cookie": "a=1; Path=/"})

    assert look is not None
    assert answer_of(app)[1]["set-cookie"] == "a=1; Path=/"


def test_an_exception_goes_to_the_caller() -> None:
    app = DurableApp()

    @app.route(route="x")
    async def look(req: func.HttpRequest) -> str:
        raise LookupError("nothing there")

    assert look is not None
    with pytest.raises(LookupError, match="nothing there"):
        answer_of(app)


@pytest.mark.parametrize("kind", [None, func.DataType.BINARY])
def test_a_queue_message(kind: func.DataType | None) -> None:
    app = DurableApp()
    seen: list[Any] = []

    @app.queue_trigger("message", "letters", "Post", data_type=kind)  # pyright: ignore[reportUnknownMemberType]
    async def post(message: func.QueueMessage) -> None:
        seen.append((message.id, message.dequeue_count, message.get_body(), message.insertion_time))

    assert post is not None
    function = indexed(app).queues[0]
    asyncio.run(function.invoke(b"hello", "m-1", 2, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    assert seen == [("m-1", 2, b"hello", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
    assert (function.queue_name, function.connection) == ("letters", "Post")


def test_a_timer() -> None:
    app = DurableApp()
    seen: list[bool] = []

    @app.timer_trigger("timer", "0 0 * * * *", run_on_startup=True)
    def every_hour(timer: func.TimerRequest) -> None:
        seen.append(timer.past_due)

    assert every_hour is not None
    function = next(item for item in indexed(app).timers if item.name == "every_hour")
    asyncio.run(function.invoke(past_due=True))
    assert seen == [True]
    assert (function.schedule, function.run_on_startup) == ("0 0 * * * *", True)


def test_a_value_that_nobody_takes_is_a_failure() -> None:
    app = DurableApp()

    @app.timer_trigger("timer", "0 0 * * * *")
    async def every_hour(timer: func.TimerRequest) -> int:
        return 1

    assert every_hour is not None
    function = next(item for item in indexed(app).timers if item.name == "every_hour")
    with pytest.raises(TypeError, match="every_hour"):
        asyncio.run(function.invoke())


def test_parameters_have_to_be_the_bindings() -> None:
    app = DurableApp()

    @app.route(route="x")
    async def look(request: func.HttpRequest) -> str:
        return ""

    assert look is not None
    with pytest.raises(ConfigurationError, match="look"):
        index(app)


@pytest.mark.parametrize("value", ["many", "0"])
def test_threads(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", value)
    with pytest.raises(ConfigurationError, match="PYTHON_THREADPOOL_THREAD_COUNT"):
        index(DurableApp())
