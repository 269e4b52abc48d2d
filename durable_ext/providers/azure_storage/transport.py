"""One HTTP exchange with storage: signed, retried within bounds, on kept-alive connections.

Tried again are lost connections, time-outs, 408, 429 and 5xx, with a jittered pause that doubles, or the one that
storage asks for. Anything else is an answer, and the verb's business.
"""

from __future__ import annotations

import asyncio
import random
import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage.client import StorageRefusedError
from durable_ext.providers.azure_storage.connection import Connection
from durable_ext.providers.azure_storage.signing import Request, signer_of

_TRIES = 6
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_CONNECTIONS = 128
# Shorter than any server keeps an idle connection; one that is gone nevertheless costs a retry.
_KEEP_ALIVE_SECONDS = 30.0

_JSON_CODE = re.compile(rb'"code"\s*:\s*"([^"]*)"')


class Reply(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class Transport:
    """The connections to one account. Opens them at the first call, in the loop that makes it."""

    def __init__(self, connection: Connection) -> None:
        self._signer = signer_of(connection)
        self._session: aiohttp.ClientSession | None = None
        self._origins: dict[str, str] = {}
        self._proxies: dict[str, str | None] = {}
        self.roots: dict[str, str] = {}
        for service, endpoint in connection.endpoints.items():
            split = urlsplit(endpoint)
            self._origins[service] = f"{split.scheme}://{split.netloc}"
            self.roots[service] = split.path
            self._proxies[service] = _proxy(split.scheme, split.hostname or "")

    async def close(self) -> None:
        """Close the connections. Repeatable."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await self._signer.close()

    async def send(self, call: str, request: Request, expected: tuple[int, ...]) -> Reply:
        """The answer, whose status is one of `expected`.

        Raises StorageRefusedError for another status, StorageUnavailableError when there is none after all tries.
        `call` is what errors name it.
        """
        reply, trouble = None, ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_pause(attempt, reply))
            try:
                reply = await self._exchange(request)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                reply, trouble = None, type(error).__name__
                continue
            if reply.status in expected:
                return reply
            trouble = f"{reply.status} {_code(reply)}"
            if reply.status not in _RETRIED:
                raise StorageRefusedError(call, reply.status, _code(reply))
        raise StorageUnavailableError(f"{call} failed {_TRIES} times, last with {trouble}")

    async def _exchange(self, request: Request) -> Reply:
        await self._signer.sign(request)
        response = await self._open().request(
            request.method,
            self._url(request),
            data=request.body or None,
            headers=request.headers,
            allow_redirects=False,
            proxy=self._proxies[request.service],
        )
        try:
            return Reply(response.status, response.headers, await response.read())
        except BaseException:
            response.close()
            raise

    def _url(self, request: Request) -> URL:
        text = self._origins[request.service] + request.path
        query = "&".join([f"{name}={quote(value, safe='')}" for name, value in request.query])
        if suffix := self._signer.suffix:
            query = f"{query}&{suffix}" if query else suffix
        return URL(f"{text}?{query}" if query else text, encoded=True)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS),
            )
        return self._session


def _proxy(scheme: str, host: str) -> str | None:
    # Asked once: aiohttp's own way asks at every request, in a thread.
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _pause(attempt: int, reply: Reply | None) -> float:
    asked = "" if reply is None else reply.headers.get("Retry-After", "")
    if asked.isdigit():
        return min(float(asked), _LONGEST_PAUSE)
    # Half fixed, half by chance: callers that failed together do not come back together.
    longest = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - no secret


def _code(reply: Reply) -> str:
    if code := reply.headers.get("x-ms-error-code"):
        return code
    found = _JSON_CODE.search(reply.body[:2000])
    return found[1].decode(errors="replace") if found else ""
