"""HTTP requests and responses as data, with the names of azure-functions-durable, and what may follow where. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from durable_ext.errors import InvalidInputError

_POLL_PAUSE = timedelta(seconds=30)
_SHORTEST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(days=1)
# Headers that say how to answer, or what a body is. Any other may be a secret, whatever its name.
_HARMLESS = frozenset(
    (
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-encoding",
        "content-language",
        "content-type",
        "user-agent",
    )
)
_PORTS = {"http": 80, "https": 443}


class TokenSource:
    """Where a bearer token comes from. A worker gets it when it sends the request; it is never recorded."""

    def to_json(self) -> dict[str, Any]:
        """As Durable Functions spells it."""
        raise NotImplementedError


class ManagedIdentityTokenSource(TokenSource):
    """A token for a resource, such as `https://management.core.windows.net`, from the identity that the app runs as.

    `options`: `authorityhost` and `tenantid`, as Durable Functions has them.
    """

    def __init__(self, resource: str, options: Mapping[str, str] | None = None) -> None:
        if not resource:
            raise InvalidInputError("the resource of a token is empty; name the address the token is for")
        self.resource = resource
        self.kind = "AzureManagedIdentity"
        self.options = dict(options or {})

    def to_json(self) -> dict[str, Any]:
        """As Durable Functions spells it."""
        return {"resource": self.resource, "kind": self.kind} | ({"options": self.options} if self.options else {})


class WantedToken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token source as data."""

    resource: str
    kind: str
    options: dict[str, str] = {}


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One request, as history has it."""

    method: str
    uri: str
    content: str | None = None
    headers: dict[str, str] = {}
    token_source: WantedToken | None = None


class DurableHttpRequest:
    """A request, with the fields of azure-functions-durable. Raises InvalidInputError for an address that is none."""

    def __init__(
        self,
        method: str,
        uri: str,
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
        token_source: TokenSource | None = None,
    ) -> None:
        self.method = method
        self.uri = uri
        self.content = content
        self.headers = dict(headers or {})
        self.token_source = token_source
        origin_of(uri)

    def to_json(self) -> dict[str, Any]:
        """As Durable Functions spells it."""
        found: dict[str, Any] = msgspec.to_builtins(self.record())
        return found

    def record(self) -> HttpRequest:
        """The request as history has it."""
        source = None if self.token_source is None else msgspec.convert(self.token_source.to_json(), WantedToken)
        return HttpRequest(
            method=self.method, uri=self.uri, content=self.content, headers=self.headers, token_source=source
        )


class DurableHttpResponse(dict[str, Any]):
    """A response: `.status_code`, `.headers`, `.content`, or `["statusCode"]` and so on as a dict has them."""

    @property
    def status_code(self) -> int:
        return int(self["statusCode"])

    @property
    def headers(self) -> dict[str, str]:
        """Header values; those of one name are joined by commas."""
        return self["headers"]

    @property
    def content(self) -> str:
        """The body as text."""
        return self["content"]

    def header(self, name: str) -> str | None:
        """The value of a header, whatever its capitals; None when it is not there."""
        return next((value for known, value in self.headers.items() if known.lower() == name.lower()), None)


def origin_of(uri: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address. Raises InvalidInputError for one that no request can go to."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"{uri!r} is no address: {error}") from error
    if parts.scheme.lower() not in _PORTS or not parts.hostname:
        raise InvalidInputError(f"{uri!r} is no address of a request; it begins with https://host or http://host")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError("the address has a user or a password in it; use a header or a token source")
    return parts.scheme.lower(), parts.hostname.lower(), port or _PORTS[parts.scheme.lower()]


def without_secrets(request: HttpRequest, before: str) -> HttpRequest:
    """The request as it may go on from the address `before`: to another origin only what is known to be harmless goes
    along, no other header and no token.

    Raises InvalidInputError for an address that no request can go to.
    """
    if origin_of(request.uri) == origin_of(before):
        return request
    kept = {name: value for name, value in request.headers.items() if name.lower() in _HARMLESS}
    return msgspec.structs.replace(request, headers=kept, token_source=None)


def pause_of(retry_after: str | None, now: datetime) -> timedelta:
    """How long a Retry-After asks to wait, within bounds; half a minute when there is none to be read."""
    if retry_after is None:
        return _POLL_PAUSE
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        wanted = timedelta(seconds=min(int(text[:9]), _LONGEST_PAUSE.total_seconds()))
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return _POLL_PAUSE
        wanted = (date.replace(tzinfo=UTC) if date.tzinfo is None else date) - now
    return min(max(wanted, _SHORTEST_PAUSE), _LONGEST_PAUSE)
