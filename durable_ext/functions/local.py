"""An app's functions for a host that is not the Functions host: indexed once, callable with plain values.

The converters are those of the production worker, so types and errors are the same; host policies (polling, poison
queues, schedules, keys, matching of routes) are the caller's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
from azure.functions.meta import Datum

from durable_ext.errors import ConfigurationError
from durable_ext.functions.app import engine_of
from durable_ext.functions.invocation import UserFunction

if TYPE_CHECKING:
    from durable_ext.authoring.registry import Registry

Headers = list[tuple[str, str]]
_EVERY_METHOD = tuple(method.value for method in func.HttpMethod)


@dataclass(frozen=True)
class HttpFunction:
    """A function with an HTTP trigger. `route` is the template below the route prefix; methods are upper case."""

    name: str
    route: str
    methods: tuple[str, ...]
    auth_level: str
    function: UserFunction

    async def invoke(
        self, method: str, url: str, headers: Mapping[str, str], route_params: Mapping[str, str], body: bytes
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body of the answer. Query values come from the URL; empty ones are dropped, as the host
        does. A function that returns nothing answers 500. Raises what the function raises."""
        query = dict(parse_qsl(urlsplit(url).query))
        request = {
            "method": _text(method),
            "url": _text(url),
            "headers": {name.lower(): _text(value) for name, value in headers.items()},
            "query": {name: _text(value) for name, value in query.items()},
            "params": {name: _text(value) for name, value in route_params.items()},
            "body": Datum(body, "bytes"),
        }
        answer = await self.function.call(Datum(request, "http"), {})
        return _http_answer(answer)


@dataclass(frozen=True)
class TimerFunction:
    """A function with a timer trigger. `schedule` is NCRONTAB with six or five fields."""

    name: str
    schedule: str
    run_on_startup: bool
    function: UserFunction

    async def invoke(self, past_due: bool = False) -> None:
        """Let the timer fire. Raises what the function raises."""
        request = {"IsPastDue": past_due, "ScheduleStatus": {}, "Schedule": {"AdjustForDST": True}}
        await self.function.call(Datum(json.dumps(request), "json"), {})


@dataclass(frozen=True)
class QueueFunction:
    """A function with a queue trigger. `connection` names the setting that holds the storage connection."""

    name: str
    queue_name: str
    connection: str
    function: UserFunction

    async def invoke(
        self,
        body: bytes,
        message_id: str,
        dequeue_count: int = 1,
        insertion_time: datetime | None = None,
        expiration_time: datetime | None = None,
    ) -> None:
        """Deliver a message, decoded from base64 already. Returning completes it, raising abandons it (F2)."""
        metadata = {"Id": _text(message_id), "DequeueCount": Datum(dequeue_count, "int")}
        for name, time in (("InsertionTime", insertion_time), ("ExpirationTime", expiration_time)):
            if time is not None:
                metadata[name] = _text(time.isoformat())
        binary = self.function.trigger.fields.get("dataType") == "BINARY"
        data = Datum(body, "bytes") if binary else Datum(body.decode(), "string")
        await self.function.call(data, metadata)


@dataclass(frozen=True)
class LocalFunctions:
    """What an app consists of, the engine's own functions included.

    `unserved` are functions with a binding that only the Functions host knows: their names and that binding's type.
    `unserved_http` are those among them that have an HTTP trigger.
    """

    http: tuple[HttpFunction, ...]
    timers: tuple[TimerFunction, ...]
    queues: tuple[QueueFunction, ...]
    unserved: tuple[tuple[str, str], ...]
    unserved_http: tuple[HttpFunction, ...]
    registry: Registry
    threads: ThreadPoolExecutor

    def close(self) -> None:
        """Let go of the threads; calls under way end by themselves."""
        self.threads.shutdown(wait=False, cancel_futures=True)


def index(app: func.FunctionRegister) -> LocalFunctions:
    """The functions of an app, sorted by name, in which order the host matches their routes.

    Raises ConfigurationError for wrong settings and for functions that the worker would refuse, ValueError for two
    functions of one name.
    """
    threads = ThreadPoolExecutor(_thread_count(), thread_name_prefix="function")
    functions = [UserFunction(function, threads) for function in app.get_functions()]
    functions.sort(key=lambda function: function.name)
    served = [function for function in functions if not function.unserved()]
    return LocalFunctions(
        http=tuple(_http(function) for function in served if function.trigger.kind == "httpTrigger"),
        timers=tuple(_timer(function) for function in served if function.trigger.kind == "timerTrigger"),
        queues=tuple(_queue(function) for function in served if function.trigger.kind == "queueTrigger"),
        unserved=tuple((function.name, function.unserved()) for function in functions if function.unserved()),
        unserved_http=tuple(
            _http(function) for function in functions if function.unserved() and function.trigger.kind == "httpTrigger"
        ),
        registry=engine_of(app).registry,
        threads=threads,
    )


def _http(function: UserFunction) -> HttpFunction:
    fields = function.trigger.fields
    return HttpFunction(
        name=function.name,
        route=str(fields["route"]).strip("/"),
        methods=tuple(str(method).upper() for method in fields.get("methods") or _EVERY_METHOD),
        auth_level=str(fields.get("authLevel", "function")).lower(),
        function=function,
    )


def _timer(function: UserFunction) -> TimerFunction:
    fields = function.trigger.fields
    return TimerFunction(function.name, fields["schedule"], bool(fields.get("runOnStartup")), function)


def _queue(function: UserFunction) -> QueueFunction:
    fields = function.trigger.fields
    connection = fields.get("connection") or "AzureWebJobsStorage"
    return QueueFunction(function.name, fields["queueName"], connection, function)


def _http_answer(answer: Datum | None) -> tuple[int, Headers, bytes]:
    if answer is None:
        return 500, [], b""
    value: Any = answer.value
    if answer.type != "http":
        return 200, [("content-type", "text/plain; charset=utf-8")], str(value).encode()
    headers = [(str(name), str(item.value)) for name, item in value["headers"].items()]
    for cookies in value["cookies"] or ():
        headers.extend(("set-cookie", morsel.OutputString()) for morsel in cookies.values())
    return int(value["status_code"].value), headers, bytes(value["body"].value)


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _thread_count() -> int | None:
    text = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "").strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < 1:
        raise ConfigurationError(f"PYTHON_THREADPOOL_THREAD_COUNT is {text!r}; it takes a whole number above zero")
    return int(text)
