"""The server: order of functions, methods, keys, bodies, waiting for storage; over a socket where it matters."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.host import server as server_module
from durable_ext.host.server import FunctionsApp, Keys, listen, make_server
from durable_ext.http_api.limits import HttpLimits

Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    values: Mapping[str, str]
    body: bytes


def ok(request: Request) -> Answer:
    return 200, [("content-type", "text/plain")], request.body


@dataclass
class Function:
    """An HTTP function that remembers what it was asked."""

    name: str
    route: str
    methods: tuple[str, ...] = ("GET", "POST")
    auth_level: str = "function"
    answer: Callable[[Request], Answer] = ok
    seen: list[Request] = field(default_factory=list[Request])

    async def invoke(
        self, method: str, url: str, headers: Mapping[str, str], route_params: Mapping[str, str], body: bytes
    ) -> Answer:
        self.seen.append(Request(method, url, headers, route_params, body))
        return self.answer(self.seen[-1])


def app_of(
    *functions: Function,
    keys: Keys | None = None,
    prefix: str = "api",
    limits: HttpLimits = HttpLimits(),  # noqa: B008 - frozen
) -> FunctionsApp:
    app = FunctionsApp(functions, prefix, keys, limits)
    app.ready.set()
    return app


@contextlib.asynccontextmanager
async def calling(app: FunctionsApp) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
        yield client


def request(app: FunctionsApp, method: str, path: str, **options: object) -> httpx.Response:
    async def run() -> httpx.Response:
        async with calling(app) as client:
            return await client.request(method, path, **options)  # pyright: ignore[reportArgumentType]

    return asyncio.run(run())


def test_the_first_function_by_name_that_matches_answers() -> None:
    general, special = Function("a", "{*path}"), Function("b", "orders/{id}")
    assert request(app_of(special, general), "GET", "/api/orders/7").status_code == 200
    assert (len(general.seen), len(special.seen)) == (1, 0)


def test_a_function_that_does_not_take_the_method_is_passed_over() -> None:
    reads, writes = Function("a", "orders/{id}", ("GET",)), Function("b", "orders/{number}", ("POST",))
    request(app_of(reads, writes), "POST", "/api/orders/7")
    assert writes.seen[0].values == {"number": "7"}


@pytest.mark.parametrize(("method", "path"), [("GET", "/orders/7"), ("GET", "/api/x"), ("PUT", "/api/orders/7")])
def test_no_match_is_404(method: str, path: str) -> None:
    assert request(app_of(Function("a", "orders/{id}")), method, path).status_code == 404


def test_a_function_gets_the_request_as_it_came() -> None:
    function = Function("a", "orders/{id}")
    request(app_of(function), "POST", "/api/orders/A%20b?x=1", content=b"\x00body", headers={"X-Me": "1"})
    (seen,) = function.seen
    assert (seen.method, seen.url, seen.values, seen.body) == (
        "POST",
        "http://host/api/orders/A%20b?x=1",
        {"id": "A b"},
        b"\x00body",
    )
    assert seen.headers["x-me"] == "1"


def test_the_answer_is_the_functions() -> None:
    headers = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("Content-Length", "999"), ("content-type", "x/y")]
    response = request(app_of(Function("a", "x", answer=lambda _: (418, headers, b"tea"))), "GET", "/api/x")
    assert (response.status_code, response.content) == (418, b"tea")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-type"] == "x/y"
    assert response.headers["content-length"] == "3"


def test_a_function_that_raises_answers_500_without_a_body(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Request) -> Answer:
        raise ValueError("secret")

    response = request(app_of(Function("a", "x", answer=fail)), "GET", "/api/x")
    assert (response.status_code, response.content) == (500, b"")
    assert "function a failed" in caplog.text


def test_no_prefix() -> None:
    assert request(app_of(Function("a", "x"), prefix=""), "GET", "/x").status_code == 200


@pytest.mark.parametrize(
    ("level", "key", "status"),
    [
        ("anonymous", "", 200),
        ("function", "", 401),
        ("function", "wrong", 401),
        ("function", "f", 200),
        ("function", "a", 200),
        ("admin", "f", 401),
        ("admin", "a", 200),
    ],
)
def test_keys(level: str, key: str, status: int) -> None:
    app = app_of(Function("a", "x", auth_level=level), keys=Keys("f", "a"))
    assert request(app, "GET", "/api/x", headers={"x-functions-key": key}).status_code == status
    assert request(app, "GET", "/api/x", params={"code": key}).status_code == status


def test_the_header_wins_over_the_query() -> None:
    app = app_of(Function("a", "x"), keys=Keys("f", "a"))
    assert request(app, "GET", "/api/x?code=f", headers={"x-functions-key": "wrong"}).status_code == 401


def test_without_a_function_key_only_the_admin_key_counts() -> None:
    app = app_of(Function("a", "x"), keys=Keys("", "a"))
    assert request(app, "GET", "/api/x").status_code == 401
    assert request(app, "GET", "/api/x?code=a").status_code == 200
    with pytest.raises(ConfigurationError, match="DURABLE_EXT_ADMIN_KEY"):
        Keys("f", "")


def test_a_body_that_is_too_large_is_413_and_says_so() -> None:
    function = Function("a", "x")
    app = app_of(function, limits=HttpLimits(body=3))
    refused = request(app, "POST", "/api/x", content=b"1234")
    assert (refused.status_code, refused.json()["error"]) == (413, "too_large")
    assert "3 bytes" in refused.json()["message"]
    assert function.seen == []
    assert request(app, "POST", "/api/x", content=b"123").status_code == 200


def test_bodies_and_answers_share_the_room_there_is() -> None:
    function = Function("a", "x", answer=lambda _: (200, [], b"1234567890"))
    app = app_of(function, limits=HttpLimits(body=100, in_flight=100))
    begun, gone = asyncio.Event(), asyncio.Event()

    async def slow_reader(message: Any) -> None:
        if message["type"] == "http.response.body":
            begun.set()
            await gone.wait()

    async def nothing() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run() -> list[int]:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/api/x",
            "raw_path": b"/api/x",
            "headers": [],
        }
        reading = asyncio.create_task(app({**scope, "query_string": b""}, nothing, slow_reader))
        await begun.wait()
        async with calling(app) as client:
            while_reading = await client.post("/api/x", content=b"1" * 95)
            gone.set()
            await reading
            afterwards = await client.post("/api/x", content=b"1" * 95)
        return [while_reading.status_code, afterwards.status_code]

    assert asyncio.run(asyncio.wait_for(run(), 20)) == [503, 200]


def test_a_body_that_does_not_arrive_in_time_is_408() -> None:
    function = Function("a", "x")

    async def parts() -> AsyncGenerator[bytes]:
        yield b"1"
        await asyncio.Event().wait()

    app = app_of(function, limits=HttpLimits(arrival=timedelta(milliseconds=20)))
    assert request(app, "POST", "/api/x", content=parts()).status_code == 408
    assert function.seen == []


def test_a_caller_who_leaves_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "durable_ext.host")
    function = Function("a", "x")
    arriving = iter([{"type": "http.request", "body": b"1", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(arriving)

    async def send(_: Any) -> None: ...

    scope = {"type": "http", "method": "POST", "path": "/api/x", "raw_path": b"/api/x", "query_string": b""}
    asyncio.run(cast("Any", app_of(function))({**scope, "headers": []}, receive, send))
    assert function.seen == []
    (record,) = caplog.records
    assert record.exc_info is None
    assert "\n" not in record.getMessage()
    assert "function a" in record.getMessage()


def test_requests_wait_for_storage_and_then_go_on() -> None:
    app = FunctionsApp([Function("a", "x")], "api")

    async def run() -> httpx.Response:
        async with calling(app) as client, asyncio.timeout(10):
            waiting = asyncio.create_task(client.get("/api/x"))
            await asyncio.sleep(0)
            assert not waiting.done()
            app.ready.set()
            return await waiting

    assert asyncio.run(run()).status_code == 200


def test_requests_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_START_PATIENCE", 0.01)
    assert request(FunctionsApp([Function("a", "x")], "api"), "GET", "/api/x").status_code == 503


def test_over_a_socket() -> None:
    function = Function("a", "x")
    listener = listen("127.0.0.1", 0)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def run() -> httpx.Response:
        server = make_server(app_of(function), grace=1)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient() as client:
            response = await client.post(f"{origin}/api/x", content=b"over the wire")
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
        return response

    response = asyncio.run(run())
    assert (response.status_code, response.content) == (200, b"over the wire")
    assert function.seen[0].url == f"{origin}/api/x"


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError, match="--port"):
        listen("127.0.0.1", taken.getsockname()[1])
