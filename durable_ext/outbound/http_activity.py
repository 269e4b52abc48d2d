"""The activity that sends one HTTP request of an orchestrator. Every worker has it.

It follows redirects itself, because what follows them must be chosen: no secret goes to another origin. A response
of any status is a result; what got no response is the task's failure.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import msgspec

from durable_ext.authoring.http_records import HttpRequest, WantedToken, origin_of, without_secrets
from durable_ext.errors import HttpRequestError, InvalidInputError

if TYPE_CHECKING:
    import aiohttp

# A response becomes part of a history.
MOST_BYTES = 16 * 1024 * 1024
_MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_SECONDS = 100.0
_CHUNK = 64 * 1024
# Tokens by what was asked for, with the time they end, in seconds since the epoch; fetched anew a while before.
_tokens: dict[bytes, tuple[str, float]] = {}
_STALE = 300.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def send_request(request: HttpRequest) -> dict[str, Any]:
    """Send a request; its status, headers and text. Raises HttpRequestError when there is no response to be had, and
    InvalidInputError for an address or a token that cannot be."""
    return await _sent(request, follows=True)


async def send_directly(request: HttpRequest) -> dict[str, Any]:
    """As send_request, to this address and to no other: a redirect is the answer."""
    return await _sent(request, follows=False)


async def _sent(request: HttpRequest, *, follows: bool) -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            return await _send(session, request, follows=follows)
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is among them
        place = origin_of(request.uri)[1]
        raise HttpRequestError(f"{request.method} to {place} got no response: {type(error).__name__}") from error


async def _send(session: aiohttp.ClientSession, request: HttpRequest, *, follows: bool) -> dict[str, Any]:
    for _ in range(_MOST_REDIRECTS):
        headers = await _headers(request)
        body = None if request.content is None else request.content.encode()
        async with session.request(
            request.method, request.uri, data=body, headers=headers, allow_redirects=False
        ) as response:
            location = response.headers.get("Location")
            if not follows or response.status not in _REDIRECTS or location is None:
                return await _result(response)
            request = _redirected(request, response.status, location)
    raise HttpRequestError(f"{request.method} to {origin_of(request.uri)[1]} was redirected {_MOST_REDIRECTS} times")


def _redirected(request: HttpRequest, status: int, location: str) -> HttpRequest:
    following = msgspec.structs.replace(request, uri=urljoin(request.uri, location))
    if status not in _KEEPS_METHOD and request.method != "HEAD":
        plain = {name: value for name, value in request.headers.items() if not name.lower().startswith("content-")}
        following = msgspec.structs.replace(following, method="GET", content=None, headers=plain)
    return without_secrets(following, request.uri)


async def _headers(request: HttpRequest) -> dict[str, str]:
    if request.token_source is None:
        return request.headers
    scheme, host, _ = origin_of(request.uri)
    if scheme != "https" and host not in LOOPBACK:
        raise InvalidInputError(f"a token is not sent to {host} in plain text; use https")
    return request.headers | {"Authorization": f"Bearer {await _token(request.token_source)}"}


async def _token(wanted: WantedToken) -> str:
    if wanted.kind != "AzureManagedIdentity":
        raise InvalidInputError(f"token source {wanted.kind!r} is unknown; there is AzureManagedIdentity")
    kept = _tokens.get(key := msgspec.json.encode(wanted))
    if kept is not None and kept[1] - time.time() > _STALE:
        return kept[0]
    from azure.identity.aio import DefaultAzureCredential

    options: dict[str, Any] = {}
    if "authorityhost" in wanted.options:
        options["authority"] = wanted.options["authorityhost"]
    scope = wanted.resource if wanted.resource.endswith("/.default") else wanted.resource.rstrip("/") + "/.default"
    async with DefaultAzureCredential(**options) as credential:
        tenant = wanted.options.get("tenantid")
        token = await credential.get_token(scope, **({} if tenant is None else {"tenant_id": tenant}))
    _tokens[key] = token.token, token.expires_on
    return token.token


async def _result(response: aiohttp.ClientResponse) -> dict[str, Any]:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            raise HttpRequestError(
                f"the response is over {MOST_BYTES} bytes; fetch it in an activity and keep it in a store",
                retryable=False,
            )
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    try:
        text = body.decode(response.charset or "utf-8", errors="replace")
    except LookupError:  # a charset that nobody knows
        text = body.decode(errors="replace")
    return {"statusCode": response.status, "headers": headers, "content": text}
