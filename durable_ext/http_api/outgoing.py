"""A long answer on its way out: in pieces, so that what waits for a slow reader is a piece and not a copy of it all.

A server takes the next piece when most of the one before has gone out.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

_PIECE = 256 * 1024


async def send_in_pieces(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response whose body is there."""

    async def cut(message: Message) -> None:
        body: bytes = message.get("body", b"")
        if message["type"] != "http.response.body" or len(body) <= _PIECE:
            await send(message)
            return
        for start in range(0, len(body), _PIECE):
            more = start + _PIECE < len(body)
            await send({**message, "body": body[start : start + _PIECE], "more_body": more})

    await response(scope, receive, cut)
