"""The HTTP side of the host: the app's HTTP functions behind uvicorn, as the Functions host would serve them."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from durable_ext.errors import ConfigurationError
from durable_ext.functions.routes import Template, split_path
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.room import Room

if TYPE_CHECKING:
    import uvicorn
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from durable_ext.http_api.room import Share

logger = logging.getLogger("durable_ext.host")

# As the Functions host: a request that comes while the host starts waits this long.
_START_PATIENCE = 30.0


class HttpFunction(Protocol):
    """What is needed of a function with an HTTP trigger."""

    @property
    def name(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def methods(self) -> tuple[str, ...]: ...
    @property
    def auth_level(self) -> str: ...
    async def invoke(
        self, method: str, url: str, headers: Mapping[str, str], route_params: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]: ...


class Keys:
    """Who may call what: a function or admin key for level FUNCTION, the admin key for ADMIN, anybody for ANONYMOUS."""

    def __init__(self, function: str, admin: str) -> None:
        if not admin:
            raise ConfigurationError("keys are asked for, but DURABLE_EXT_ADMIN_KEY is not set")
        self._admin = admin
        self._accepted = {"anonymous": (), "admin": (admin,), "function": tuple(filter(None, (function, admin)))}

    def admit(self, level: str, key: str) -> bool:
        """Whether a request with this key may call a function of this level."""
        accepted = self._accepted.get(level, (self._admin,))
        # All are compared, each in constant time: how long it takes tells nothing about the key.
        matches = [hmac.compare_digest(key.encode(), right.encode()) for right in accepted]
        return any(matches) or level == "anonymous"


class FunctionsApp:
    """An ASGI app over HTTP functions. `keys` None: nobody is asked for one. Until `ready` is set requests wait."""

    def __init__(
        self,
        functions: Sequence[HttpFunction],
        prefix: str,
        keys: Keys | None = None,
        limits: HttpLimits = HttpLimits(),  # noqa: B008 - frozen
    ) -> None:
        self.ready = asyncio.Event()
        self._keys = keys
        self._limits = limits
        self._room = Room(limits.in_flight)
        ordered = sorted(functions, key=lambda function: function.name)
        self._routes = [(Template(f"{prefix}/{function.route}"), function) for function in ordered]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.requests import Request

        from durable_ext.http_api.outgoing import send_in_pieces

        if scope["type"] != "http":
            raise NotImplementedError(f"the host serves HTTP only, not {scope['type']}")
        with self._room.share() as share:
            response = await self._answer(Request(scope, receive), share)
            share.keep(len(response.body))
            await send_in_pieces(response, scope, receive, send)

    async def _answer(self, request: Request, share: Share) -> Response:
        from starlette.responses import Response

        from durable_ext.http_api.intake import read_whole
        from durable_ext.http_api.refusals import Refusal

        found = self._match(request)
        if found is None:
            return Response(status_code=404)
        function, values = found
        if self._keys is not None and not self._keys.admit(function.auth_level, _key_of(request)):
            return Response(status_code=401)
        if not await self._is_ready():
            return Response("the host is waiting for its storage", status_code=503, headers={"retry-after": "5"})
        try:
            body = await read_whole(request, self._limits, share)
            status, headers, content = await function.invoke(
                request.method, _url(request), request.headers, values, body
            )
        except Refusal as refusal:
            logger.info("function %s was not called: %s", function.name, refusal)
            return refusal.answer()
        except Exception as error:  # noqa: BLE001 - logged; the caller sees an empty 500, as under Functions
            _tell(function.name, error)
            return Response(status_code=500)
        response = Response(content, status_code=status)
        for name, value in headers:
            if name.lower() != "content-length":
                response.headers.append(name, value)
        return response

    def _match(self, request: Request) -> tuple[HttpFunction, dict[str, str]] | None:
        path = split_path(_raw_path(request))
        for template, function in self._routes:
            if request.method in function.methods and (values := template.match(path)) is not None:
                return function, values
        return None

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_START_PATIENCE):
                await self.ready.wait()
        except TimeoutError:
            return False
        return True


def _raw_path(request: Request) -> str:
    raw: bytes = request.scope["raw_path"]
    return raw.decode("latin-1")


def _url(request: Request) -> str:
    """The address as it came: the framework's own has the path decoded."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.scheme}://{request.url.netloc}{_raw_path(request)}{query}"


def _tell(name: str, error: Exception) -> None:
    logger.error("function %s failed", name, exc_info=error)


def _key_of(request: Request) -> str:
    return request.headers.get("x-functions-key") or request.query_params.get("code", "")


def listen(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any. Raises ConfigurationError when the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {address}:{port}: {error.strerror}; stop what uses it or choose another with --port"
        ) from error
    return listener


def make_server(app: ASGIApp, grace: float) -> uvicorn.Server:
    """A uvicorn server that leaves signals to the host. `grace`: seconds for requests under way when it is stopped."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    settings: MutableMapping[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False, "ws": "none"}
    return Server(uvicorn.Config(app, timeout_graceful_shutdown=max(1, int(grace)), **settings))
