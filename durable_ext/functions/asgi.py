"""A Functions HTTP request as an ASGI call, and its answer as a Functions response (F3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import azure.functions as func

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


async def call_asgi(app: AsgiApp, request: func.HttpRequest, mount: str) -> func.HttpResponse:
    """Let an ASGI app answer a request. `mount` is the path segment the app is mounted under."""
    body = request.get_body()
    status = 500
    headers: list[tuple[bytes, bytes]] = []
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(_scope(request, mount), receive, send)
    return _response(status, headers, b"".join(parts))


def _scope(request: func.HttpRequest, mount: str) -> dict[str, Any]:
    url = urlsplit(request.url)
    headers = cast("Mapping[str, str]", request.headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme or "http",
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "root_path": _root_path(url.path, mount),
        "query_string": url.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": (url.hostname or "localhost", url.port or (443 if url.scheme == "https" else 80)),
        "client": None,
    }


def _root_path(path: str, mount: str) -> str:
    """The path up to and with the mount. The host compares literal segments without case."""
    segments = path.split("/")
    lowered = [segment.lower() for segment in segments]
    return "/".join(segments[: lowered.index(mount) + 1]) if mount in lowered else ""


def _response(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> func.HttpResponse:
    response = func.HttpResponse(body, status_code=status)
    for name, value in headers:
        # The host counts the body itself.
        if name.lower() != b"content-length":
            response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return response
