"""An app's HTTP functions, called without a socket: routes as the host matches them, the client that of the harness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import urlencode, urlsplit

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.functions.app import engine_of
from durable_ext.functions.local import HttpFunction, index
from durable_ext.functions.routes import Template, split_path
from durable_ext.testing.harness_engine import HarnessEngine
from durable_ext.testing.processes import Process

_ORIGIN = "http://localhost"


class HttpRequest(TypedDict, total=False):
    """A request beside its method and its path. `json` is any value that is data; `params` join the path's query."""

    json: Any
    body: bytes | str
    headers: Mapping[str, str]
    params: Mapping[str, str]


class HttpAnswer(msgspec.Struct, frozen=True):
    """What a function answered. Names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON value. Raises AssertionError with the answer when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise AssertionError(f"the answer is no JSON: {self.status} {self.text!r}") from error


_Route = tuple[HttpFunction, Template]


class HttpFront:
    """Attached to the app until it is closed. Raises ConfigurationError for an app without functions."""

    def __init__(self, app: Any, engine: HarnessEngine) -> None:
        if isinstance(app, Registry) or not hasattr(app, "get_functions"):
            raise ConfigurationError("HTTP functions belong to a function app: hand the app itself to the Harness")
        self._app_engine = engine_of(app)
        self._engine = engine
        # A plain func.FunctionApp remembers the names of its functions, and refuses to be indexed a second time.
        app.functions_bindings = {}
        self._functions = index(app)
        self._routes = [(function, Template(function.route)) for function in self._functions.http]
        self._unserved = [(function, Template(function.route)) for function in self._functions.unserved_http]
        self._attach(engine.process)
        engine.replaced = self._attach

    async def call(self, method: str, path: str, request: HttpRequest) -> HttpAnswer:
        """The answer of the first function with this route; 404 when there is none. Raises what it raises, and
        ConfigurationError when the one that is meant has bindings that only the Functions host knows."""
        target = urlsplit(path)
        query = "&".join(part for part in (target.query, urlencode(request.get("params") or {})) if part)
        url = f"{_ORIGIN}{target.path}" + (f"?{query}" if query else "")
        body, headers = _content(request)
        for function, params in self._matching(target.path, self._routes):
            if method.upper() in function.methods:
                status, answered, content = await function.invoke(method.upper(), url, headers, params, body)
                return HttpAnswer(status, {name.lower(): value for name, value in answered}, content)
        for function, _ in self._matching(target.path, self._unserved):
            if method.upper() in function.methods:
                raise ConfigurationError(
                    f"function {function.name!r} has a binding of type {function.function.unserved()!r}, which only "
                    "the Functions host fills in; call the function itself and hand it what it takes"
                )
        return HttpAnswer(404, {}, b"")

    async def close(self) -> None:
        """Leave the app as it was."""
        self._functions.close()
        await self._app_engine.close()

    def _matching(self, path: str, routes: list[_Route]) -> list[tuple[HttpFunction, dict[str, str]]]:
        segments = split_path(path)
        prefix = split_path(self._app_engine.settings.route_prefix)
        if [part.lower() for part in segments[: len(prefix)]] != [part.lower() for part in prefix]:
            return []
        found = ((function, route.match(segments[len(prefix) :])) for function, route in routes)
        return [(function, params) for function, params in found if params is not None]

    def _attach(self, process: Process) -> None:
        self._app_engine.attach(process.worker)


def _content(request: HttpRequest) -> tuple[bytes, dict[str, str]]:
    headers = {"host": urlsplit(_ORIGIN).netloc}
    body = request.get("body", b"")
    data = body.encode() if isinstance(body, str) else body
    if "json" in request:
        data = msgspec.json.encode(request["json"])
        headers["content-type"] = "application/json"
    return data, headers | {name.lower(): value for name, value in (request.get("headers") or {}).items()}
