"""A body on its way in: how long it may be, how long it may take, and how much room it finds beside others."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.refusals import Refusal
from durable_ext.http_api.room import Share


async def read_whole(request: Request, limits: HttpLimits, share: Share) -> bytes:
    """The whole body. Raises Refusal: 413 above the limit, 408 when it takes too long, 503 when there is no room for
    it beside others, 400 when the caller hangs up."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > limits.body:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.arrival.total_seconds()):
            async for chunk in request.stream():
                if len(body) + len(chunk) > limits.body:
                    raise _too_large(limits)
                share.take(len(chunk))
                body += chunk
    except ClientDisconnect as error:
        raise Refusal(400, "cut_off", "the body ended too early; send it again") from error
    except TimeoutError as error:
        seconds = f"{limits.arrival.total_seconds():g}"
        raise Refusal(408, "too_slow", f"the body did not arrive within {seconds} seconds; send it again") from error
    return bytes(body)


def _too_large(limits: HttpLimits) -> Refusal:
    return Refusal(
        413, "too_large", f"the body is over {limits.body} bytes; put large data elsewhere and send its address"
    )
