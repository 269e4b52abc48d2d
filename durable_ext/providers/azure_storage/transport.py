"""One exchange with storage: signed, and retried within bounds.

Tried again are lost connections, time-outs, 408, 429 and 5xx, with a jittered pause that doubles, or the one that
storage asks for. Anything else is an answer, and the verb's business.
"""

from __future__ import annotations

import asyncio
import random
import re
from typing import Protocol
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from durable_ext.errors import InvalidInputError, StorageUnavailableError
from durable_ext.providers.azure_storage.client import refusal
from durable_ext.providers.azure_storage.connection import Connection
from durable_ext.providers.azure_storage.signing import Request, signer_of
from durable_ext.providers.azure_storage.wire import Answer, Pool

_TRIES = 6
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_JSON_CODE = re.compile(rb'"code"\s*:\s*"([^"]*)"')


class Route(Protocol):
    """The way to one service."""

    async def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request and its answer. Raises OSError or TimeoutError; the request may have arrived."""
        ...

    async def close(self) -> None:
        """Close the connections. Repeatable."""
        ...


class DirectRoute:
    """Straight to the service."""

    def __init__(self, split: SplitResult) -> None:
        secure = split.scheme == "https"
        self._pool = Pool(split.hostname or "", split.port or (443 if secure else 80), secure=secure)
        self._host = f"Host: {split.netloc}\r\n"

    async def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request and its answer. Raises OSError or TimeoutError; the request may have arrived."""
        length = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise InvalidInputError("an etag or another value for a header contains a line break")
        return await self._pool.exchange(
            f"{method} {target} HTTP/1.1\r\n{self._host}{length}{lines}\r\n".encode(), body
        )

    async def close(self) -> None:
        """Close the connections. Repeatable."""
        self._pool.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round


class Transport:
    """The ways to one account. Opens connections at the first call, in the loop that makes it."""

    def __init__(self, connection: Connection) -> None:
        self._signer = signer_of(connection)
        self._routes = {service: _route(url) for service, url in connection.endpoints.items()}
        self.roots = {service: urlsplit(url).path for service, url in connection.endpoints.items()}

    async def close(self) -> None:
        """Close the connections. Repeatable."""
        for route in self._routes.values():
            await route.close()
        await self._signer.close()

    async def send(self, call: str, request: Request, expected: tuple[int, ...]) -> Answer:
        """The answer, whose status is one of `expected`.

        Raises StorageRefusedError for another status, StorageUnavailableError when there is none after all tries.
        `call` is what errors name it.
        """
        answer, trouble = None, ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_pause(attempt, answer))
            await self._signer.sign(request)
            try:
                answer = await self._routes[request.service].exchange(
                    request.method, self._target(request), request.headers, request.body
                )
            except (OSError, TimeoutError) as error:
                answer, trouble = None, type(error).__name__
                continue
            if answer.status in expected:
                return answer
            trouble = f"{answer.status} {_code(answer)}"
            if answer.status not in _RETRIED:
                raise refusal(call, answer.status, _code(answer))
        raise StorageUnavailableError(f"{call} failed {_TRIES} times, last with {trouble}")

    def _target(self, request: Request) -> str:
        if not (request.query or self._signer.suffix):
            return request.path
        query = "&".join([f"{name}={quote(value, safe='')}" for name, value in request.query])
        if suffix := self._signer.suffix:
            query = f"{query}&{suffix}" if query else suffix
        return f"{request.path}?{query}"


def _route(url: str) -> Route:
    split = urlsplit(url)
    host = split.hostname or ""
    proxy = None if host in _LOOPBACK or proxy_bypass(host) else getproxies().get(split.scheme)
    if proxy is None:
        return DirectRoute(split)
    from durable_ext.providers.azure_storage.proxied import ProxiedRoute

    return ProxiedRoute(f"{split.scheme}://{split.netloc}", proxy)


def _pause(attempt: int, answer: Answer | None) -> float:
    asked = "" if answer is None else answer.headers.get("retry-after", "")
    if asked.isdigit():
        return min(float(asked), _LONGEST_PAUSE)
    # Half fixed, half by chance: callers that failed together do not come back together.
    longest = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - no secret


def _code(answer: Answer) -> str:
    if code := answer.headers.get("x-ms-error-code"):
        return code
    found = _JSON_CODE.search(answer.body[:2000])
    return found[1].decode(errors="replace") if found else ""
