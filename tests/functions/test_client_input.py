"""The client parameter: hidden from the host, filled in, above and below the trigger, for async def and def (F1)."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import typing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import azure.functions as func
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import (
    ConfigurationError,
    InstanceExistsError,
    InstanceNotFoundError,
    InvalidInputError,
    ScheduleExistsError,
)
from durable_ext.functions import BlockingClient, DurableApp, DurableBlueprint, DurableClient
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import StartOptions
from durable_ext.worker.client.schedules import ScheduleClient

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
            assert response.get_body() == b"a"
            return ",".join(found.name for found in client.list())

        assert everything is not None
        async with attached(app) as host:
            assert await host.call("everything") == (200, b"echo")

    asyncio.run(run())


def in_a_thread(test: Callable[[BlockingClient, DurableClient], Any]) -> Any:
    """Run a test in a thread, with both clients of a running app."""

    async def run() -> Any:
        app = DurableApp()
        orchestrator_of(app)
        async with attached(app):
            client = await app.engine.client()
            blocking = BlockingClient(client, asyncio.get_running_loop())
            return await asyncio.to_thread(test, blocking, client)

    return asyncio.run(run())


def test_a_blocking_client_has_every_method_of_the_client() -> None:
    public = {name: value for name, value in inspect.getmembers(DurableClient) if not name.startswith("_")}
    methods = {name for name, value in public.items() if callable(value)}
    assert methods - set(dir(BlockingClient)) == set()
    for name in methods:
        assert inspect.getattr_static(BlockingClient, name).__wrapped__ is public[name]

    def test(client: BlockingClient, wrapped: DurableClient) -> None:
        for name in sorted(methods):
            method, original = getattr(client, name), getattr(wrapped, name)
            assert inspect.signature(method) == inspect.signature(original)
            assert method.__doc__ == original.__doc__
            assert not inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(original)

    in_a_thread(test)


def test_a_blocking_client_iterates() -> None:
    """Plain iterators, item by item; one that is left early is closed."""

    def test(client: BlockingClient, _: DurableClient) -> None:
        soon = timedelta(seconds=10)
        ids = [client.start("echo", str(number), instance_id=f"i{number}") for number in range(3)]
        assert [client.wait_for_completion(one, soon).output for one in ids] == ["0", "1", "2"]
        listed = client.list()
        assert iter(listed) is listed
        assert next(listed).instance_id == "i0"
        assert [found.instance_id for found in listed] == ["i1", "i2"]
        assert next(listed, None) is None
        assert [[found.instance_id for found in page.statuses] for page in client.pages(size=2)] == [
            ["i0", "i1"],
            ["i2"],
        ]
        assert [found.runtime_status.value for found in client.changes("i1")] == ["Completed"]
        assert list(client.list_entities()) == []
        for found in client.list():
            assert found.instance_id == "i0"
            break
        assert client.count()[RuntimeStatus.COMPLETED] == 3
        assert client.hub_name == client.client.hub_name

    in_a_thread(test)


def test_a_client_made_of_the_client_waits_too() -> None:
    def test(client: BlockingClient, _: DurableClient) -> None:
        schedules = ScheduleClient(client.client)
        made = client.wait(schedules.create("nightly", "echo", timedelta(days=1), input="a"))
        assert (made.schedule_id, made.status) == ("nightly", "active")
        with pytest.raises(ScheduleExistsError):
            client.wait(schedules.create("nightly", "echo", timedelta(days=1)))

    in_a_thread(test)


def test_errors_of_a_blocking_client_are_those_of_the_client() -> None:
    def test(client: BlockingClient, _: DurableClient) -> None:
        with pytest.raises(InstanceNotFoundError, match="'nobody'"):
            client.raise_event("nobody", "go")
        with pytest.raises(InvalidInputError, match="at least 1"):
            next(client.pages(size=0))
        with pytest.raises(InstanceNotFoundError):
            list(client.changes("nobody"))
        client.start("echo", "a", instance_id="later", options=StartOptions(start_at=datetime(2100, 1, 1, tzinfo=UTC)))
        with pytest.raises(TimeoutError):
            client.wait_for_completion("later", timedelta(seconds=0.01))
        with pytest.raises(InstanceExistsError):
            client.start("echo", "a", instance_id="later")

    in_a_thread(test)


@pytest.mark.parametrize("call", ["get", "list", "changes"])
def test_on_the_loop_itself_it_is_refused_at_the_call(call: str) -> None:
    async def run() -> None:
        app = DurableApp()
        async with attached(app):
            client = BlockingClient(await app.engine.client(), asyncio.get_running_loop())
            with pytest.raises(ConfigurationError, match="async def"):
                getattr(client, call)(*([] if call == "list" else ["x"]))

    asyncio.run(run())


def test_after_the_loop_has_ended() -> None:
    kept: list[BlockingClient] = []
    in_a_thread(lambda client, _: kept.append(client))
    with pytest.raises(ConfigurationError, match="has ended"):
        kept[0].get("x")
    with pytest.raises(ConfigurationError, match="has ended"):
        kept[0].list()


def test_a_blocking_client_of_a_test_of_the_users() -> None:
    """As `unittest.mock` makes one."""
    client = MagicMock(spec=BlockingClient)
    client.start_new.return_value = "i1"
    assert client.start_new("echo", None, "a") == "i1"
    with pytest.raises(AttributeError):
        client.begin("echo")


def test_another_hub_named_by_a_setting_that_is_not_there() -> None:
    async def run() -> None:
        app = DurableApp()

        @app.durable_client_input(client_name="client", task_hub="%OTHER_HUB%")
        async def start(client: DurableClient) -> None: ...

        with pytest.raises(ConfigurationError, match="OTHER_HUB"):
            await start()

    asyncio.run(run())
