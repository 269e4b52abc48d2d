"""Apps as they are handed to a harness: names that decorators give, bindings of the host's, the hub's own time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import azure.functions as func
import pytest

import durable_ext as df
from durable_ext import ConfigurationError, InvalidInputError
from durable_ext.functions.stand_in import install
from durable_ext.testing import Harness

Code = Generator[Any, Any, Any]


def declare(container: Any) -> None:
    @container.function_name("shout")
    @container.activity_trigger(input_name="text")
    def in_capitals(text: str) -> str:
        return text.upper()

    @container.function_name("Chain")
    @container.orchestration_trigger(context_name="context")
    def chain(context: Any) -> Code:
        by_name = yield context.call_activity("shout", "a")
        return by_name + (yield context.call_activity(in_capitals, "b"))

    assert chain is not None


def durable_app() -> Any:
    app = df.DFApp()
    declare(app)
    return app


def durable_blueprint() -> Any:
    blueprint = df.Blueprint()
    declare(blueprint)
    return blueprint


def plain_app() -> Any:
    install()
    app = func.FunctionApp()
    declare(app)
    return app


def plain_app_with_a_blueprint() -> Any:
    app = func.FunctionApp()
    app.register_functions(durable_blueprint())
    return app


@pytest.mark.parametrize("make", [durable_app, durable_blueprint, plain_app, plain_app_with_a_blueprint])
def test_names_of_function_name(make: Callable[[], Any]) -> None:
    with Harness(make()) as hub:
        assert hub.run("Chain") == "AB"


def web_app() -> df.DFApp:
    app = df.DFApp()

    @app.route(route="queued/{id}")
    @app.queue_output(arg_name="message", queue_name="done", connection="AzureWebJobsStorage")  # pyright: ignore[reportUnknownMemberType]
    def queued(req: func.HttpRequest, message: func.Out[str]) -> func.HttpResponse:
        return func.HttpResponse("never")

    @app.route(route="forgets")
    @app.durable_client_input(client_name="client")
    async def forgets(req: func.HttpRequest, client: df.DurableClient) -> Any:
        return client.start_new("nothing")

    @app.route(route="waits")
    @app.durable_client_input(client_name="client")
    async def waits(req: func.HttpRequest, client: df.DurableClient) -> func.HttpResponse:
        timeout: Any = req.params["timeout"]
        return await client.wait_for_completion_or_create_check_status_response(req, "nothing", timeout)

    @app.orchestration_trigger(context_name="context")
    def nothing(context: df.DurableOrchestrationContext) -> None: ...

    assert None not in (queued, forgets, waits, nothing)
    return app


def test_a_function_with_bindings_of_the_hosts_says_so() -> None:
    with Harness(web_app()) as hub:
        with pytest.raises(
            ConfigurationError, match=r"'queued' has a binding of type 'queue'.*call the function itself"
        ):
            hub.http("GET", "/api/queued/1")
        assert hub.http("GET", "/api/queue").status == 404


@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_call_that_nobody_awaited_is_no_answer() -> None:
    with (
        Harness(web_app()) as hub,
        pytest.raises(TypeError, match=r"'forgets' returned .*start_new\(\.\.\.\) unawaited"),
    ):
        hub.http("GET", "/api/forgets")


def test_times_from_a_query_are_texts() -> None:
    with (
        Harness(web_app()) as hub,
        pytest.raises(InvalidInputError, match="timeout_in_milliseconds is a number, not of type str"),
    ):
        hub.http("GET", "/api/waits", params={"timeout": "2"})


def test_a_purge_over_http_goes_by_the_time_of_the_hub() -> None:
    with Harness(web_app()) as hub:
        hub.run("nothing")
        answer = hub.http("DELETE", "/api/durabletask/instances?createdTimeFrom=2000-01-01T00:00:00Z")
        assert (answer.status, answer.json()) == (200, {"instancesDeleted": 1})
