"""The activity behind call_http, against a server on loopback: redirects, limits, tokens, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from durable_ext.authoring.http_records import HttpRequest, WantedToken
from durable_ext.errors import HttpRequestError, InvalidInputError
from durable_ext.outbound import http_activity
from durable_ext.outbound.http_activity import send_request

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _served(routes: dict[str, Handler], use: Callable[[str], Awaitable[Any]]) -> Any:
    app = web.Application(client_max_size=0)
    for path, handler in routes.items():
        app.router.add_route("*", path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        return await use(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def served(routes: dict[str, Handler], use: Callable[[str], Awaitable[Any]]) -> Any:
    return asyncio.run(_served(routes, use))


async def echo(request: web.Request) -> web.Response:
    body = {"method": request.method, "headers": dict(request.headers), "content": await request.text()}
    return web.json_response(body, status=418, headers={"X-Two": "a"})


def test_a_response_of_any_status_is_a_result() -> None:
    async def use(base: str) -> Any:
        return await send_request(HttpRequest(method="POST", uri=f"{base}/e", content="ü", headers={"X-A": "1"}))

    found = served({"/e": echo}, use)
    assert found["statusCode"] == 418
    assert found["headers"]["X-Two"] == "a"
    assert '"method": "POST"' in found["content"]
    assert '"X-A": "1"' in found["content"]


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream"])
def test_a_text_whose_charset_nobody_names_is_utf_8(kind: str) -> None:
    async def plain(_: web.Request) -> web.Response:
        return web.Response(body="ü".encode(), headers={"Content-Type": kind})

    async def use(base: str) -> Any:
        return await send_request(HttpRequest(method="GET", uri=f"{base}/e"))

    assert served({"/e": plain}, use)["content"] == "ü"


@pytest.mark.parametrize(
    ("status", "method", "content"), [(302, "GET", ""), (303, "GET", ""), (307, "POST", "x"), (308, "POST", "x")]
)
def test_redirects(status: int, method: str, content: str) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/e"})

    async def use(base: str) -> Any:
        headers = {"Authorization": "Bearer x", "Content-Type": "text/plain"}
        return await send_request(HttpRequest(method="POST", uri=f"{base}/away", content="x", headers=headers))

    found = served({"/away": away, "/e": echo}, use)
    assert f'"method": "{method}"' in found["content"]
    assert f'"content": "{content}"' in found["content"]
    assert "Bearer x" in found["content"], "the same origin may have it"


def test_a_redirect_to_another_origin_loses_what_is_secret() -> None:
    async def use(base: str) -> Any:
        async def elsewhere(other: str) -> Any:
            async def away(_: web.Request) -> web.Response:
                return web.Response(status=307, headers={"Location": f"{other}/e"})

            async def ask(there: str) -> Any:
                headers = {"x-functions-key": "hidden", "X-PAT": "hidden", "X-Plain": "hidden", "Accept": "text/shown"}
                return await send_request(HttpRequest(method="GET", uri=f"{there}/away", headers=headers))

            return await _served({"/away": away}, ask)

        return await elsewhere(base)

    found = served({"/e": echo}, use)
    assert "hidden" not in found["content"]
    assert "shown" in found["content"]


def test_redirects_without_end() -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/away"})

    async def use(base: str) -> Any:
        return await send_request(HttpRequest(method="GET", uri=f"{base}/away"))

    with pytest.raises(HttpRequestError, match="redirected 10 times"):
        served({"/away": away}, use)


def test_too_long_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_activity, "MOST_BYTES", 100)

    async def long(_: web.Request) -> web.Response:
        return web.Response(text="x" * 1000)

    async def use(base: str) -> Any:
        return await send_request(HttpRequest(method="GET", uri=f"{base}/long"))

    with pytest.raises(HttpRequestError, match="over 100 bytes") as error:
        served({"/long": long}, use)
    assert not error.value.retryable


def test_nobody_listens() -> None:
    async def use(base: str) -> str:
        return base

    base = served({}, use)
    with pytest.raises(HttpRequestError, match="got no response") as error:
        asyncio.run(send_request(HttpRequest(method="GET", uri=f"{base}/?sig=hidden")))
    assert error.value.retryable
    assert "hidden" not in str(error.value)


def test_a_token_is_added_and_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    class Token:
        token = "from-the-identity"
        expires_on = 4_000_000_000

    class Credential:
        async def __aenter__(self) -> Credential:
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def get_token(self, scope: str) -> Token:
            fetched.append(scope)
            return Token()

    monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", Credential)
    monkeypatch.setattr(http_activity, "_tokens", {})
    wanted = WantedToken(resource="https://vault.example/", kind="AzureManagedIdentity")

    async def use(base: str) -> Any:
        request = HttpRequest(method="GET", uri=f"{base}/e", token_source=wanted)
        return [await send_request(request) for _ in range(2)]

    for found in served({"/e": echo}, use):
        assert "Bearer from-the-identity" in found["content"]
    assert fetched == ["https://vault.example/.default"]


def test_a_token_is_not_sent_in_plain_text() -> None:
    wanted = WantedToken(resource="https://vault.example", kind="AzureManagedIdentity")
    with pytest.raises(InvalidInputError, match="use https"):
        asyncio.run(send_request(HttpRequest(method="GET", uri="http://a.example", token_source=wanted)))


def test_a_source_nobody_knows() -> None:
    wanted = WantedToken(resource="x", kind="Other")
    with pytest.raises(InvalidInputError, match="unknown"):
        asyncio.run(send_request(HttpRequest(method="GET", uri="https://127.0.0.1", token_source=wanted)))
