"""A Functions request as an ASGI call and back (F3)."""

from __future__ import annotations

import asyncio
from typing import Any

import azure.functions as func
import pytest

from durable_ext.functions.asgi import Message, call_asgi


def called(url: str, body: bytes = b"") -> tuple[dict[str, Any], func.HttpResponse]:
    """The scope that the app saw, and the response to an echo of the body."""
    seen: dict[str, Any] = {}

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        message: Message = await receive()
        headers = [(b"Content-Type", b"application/json"), (b"x-n", b"1"), (b"content-length", b"99")]
        await send({"type": "http.response.start", "status": 207, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"][:1], "more_body": True})
        await send({"type": "http.response.body", "body": message["body"][1:]})

    request = func.HttpRequest("POST", url, headers={"Host": "orders.example", "X-A": "é"}, body=body)
    response = asyncio.run(call_asgi(echo, request, "durabletask"))
    return seen, response


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/api/durabletask/instances/a%20b", "/api/durabletask"),
        ("/api/durabletask", "/api/durabletask"),
        ("/durabletask/", "/durabletask"),
        ("/v1/x/DurableTask/instances/durabletask", "/v1/x/DurableTask"),
    ],
)
def test_the_path_below_the_mount(path: str, root: str) -> None:
    scope, _ = called(f"https://orders.example{path}?a=1&b=%20")
    assert scope["root_path"] == root
    assert scope["path"] == path.replace("%20", " ")
    assert scope["raw_path"] == path.encode()
    assert scope["query_string"] == b"a=1&b=%20"
    assert (scope["scheme"], scope["method"], scope["server"]) == ("https", "POST", ("orders.example", 443))
    assert dict(scope["headers"])[b"host"] == b"orders.example"


def test_the_response_comes_back() -> None:
    _, response = called("http://localhost:7071/api/durabletask/x", b'{"a": 1}')
    assert (response.status_code, response.get_body()) == (207, b'{"a": 1}')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-n"] == "1"
    assert "content-length" not in response.headers
