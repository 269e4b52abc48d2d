"""The same exchange through an HTTP proxy, by aiohttp: slower, for networks that let nothing else out."""

from __future__ import annotations

import aiohttp
from yarl import URL

from durable_ext.providers.azure_storage.wire import Answer

_CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0


class ProxiedRoute:
    """Exchanges with one origin by way of a proxy."""

    def __init__(self, origin: str, proxy: str) -> None:
        self._origin = origin
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request and its answer. Raises OSError or TimeoutError; the request may have arrived."""
        url = URL(self._origin + target, encoded=True)
        try:
            async with self._open().request(
                method, url, data=body or None, headers=headers, proxy=self._proxy, allow_redirects=False
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, found, await response.read())
        except aiohttp.ClientError as error:
            raise ConnectionError(f"through the proxy: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections. Repeatable."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=READ_SECONDS),
            )
        return self._session
