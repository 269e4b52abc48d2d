"""call_http: one request is one activity; 202 is polled by durable timers; nothing secret goes elsewhere."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import GeneratorContext, OrchestrationContext
from durable_ext.authoring.http_records import DurableHttpResponse, ManagedIdentityTokenSource
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import InvalidInputError
from durable_ext.records.events import Event, ExecutionCompleted, Input, TaskScheduled, TimerCreated

from .conftest import Begin
from .events import NOON, SECOND, answer, completed, facts, failure, fired, refusal, timer

SECRETS = {"Authorization": "Bearer x", "X-Functions-Key": "k", "X-PAT": "p", "Accept": "text/plain"}


def response(status: int, content: str = "", **headers: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {name.replace("_", "-"): text for name, text in headers.items()},
        "content": content,
    }


def request_of(event: Event) -> dict[str, Any]:
    assert isinstance(event, TaskScheduled)
    assert event.name == "durable.http"
    return json.loads(event.input.data)


async def get(ctx: OrchestrationContext) -> Any:
    answered = await ctx.call_http("get", "https://api.example/orders", headers=SECRETS)
    return [answered.status_code, answered["statusCode"], answered.content, answered.header("ETAG")]


def test_one_request_is_one_activity(begin: Begin) -> None:
    situation = begin(get)
    (asked,) = situation.start()
    assert request_of(asked) == {"method": "GET", "uri": "https://api.example/orders", "headers": SECRETS}
    ended = situation.turn(answer(0, response(404, "none", ETag="1")))
    assert facts(ended) == facts([completed([404, 404, "none", "1"])])


def test_polling_by_location_and_retry_after(begin: Begin) -> None:
    situation = begin(get)
    situation.start()
    (waits,) = situation.turn(answer(0, response(202, Location="/operations/7?x=1", Retry_After="12")), seconds=0)
    assert facts([waits]) == facts([timer(1, 12)])
    (again,) = situation.turn(fired(1), seconds=12)
    assert request_of(again) == {"method": "GET", "uri": "https://api.example/operations/7?x=1", "headers": SECRETS}
    (waits,) = situation.turn(answer(2, response(202, location="/operations/7")), seconds=13)
    assert isinstance(waits, TimerCreated)
    assert waits.fire_at == NOON + timedelta(seconds=43)
    situation.turn(fired(3), seconds=43)
    (end,) = situation.turn(answer(4, response(200, "done")), seconds=44)
    assert isinstance(end, ExecutionCompleted)


def test_no_secret_follows_to_another_origin(begin: Begin) -> None:
    async def asking(ctx: OrchestrationContext) -> Any:
        source = ManagedIdentityTokenSource("https://management.example")
        await ctx.call_http("POST", "https://api.example/start", {"n": 1}, SECRETS, source)

    situation = begin(asking)
    (asked,) = situation.start()
    assert request_of(asked)["tokenSource"] == {
        "resource": "https://management.example",
        "kind": "AzureManagedIdentity",
    }
    assert request_of(asked)["content"] == '{"n":1}'
    assert request_of(asked)["headers"]["Content-Type"] == "application/json"
    situation.turn(answer(0, response(202, Location="https://elsewhere.example/7", Retry_After="1")), seconds=0)
    (again,) = situation.turn(fired(1), seconds=1)
    assert request_of(again) == {
        "method": "GET",
        "uri": "https://elsewhere.example/7",
        "headers": {"Accept": "text/plain"},
    }


@pytest.mark.parametrize(
    "elsewhere",
    ["http://api.example/7", "https://api.example:8443/7", "https://api.example.evil/7", "//evil.example/7"],
)
def test_another_scheme_port_or_host_is_another_origin(begin: Begin, elsewhere: str) -> None:
    situation = begin(get)
    situation.start()
    situation.turn(answer(0, response(202, Location=elsewhere, Retry_After="1")), seconds=0)
    (again,) = situation.turn(fired(1), seconds=1)
    assert request_of(again)["headers"] == {"Accept": "text/plain"}


def test_no_polling_when_it_is_not_wanted(begin: Begin) -> None:
    async def plain(ctx: OrchestrationContext) -> Any:
        return (await ctx.call_http("GET", "https://a.example", asynchronous_pattern_enabled=False)).status_code

    situation = begin(plain)
    situation.start()
    assert facts(situation.turn(answer(0, response(202, Location="/7")))) == facts([completed(202)])


def test_a_timeout_over_all_of_it(begin: Begin) -> None:
    async def hasty(ctx: OrchestrationContext) -> Any:
        try:
            await ctx.call_http("GET", "https://a.example", timeout=timedelta(seconds=60))
        except TimeoutError:
            return "late"

    situation = begin(hasty)
    _, limit = situation.start()
    assert isinstance(limit, TimerCreated)
    situation.turn(answer(0, response(202, Location="/7", Retry_After="3600")), seconds=1)
    assert facts(situation.turn(fired(limit.id), seconds=60)) == facts([completed("late")])


POLICY = RetryPolicy(first_interval=5 * SECOND, max_attempts=3)


async def stubborn(ctx: OrchestrationContext) -> Any:
    return (await ctx.call_http("GET", "https://a.example", retry=POLICY)).status_code


@pytest.mark.parametrize("first", [refusal(0, failure("no route")), answer(0, response(503)), answer(0, response(429))])
def test_retries(begin: Begin, first: Input) -> None:
    situation = begin(stubborn)
    situation.start()
    assert facts(situation.turn(first, seconds=0)) == facts([timer(1, 5)])
    situation.turn(fired(1), seconds=5)
    assert facts(situation.turn(answer(2, response(200)), seconds=6)) == facts([completed(200)])


def test_what_is_no_passing_status_is_not_tried_again(begin: Begin) -> None:
    situation = begin(stubborn)
    situation.start()
    assert facts(situation.turn(answer(0, response(404)))) == facts([completed(404)])


def test_the_last_response_when_tries_are_used_up(begin: Begin) -> None:
    situation = begin(stubborn)
    situation.start()
    situation.turn(answer(0, response(503)), seconds=0)
    situation.turn(fired(1), seconds=5)
    situation.turn(answer(2, response(503, Retry_After="60")), seconds=6)
    situation.turn(fired(3), seconds=66)
    assert facts(situation.turn(answer(4, response(503)), seconds=67)) == facts([completed(503)])


def test_without_a_policy_no_response_is_a_failure(begin: Begin) -> None:
    situation = begin(get)
    situation.start()
    situation.turn(refusal(0, failure("no route")))
    assert "no route" in situation.failure.message


def test_a_generator_gets_a_response(begin: Begin) -> None:
    def code(context: GeneratorContext) -> Generator[Any, Any, str]:
        answered: Any = yield context.call_http("GET", "https://a.example", None, {"A": "b"}, None)
        assert isinstance(answered, DurableHttpResponse)
        return answered["content"]

    situation = begin(code)
    situation.start()
    assert facts(situation.turn(answer(0, response(200, "text")))) == facts([completed("text")])


def test_raw_text(begin: Begin) -> None:
    async def raw(ctx: OrchestrationContext) -> Any:
        await ctx.call_http("PUT", "https://a.example", "a=1", is_raw_str=True, headers={"content-type": "x/y"})

    (asked,) = begin(raw).start()
    assert request_of(asked) == {
        "method": "PUT",
        "uri": "https://a.example",
        "content": "a=1",
        "headers": {"content-type": "x/y"},
    }


@pytest.mark.parametrize(
    ("method", "uri", "options", "error"),
    [
        ("FETCH", "https://a.example", {}, InvalidInputError),
        ("GET", "a.example", {}, InvalidInputError),
        ("GET", "file:///etc/passwd", {}, InvalidInputError),
        ("GET", "https://me:secret@a.example", {}, InvalidInputError),
        ("GET", "https://a.example:port", {}, InvalidInputError),
        ("PUT", "https://a.example", {"content": 1, "is_raw_str": True}, TypeError),
    ],
)
def test_wrong_requests(begin: Begin, method: str, uri: str, options: dict[str, Any], error: type[Exception]) -> None:
    async def wrong(ctx: OrchestrationContext) -> str:
        with pytest.raises(error) as found:
            ctx.call_http(method, uri, **options)
        assert "secret" not in str(found.value)
        return "refused"

    situation = begin(wrong)
    assert facts(situation.start()) == facts([completed("refused")])
