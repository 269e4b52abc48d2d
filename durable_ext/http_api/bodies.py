"""Request bodies: JSON text that goes on as it is, so that large values stay cheap and decimals exact.

azure-functions-durable 1.x sends a JSON string that itself holds the JSON; other clients send the JSON. Both are
taken: a string that holds JSON means that JSON, any other text means itself.
"""

from __future__ import annotations

import msgspec
from starlette.requests import ClientDisconnect, Request

from durable_ext.authoring.payload import NULL
from durable_ext.http_api.refusals import Refusal

# A value is stored and sent inside other JSON, a few levels deeper than here.
_HEADROOM = 200

_NOTHING = msgspec.Raw(NULL)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body without surrounding white space. Raises Refusal: 413 above `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:18]) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise _too_large(limit)
    except ClientDisconnect as error:
        raise Refusal(400, "cut_off", "the body ended too early; send it again") from error
    return bytes(body.strip())


def start_input(body: bytes) -> msgspec.Raw:
    """The input of a start. Raises Refusal 400. The npm client sends an empty string when there is none."""
    return _NOTHING if body == b'""' else event_data(body)


def event_data(body: bytes) -> msgspec.Raw:
    """The data of an event; none is null. Raises Refusal 400."""
    if not body:
        return _NOTHING
    try:
        whole = _checked(body)
    except ValueError as error:
        raise Refusal(400, "invalid_json", f"the body is no JSON: {error}") from error
    except RecursionError as error:
        raise Refusal(400, "invalid_json", "the body is nested too deep; flatten it") from error
    return whole if body[:1] != b'"' else _unwrapped(whole)


class _Termination(msgspec.Struct):
    output: msgspec.Raw = msgspec.Raw()


def termination_output(body: bytes) -> msgspec.Raw | None:
    """The `output` in the body of a termination, None without one.

    Any other body is passed over: Durable Functions reads none here, and its callers send all kinds.
    """
    try:
        output = msgspec.json.decode(_checked(body), type=_Termination).output
    except (ValueError, RecursionError):
        return None
    return output if bytes(output) not in (b"", b"null") else None


def _unwrapped(string: msgspec.Raw) -> msgspec.Raw:
    text = msgspec.json.decode(string, type=str)
    try:
        return _checked(text.strip().encode())
    except (ValueError, RecursionError):  # a text, not JSON
        return string


def _checked(body: bytes) -> msgspec.Raw:
    if not body.isascii():
        body.decode()
    msgspec.json.decode(body, type=msgspec.Raw)
    if body.count(b"[") + body.count(b"{") > _HEADROOM:
        msgspec.json.decode(b"[" * _HEADROOM + body + b"]" * _HEADROOM, type=msgspec.Raw)
    return msgspec.Raw(body)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"the body is over {limit} bytes; put large data elsewhere and send its address")
