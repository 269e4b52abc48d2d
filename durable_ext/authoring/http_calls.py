"""HTTP requests of an orchestrator (a room of its context): a request is an activity, the waiting between is durable.

202 with a Location is asked again until it says something else, as Durable Functions does: after the pause that
Retry-After names. No secret follows a request to another origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack
from urllib.parse import urljoin

import msgspec

from durable_ext.authoring.calls import Calls
from durable_ext.authoring.http_records import (
    DurableHttpRequest,
    DurableHttpResponse,
    HttpRequest,
    TokenSource,
    pause_of,
    without_secrets,
)
from durable_ext.authoring.options import check_known, known_of, named
from durable_ext.authoring.payload import encode
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import InvalidInputError, TaskFailedError
from durable_ext.records.events import TaskScheduled
from durable_ext.records.failures import Failure

# The activity that sends one request; every worker has it.
HTTP_ACTIVITY = "durable.http"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Statuses that may be others the next time.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_ACCEPTED = 202
_encoder = msgspec.json.Encoder()


class HttpOptions(TypedDict, total=False):
    """`headers`, `token_source`, `is_raw_str`: as in azure-functions-durable. `timeout`, `retry`,
    `asynchronous_pattern_enabled`: see call_http."""

    headers: Mapping[str, str] | None
    token_source: TokenSource | None
    is_raw_str: bool
    timeout: timedelta | None
    retry: RetryPolicy | None
    asynchronous_pattern_enabled: bool


_OPTIONS = known_of(HttpOptions)


class HttpCalls(Calls):
    """The HTTP verb of the orchestration context."""

    def call_http(
        self, method: str, uri: str, content: Any = None, *old: Any, **options: Unpack[HttpOptions]
    ) -> asyncio.Future[DurableHttpResponse]:
        """Send a request; the future has the response, whatever its status. It is kept in history: no large bodies.

        `content` is sent as JSON, with `is_raw_str` as the text it is. `token_source` adds a bearer token, which never
        reaches history. A 202 with a Location is polled until it is none, unless `asynchronous_pattern_enabled` is
        false. With `timeout` the future raises TimeoutError when all that has taken longer. `retry` is for requests
        that got no response, and for statuses 408, 425, 429 and 5xx; without it a request that got none raises
        TaskFailedError. A request may be sent twice, as any activity may run twice.

        Raises InvalidInputError for a method or address that is none, TypeError for raw content that is no text.
        """
        self._decisions.check_thread()
        check_known("call_http", options, _OPTIONS)
        options.update(named("call_http", ("headers", "token_source", "is_raw_str"), old))
        request = _request(method, uri, content, options)
        first = self._send(request)
        polls = options.get("asynchronous_pattern_enabled", True)
        calls = self._call(first, request, options.get("retry"), polls=polls)
        timeout = options.get("timeout")
        outcome = self._decisions.loop.create_task(calls if timeout is None else _within(calls, timeout))
        outcome.add_done_callback(lambda _: first.cancel())
        return self._task(outcome)

    def _send(self, request: HttpRequest) -> asyncio.Future[DurableHttpResponse]:
        task_id = self._decisions.next_id()
        payload = encode(self._converter, msgspec.Raw(_encoder.encode(request)))
        decision = TaskScheduled(id=task_id, name=HTTP_ACTIVITY, input=payload)
        return self._decisions.ask(task_id, decision, dict[str, Any])

    async def _call(
        self,
        sent: asyncio.Future[Any],
        request: HttpRequest,
        retry: RetryPolicy | None,
        *,
        polls: bool,
    ) -> DurableHttpResponse:
        while True:
            response = await self._attempts_of(sent, request, retry)
            location = response.header("location")
            if not polls or response.status_code != _ACCEPTED or location is None:
                return response
            pause = pause_of(response.header("retry-after"), self._decisions.now)
            await asyncio.sleep(pause.total_seconds())
            request = _following(request, location)
            sent = self._send(request)

    async def _attempts_of(
        self, sent: asyncio.Future[Any], request: HttpRequest, retry: RetryPolicy | None
    ) -> DurableHttpResponse:
        started: datetime = self._decisions.now
        number = 1
        while True:
            try:
                response = DurableHttpResponse(await sent)
                pause = _pause_after(response, number, retry, started, self._decisions.now)
                if pause is None:
                    return response
            except TaskFailedError as error:
                pause = None if retry is None else retry.pause(number, error.failure, started, self._decisions.now)
                if pause is None:
                    raise
            await asyncio.sleep(pause.total_seconds())
            number += 1
            sent = self._send(request)


def _request(method: str, uri: str, content: Any, options: HttpOptions) -> HttpRequest:
    is_raw_str = options.get("is_raw_str", False)
    if method.upper() not in _METHODS:
        raise InvalidInputError(f"{method!r} is no HTTP method; there are {', '.join(sorted(_METHODS))}")
    if is_raw_str and not isinstance(content, str):
        raise TypeError(f"is_raw_str says that the content is a text, but it is {type(content).__qualname__}")
    text = content if is_raw_str or content is None else _encoder.encode(content).decode()
    kind = "text/plain; charset=utf-8" if is_raw_str else "application/json"
    found = {str(name): str(value) for name, value in (options.get("headers") or {}).items()}
    if text is not None and "content-type" not in {name.lower() for name in found}:
        found["Content-Type"] = kind
    asked = DurableHttpRequest(method.upper(), uri, text, found, options.get("token_source"))
    return asked.record()


def _following(request: HttpRequest, location: str) -> HttpRequest:
    """What asks how an accepted request goes on; a relative address is one of the same origin."""
    address = urljoin(request.uri, location)
    asking = {name: value for name, value in request.headers.items() if not name.lower().startswith("content-")}
    following = HttpRequest(method="GET", uri=address, headers=asking, token_source=request.token_source)
    return without_secrets(following, request.uri)


def _pause_after(
    response: DurableHttpResponse, number: int, retry: RetryPolicy | None, started: datetime, now: datetime
) -> timedelta | None:
    if retry is None or response.status_code not in _PASSING:
        return None
    failure = Failure(type="durable_ext.errors.HttpStatus", message=f"the answer was {response.status_code}")
    pause = retry.pause(number, failure, started, now)
    asked_for = response.header("retry-after")
    return pause if pause is None or asked_for is None else max(pause, pause_of(asked_for, now))


async def _within(calls: Any, timeout: timedelta) -> DurableHttpResponse:  # noqa: ASYNC109
    async with asyncio.timeout(timeout.total_seconds()):
        return await calls
