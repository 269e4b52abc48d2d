"""Who may call a host: those who mean it, by one of its names, and no page that another origin shows in a browser.

A browser sends to a port of this machine what any page asks it to. A page reaches it by the page's own name, once that
name is made to lead here, or by ours, and then the browser says whose page it is.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Receive, Scope, Send

    from durable_ext.functions.http_settings import HttpSettings
    from durable_ext.http_api.refusals import Refusal

logger = logging.getLogger("durable_ext.host")

_ANY = "*"
_HOST = re.compile(r"(?P<name>[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_READS = frozenset({"GET", "HEAD"})
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Of an answer, what a page of an allowed origin needs to go on.
_EXPOSED = ("Location", "Retry-After", "x-ms-continuation-token")


class Callers:
    """The names of a host and the origins of pages that may call it. `base_url` is its address as callers see it."""

    def __init__(self, address: str, base_url: str, settings: HttpSettings) -> None:
        self.origins = settings.origins
        self._is_open = not is_loopback(address)
        base = urlsplit(base_url.lower())
        self._own_origin = f"{base.scheme}://{base.netloc}"
        self._names = {"localhost", address.lower(), base.hostname or ""}
        self._names.update(name.strip("[]") for name in settings.hosts)
        if self._is_open:
            self._names.add(socket.gethostname().lower())

    def refusal(self, method: str, headers: Headers) -> Refusal | None:
        """Why a request is not taken, None for one that is."""
        from durable_ext.http_api.refusals import Refusal

        host = headers.get("host", "").lower()
        if not self._is_own(host):
            return Refusal(
                421,
                "foreign_host",
                "the Host of the request is no name of this host; DURABLE_HTTP_HOSTS takes more names",
            )
        if method != "OPTIONS" and self._is_foreign(method, host, headers):
            return Refusal(
                403,
                "foreign_origin",
                "the request comes from a page of another origin; DURABLE_HTTP_ORIGINS lists those that may call",
            )
        return None

    def _is_own(self, host: str) -> bool:
        """Whether it is a name of ours. One in digits cannot be made to lead here, so where anybody may call it is."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].strip("[]").removesuffix(".")
        if name in self._names or _ANY in self._names:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or self._is_open
        except ValueError:
            return False

    def _is_foreign(self, method: str, host: str, headers: Headers) -> bool:
        """A link that somebody follows from elsewhere is not: it shows them what they asked for, and no page reads it.

        Reading is not taken from a page either, because functions that start something often take GET.
        """
        origin = headers.get("origin")
        if origin is not None:
            return not self._may_call(origin.lower(), host)
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return False
        return method not in _READS or headers.get("sec-fetch-mode") != "navigate"

    def _may_call(self, origin: str, host: str) -> bool:
        own = origin == self._own_origin or urlsplit(origin).netloc == host
        return own or origin in self.origins or _ANY in self.origins


class Guarded:
    """An ASGI app that only these callers reach. Pages of allowed origins get the headers that browsers ask for."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = _with_cors(app, callers.origins) if callers.origins else app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers

        headers = Headers(raw=scope.get("headers", []))
        refusal = self._callers.refusal(scope["method"], headers) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        # Not louder: a page may ask as often as it likes.
        logger.debug("%s to %r from %r: %s", scope["method"], headers.get("host"), headers.get("origin"), refusal)
        await refusal.answer()(scope, receive, send)


def is_loopback(address: str) -> bool:
    """Whether who listens there hears this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def _with_cors(app: ASGIApp, origins: Iterable[str]) -> ASGIApp:
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app, allow_origins=sorted(origins), allow_methods=_METHODS, allow_headers=["*"], expose_headers=_EXPOSED
    )
