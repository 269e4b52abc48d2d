"""HTTP/1.1 as storage speaks it, straight on asyncio: half of aiohttp's processor time for each call.

Only what these calls need: one request at a time on a kept-alive connection, a body of known length out, a body of
known length or in chunks back. Anything else is a ProtocolError, and the connection is not used again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import NamedTuple

_HEAD_END = b"\r\n\r\n"
_MOST_HEAD_BYTES = 64 * 1024
_NO_BODY = frozenset({204, 304})
# Connections to one service; more calls wait for their turn.
_CONNECTIONS = 64
_CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 20.0
# A body this small goes out together with its head.
_SMALL_BODY = 64 * 1024
# Shorter than any server keeps an idle connection; one that is gone nevertheless costs a retry.
_KEEP_ALIVE_SECONDS = 30.0


class ProtocolError(ConnectionError):
    """The answer is not the HTTP that storage speaks."""


class Answer(NamedTuple):
    """An answer, read to its end. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[Answer] | None = None
        self._head: tuple[int, dict[str, str]] | None = None
        self._chunks: Chunks | None = None
        self._body_start = 0
        self._searched = 0
        self.reusable = True
        self.used_at = 0.0
        self._seen: tuple[object, int, int] = (None, 0, 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail(exc or ConnectionResetError("the connection was closed by storage"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._waiter is None:
            self.close()  # nobody asked: this connection is out of order
            return
        try:
            answer = self._take()
        except (ValueError, ProtocolError) as error:
            self.close()
            self._fail(ProtocolError(f"storage answered with something else than HTTP: {error}"))
            return
        if answer is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def close(self) -> None:
        """Do not use it again."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        """Send a request and return its answer. Raises OSError, TimeoutError when told so, or ProtocolError."""
        if self._transport is None or not self.reusable:
            raise ConnectionResetError("the connection is closed")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(head + body if len(body) < _SMALL_BODY else head)
        if len(body) >= _SMALL_BODY:
            self._transport.write(body)
        try:
            return await self._waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._reset()

    def look(self) -> None:
        """Fail the exchange when no byte came or went since the last look."""
        left = 0 if self._transport is None else self._transport.get_write_buffer_size()
        seen, self._seen = self._seen, (self._waiter, len(self._buffer), left)
        if seen == self._seen:
            self._fail(TimeoutError("storage did not answer in time"))

    def _reset(self) -> None:
        self._waiter = None
        self._head = None
        self._chunks = None
        self._searched = 0
        if self._buffer:
            self._buffer = bytearray()

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _take(self) -> Answer | None:
        """The answer when it is complete."""
        if self._head is None:
            end = self._buffer.find(_HEAD_END, max(0, self._searched - 3))
            if end < 0:
                self._searched = len(self._buffer)
                if self._searched > _MOST_HEAD_BYTES:
                    raise ProtocolError("the head is too long")
                return None
            self._head = parse_head(bytes(self._buffer[:end]))
            self._body_start = end + len(_HEAD_END)
        status, headers = self._head
        body = self._take_body(status, headers)
        if body is None:
            return None
        if headers.get("connection", "").lower() == "close":
            self.reusable = False
        return Answer(status, headers, body)

    def _take_body(self, status: int, headers: dict[str, str]) -> bytes | None:
        if status in _NO_BODY:
            return b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            if self._chunks is None:
                self._chunks = Chunks(self._body_start)
            return self._chunks.take(self._buffer)
        if "content-length" not in headers:
            raise ProtocolError("the answer has no length")
        end = self._body_start + int(headers["content-length"])
        return bytes(self._buffer[self._body_start : end]) if len(self._buffer) >= end else None


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers. Raises ValueError or ProtocolError."""
    first, _, rest = head.decode("latin-1").partition("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ProtocolError(version[:20])
    headers: dict[str, str] = {}
    for line in rest.split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(status[:3]), headers


class Chunks:
    """A body that comes in chunks, put together as it comes."""

    def __init__(self, start: int) -> None:
        self._next = start
        self._parts: list[bytes] = []

    def take(self, buffer: bytearray) -> bytes | None:
        """The body when its last chunk is there. Raises ValueError for a size that is none."""
        while True:
            line_end = buffer.find(b"\r\n", self._next)
            if line_end < 0:
                return None
            size = int(bytes(buffer[self._next : line_end]).partition(b";")[0], 16)
            start = line_end + 2
            if size == 0:
                # Nothing follows but trailers, which storage does not send, and an empty line.
                return b"".join(self._parts) if buffer.find(_HEAD_END, line_end) >= 0 else None
            if len(buffer) < start + size + 2:
                return None
            self._parts.append(bytes(buffer[start : start + size]))
            self._next = start + size + 2


class Pool:
    """The connections to one host. Used in one event loop."""

    def __init__(self, host: str, port: int, *, secure: bool) -> None:
        self._host = host
        self._port = port
        self._tls = ssl.create_default_context() if secure else None
        self._idle: deque[_Connection] = deque()
        self._busy: set[_Connection] = set()
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._watch: asyncio.TimerHandle | None = None
        self.patience = PATIENCE_SECONDS

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        """One request and its answer.

        Raises OSError, ProtocolError, or TimeoutError when nothing moved for `patience` seconds, at most twice that;
        the request may have arrived nevertheless.
        """
        async with self._turns:
            connection = self._reused() or await self._connect()
            self._busy.add(connection)
            if self._watch is None:
                self._watch = asyncio.get_running_loop().call_later(self.patience, self._look)
            try:
                answer = await connection.exchange(head, body)
            finally:
                self._busy.discard(connection)
            self._keep(connection)
            return answer

    def close(self) -> None:
        """Close all connections; exchanges under way fail. Repeatable."""
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._idle.clear()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        # One timer for all: a timer for each exchange would cost more than the rest of it.
        for connection in self._busy:
            connection.look()
        self._watch = asyncio.get_running_loop().call_later(self.patience, self._look) if self._busy else None

    def _keep(self, connection: _Connection) -> None:
        if connection.reusable:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()

    def _reused(self) -> _Connection | None:
        """The connection used last: the others grow old and are dropped."""
        oldest = asyncio.get_running_loop().time() - _KEEP_ALIVE_SECONDS
        while self._idle and self._idle[0].used_at < oldest:
            self._idle.popleft().close()
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    async def _connect(self) -> _Connection:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, self._host, self._port, ssl=self._tls
            )
        return connection
