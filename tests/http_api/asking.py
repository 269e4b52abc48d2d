"""Ask the app without a socket: one call, one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

from durable_ext.http_api.app import create_app

from .store import Hub

ORIGIN = "http://hub.example"
BASE = f"{ORIGIN}/api/durabletask"


def ask(
    hub: Hub | ASGIApp,
    request: str,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    root_path: str = "",
) -> httpx.Response:
    """The answer to `GET instances/x?top=1`, with the path below the base; a body is JSON unless headers are given."""
    if headers is None and content is not None:
        headers = JSON
    app = create_app(hub.client) if isinstance(hub, Hub) else hub
    method, _, path = request.partition(" ")

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=True, root_path=root_path)
        async with httpx.AsyncClient(transport=transport) as client:
            url = path if path.startswith("http") else f"{BASE}/{path}"
            return await client.request(method, url, content=content, headers=headers)

    return asyncio.run(call())


def word_of(response: httpx.Response) -> Any:
    """The code word of a refusal, which must also say something to people."""
    problem = response.json()
    assert problem["message"]
    return problem["error"]


JSON = {"Content-Type": "application/json"}
