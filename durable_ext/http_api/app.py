"""The ASGI app: finds the route of a request, lets its handler answer, and turns what goes wrong into JSON."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from durable_ext.http_api.calls import Call, ClientSource
from durable_ext.http_api.endpoints import Endpoint
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.mount import absolute_url, segments, split_path
from durable_ext.http_api.outgoing import send_in_pieces
from durable_ext.http_api.refusals import Refusal, refusal_of
from durable_ext.http_api.room import Room, Share
from durable_ext.http_api.routes import ROUTES
from durable_ext.worker.client import Client

PREFIX = "/api/durabletask"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """How an app is served: what callers may ask for, and whether somebody in front of it asks them for a key, which
    the OpenAPI document then says."""

    limits: HttpLimits = HttpLimits()
    asks_keys: bool = False


def create_app(
    client_for: ClientSource | Client,
    *,
    prefix: str = PREFIX,
    query: str = "",
    forwarded: bool = False,
    served: Served = Served(),  # noqa: B008 - frozen
) -> ASGIApp:
    """The management API of one hub. `client_for` is its client, or a coroutine function that opens it when needed.

    The app is found under `prefix` in the path, or under the scope's `root_path`. `query` goes to every URL it hands
    out, and so does the `code` of the request. `forwarded`: believe X-Forwarded-Proto and X-Forwarded-Host, which is
    safe behind a proxy that sets them. `served` bounds what callers may ask for.
    """
    return _Api(_source(client_for), prefix, query.strip("?&"), forwarded, served)


def _source(client_for: ClientSource | Client) -> ClientSource:
    if not isinstance(client_for, Client):
        return client_for

    async def ready() -> Client:
        return client_for

    return ready


class _Api:
    def __init__(self, client: ClientSource, prefix: str, query: str, forwarded: bool, served: Served) -> None:
        self._client = client
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self._query = query
        self._forwarded = forwarded
        self._served = served
        self._room = Room(served.limits.in_flight)
        self._no_http = Starlette()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # start and end of a server; a websocket is turned away
            await self._no_http(scope, receive, send)
            return
        with self._room.share() as share:
            response = await self._answer(Request(scope, receive), share)
            await send_in_pieces(response, scope, receive, send)

    async def _answer(self, request: Request, share: Share) -> Response:
        route: Endpoint | None = None
        try:
            found = split_path(request.scope["path"], request.scope.get("root_path", ""), self._prefix)
            if found is None:
                raise Refusal(404, "unknown_path", f"nothing is here; the API is below {self._prefix}")
            mounted_at, path = found
            route, params = _route(request.method, segments(path))
            return await route.handler(self._call(request, share, mounted_at, params))
        except Exception as error:  # noqa: BLE001 - the outermost room: refusal_of logs what nobody expected
            refusal = refusal_of(error, "finding the route" if route is None else route.place)
            return refusal.answer(for_start=route is not None and route.starts)

    def _call(self, request: Request, share: Share, mounted_at: str, params: dict[str, str]) -> Call:
        return Call(
            request=request,
            params=params,
            base_url=absolute_url(request, mounted_at, forwarded=self._forwarded),
            link_query="&".join(part for part in (self._query, _code(request)) if part),
            client=self._client,
            limits=self._served.limits,
            share=share,
            asks_keys=self._served.asks_keys,
        )


def _code(request: Request) -> str:
    # The key of the Functions host: who may ask may also follow the URLs.
    code = request.query_params.get("code", "")
    return f"code={quote(code, safe='')}" if code else ""


def _route(method: str, path: Sequence[str]) -> tuple[Endpoint, dict[str, str]]:
    verbs: list[str] = []
    for route in ROUTES:
        params = route.match(path)
        if params is not None and route.method == method:
            return route, params
        if params is not None:
            verbs.append(route.method)
    if verbs:
        raise Refusal(404, "unknown_path", f"{method} is not possible here; it takes {', '.join(sorted(set(verbs)))}")
    raise Refusal(404, "unknown_path", "there is no such path; GET the root of the API lists all")
