"""The client parameter: hidden from the host, filled in, above and below the trigger, for async def and def (F1)."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import typing
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import ConfigurationError
from durable_ext.functions import BlockingClient, DurableApp, DurableBlueprint, DurableClient

from .attached import Attached, attached

Setup = DurableApp | DurableBlueprint


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")


def orchestrator_of(app: Setup) -> None:
    @app.orchestrator
    async def echo(ctx: OrchestrationContext, text: str) -> str:
        return text

    assert echo is not None


def below(app: Setup) -> Any:
    @app.route(route="start")
    @app.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client: DurableClient) -> str:
        return await client.start("echo", req.get_body().decode())

    return start


def above(app: Setup) -> Any:
    @app.durable_client_input(client_name="client")
    @app.route(route="start")
    async def start(req: func.HttpRequest, client: DurableClient) -> str:
        return await client.start("echo", req.get_body().decode())

    return start


def plain(app: Setup) -> Any:
    @app.route(route="start")
    @app.durable_client_input(client_name="client")
    def start(req: func.HttpRequest, client: BlockingClient) -> str:
        assert threading.current_thread() is not threading.main_thread()
        return client.start("echo", req.get_body().decode())

    return start


def plain_above(app: Setup) -> Any:
    @app.durable_client_input("client")
    @app.route(route="start")
    def start(req: func.HttpRequest, client: BlockingClient) -> str:
        return client.start_new("echo", client_input=req.get_body().decode())

    return start


def old_names(app: Setup) -> Any:
    @app.route(route="start")
    @app.durable_client_input(client_name="starter")
    async def start(req: func.HttpRequest, starter: str) -> str:
        client: Any = starter
        return await client.start_new("echo", None, req.get_body().decode())

    return start


def with_context(app: Setup) -> Any:
    @app.route(route="start")
    @app.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client: DurableClient, context: func.Context) -> str:
        assert context.function_name == "start"
        return await client.start("echo", req.get_body().decode())

    return start


WAYS = (below, above, plain, plain_above, old_names, with_context)


async def started(host: Attached) -> None:
    status, instance_id = await host.call("start", b"hello")
    assert status == 200
    found = await host.client.get(instance_id.decode())
    assert found is not None
    assert found.input == "hello"


@pytest.mark.parametrize("way", WAYS)
def test_the_client_is_filled_in(way: Callable[[Setup], Any]) -> None:
    async def run() -> None:
        app = DurableApp()
        orchestrator_of(app)
        way(app)
        async with attached(app) as host:
            await started(host)

    asyncio.run(run())


@pytest.mark.parametrize("way", WAYS)
def test_in_a_blueprint_too(way: Callable[[Setup], Any]) -> None:
    async def run() -> None:
        bp = DurableBlueprint()
        orchestrator_of(bp)
        way(bp)
        app = DurableApp()
        app.register_functions(bp)
        async with attached(app) as host:
            await started(host)

    asyncio.run(run())


@pytest.mark.parametrize("way", WAYS)
def test_the_host_does_not_see_the_parameter(way: Callable[[Setup], Any]) -> None:
    app = DurableApp()
    way(app)
    function = next(item for item in app.get_functions() if item.get_function_name() == "start")
    shown = function.get_user_function()
    assert set(inspect.signature(shown).parameters) - {"context"} == {"req"}
    assert set(typing.get_type_hints(shown)) - {"context"} == {"req", "return"}
    assert inspect.iscoroutinefunction(shown)
    assert {json.loads(raw)["type"] for raw in function.get_raw_bindings()} == {"httpTrigger", "http"}
    assert shown.__dict__["client_function"].__name__ == "start"


def test_a_blueprint_in_no_app() -> None:
    bp = DurableBlueprint()

    @bp.durable_client_input(client_name="client")
    async def start(client: DurableClient) -> None: ...

    with pytest.raises(ConfigurationError, match="register_functions"):
        asyncio.run(start())


def test_a_blocking_client_does_not_block_the_loop() -> None:
    async def run() -> None:
        app = DurableApp()
        async with attached(app):
            client = BlockingClient(await app.engine.client(), asyncio.get_running_loop())
            with pytest.raises(ConfigurationError, match="block the event loop"):
                client.get("x")

    asyncio.run(run())


def test_a_blocking_client_waits_and_lists() -> None:
    async def run() -> None:
        app = DurableApp()
        orchestrator_of(app)

        @app.route(route="all")
        @app.durable_client_input(client_name="client")
        def everything(req: func.HttpRequest, client: BlockingClient) -> str:
            response = client.wait_for_completion_or_create_check_status_response(req, client.start("echo", "a"))
            assert response.get_body() == b'"a"'
            return ",".join(found.name for found in client.list())

        assert everything is not None
        async with attached(app) as host:
            assert await host.call("everything") == (200, b"echo")

    asyncio.run(run())


def test_another_hub_named_by_a_setting_that_is_not_there() -> None:
    async def run() -> None:
        app = DurableApp()

        @app.durable_client_input(client_name="client", task_hub="%OTHER_HUB%")
        async def start(client: DurableClient) -> None: ...

        with pytest.raises(ConfigurationError, match="OTHER_HUB"):
            await start()

    asyncio.run(run())
