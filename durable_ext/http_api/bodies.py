"""Request bodies: JSON text that goes on as it is, so that large values stay cheap and decimals exact.

azure-functions-durable 1.x sends a JSON string that itself holds the JSON; other clients send the JSON. Both are
taken: a string that holds JSON means that JSON, any other text means itself.
"""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request

from durable_ext.authoring.payload import NULL
from durable_ext.http_api.intake import read_whole
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.refusals import Refusal
from durable_ext.http_api.room import Share

# A value is stored and sent inside other JSON, a few levels deeper than here.
_HEADROOM = 200

_NOTHING = msgspec.Raw(NULL)


_JSON = re.compile(r"(?:application/(?:[a-z0-9.!#$&^_-]+\+)?|text/)json", re.IGNORECASE)


async def read_json(request: Request, limits: HttpLimits, share: Share) -> bytes:
    """The whole body without surrounding white space. Raises Refusal as `read_whole`, and 415 when it is not said to be
    JSON: what a form, or a page of another origin, can send without asking is none."""
    body = (await read_whole(request, limits, share)).strip()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if body and not _JSON.fullmatch(media_type):
        given = f"not {media_type}" if media_type else "and it says nothing of its type"
        raise Refusal(
            415, "wrong_content_type", f"the body is taken as JSON only, {given}; send Content-Type: application/json"
        )
    return body


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
