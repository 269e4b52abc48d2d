"""The server: order of functions, methods, keys, bodies, waiting for storage; over a socket where it matters."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

import httpx
import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.host import server as server_module
from durable_ext.host.server import FunctionsApp, Keys, listen, make_server

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


def app_of(*functions: Function, keys: Keys | None = None, prefix: str = "api") -> FunctionsApp:
    app = FunctionsApp(functions, prefix, keys)
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


def test_a_body_that_is_too_large_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LARGEST_BODY", 3)
    function = Function("a", "x")
    assert request(app_of(function), "POST", "/api/x", content=b"1234").status_code == 413
    assert function.seen == []
    assert request(app_of(function), "POST", "/api/x", content=b"123").status_code == 200


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
