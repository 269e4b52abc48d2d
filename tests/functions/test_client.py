"""DurableClient: the names of azure-functions-durable, with the meaning people expect of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import azure.functions as func
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import ConfigurationError, InstanceNotFoundError, InstanceStateError, InvalidInputError
from durable_ext.functions import DurableApp, DurableClient, OrchestrationRuntimeStatus
from durable_ext.records.entity_id import EntityId
from durable_ext.records.instance import RuntimeStatus

from .attached import attached, request

NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    monkeypatch.setenv("WEBSITE_HOSTNAME", "site.example")
    monkeypatch.setenv("DURABLE_HUB", "Orders")


def with_client(test: Callable[[DurableClient], Awaitable[None]]) -> None:
    app = DurableApp()

    @app.activity
    def double(number: int) -> int:
        return 2 * number

    @app.orchestrator
    async def doubled(ctx: OrchestrationContext, number: int) -> int:
        ctx.set_custom_status({"seen": number})
        return await ctx.call_activity(double, number)

    @app.orchestrator
    async def waiting(ctx: OrchestrationContext) -> Any:
        return await ctx.wait_for_external_event("go")

    @app.orchestrator
    async def failing(ctx: OrchestrationContext) -> None:
        raise ValueError("no luck")

    @app.orchestrator
    async def echo(ctx: OrchestrationContext, given: Any) -> Any:
        return given

    assert None not in (doubled, waiting, failing, echo)

    async def run() -> None:
        async with attached(app):
            await test(await app.engine.client())

    asyncio.run(run())


async def ended(client: DurableClient, name: str, given: Any = None) -> str:
    instance_id = await client.start_new(name, client_input=given)
    await client.wait_for_completion(instance_id, timedelta(seconds=20))
    return instance_id


def test_status() -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await client.start_new("doubled", "mine", 4)
        assert instance_id == "mine"
        await client.wait_for_completion("mine", timedelta(seconds=20))
        status = await client.get_status("mine")
        assert status
        assert (status.name, status.instance_id, status.output) == ("doubled", "mine", 8)
        assert status.runtime_status is OrchestrationRuntimeStatus.Completed
        assert status.runtime_status == RuntimeStatus.COMPLETED
        assert (status.custom_status, status.input_, status.history) == ({"seen": 4}, None, None)
        assert (await client.get_status("mine", show_input=True)).input_ == 4
        assert status.to_json()["runtimeStatus"] == "Completed"
        assert status.to_json()["createdTime"].endswith("Z")

    with_client(test)


def test_history() -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await ended(client, "doubled", 4)
        status = await client.get_status(instance_id, show_history=True)
        kinds = [event["EventType"] for event in status.history or []]
        assert kinds == ["ExecutionStarted", "TaskCompleted", "ExecutionCompleted"]
        assert {event.get("Result") for event in status.history or []} == {None}
        shown = (await client.get_status(instance_id, show_history=True, show_history_output=True)).history or []
        assert [event.get("Result") for event in shown] == [None, 8, 8]
        assert shown[0]["Input"] == 4

    with_client(test)


def test_an_unknown_instance_is_false() -> None:
    async def test(client: DurableClient) -> None:
        status = await client.get_status("nobody")
        assert not status
        assert (status.name, status.runtime_status, status.output, status.to_json()) == (None, None, None, {})

    with_client(test)


def test_queries() -> None:
    async def test(client: DurableClient) -> None:
        first = await ended(client, "doubled", 1)
        await client.start_new("waiting", "w-1")
        assert {status.instance_id for status in await client.get_status_all()} == {first, "w-1"}
        completed = await client.get_status_by(runtime_status=[OrchestrationRuntimeStatus.Completed])
        assert [status.instance_id for status in completed] == [first]
        assert [status.name for status in await client.get_status_by(instance_id_prefix="w-")] == ["waiting"]
        assert await client.get_status_by(created_time_to=NEVER) == []
        assert len(await client.get_status_by(created_time_from=NEVER)) == 2
        with pytest.raises(InvalidInputError, match="Paused"):
            await client.get_status_by(runtime_status=["Paused"])

    with_client(test)


@pytest.mark.parametrize("old", [True, False])
def test_events(old: bool) -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await client.start_new("waiting")
        if old:
            await client.raise_event(instance_id, event_name="go", event_data=[1])
        else:
            await client.raise_event(instance_id, "go", [1])
        assert (await client.wait_for_completion(instance_id, timedelta(seconds=20))).output == [1]
        with pytest.raises(InstanceStateError):
            await client.raise_event(instance_id, "go")
        with pytest.raises(InstanceNotFoundError):
            await client.raise_event("nobody", "go")
        with pytest.raises(InvalidInputError):
            await client.raise_event(instance_id)

    with_client(test)


def test_commands_to_one_that_has_ended_are_no_error() -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await ended(client, "doubled", 1)
        for command in (client.terminate, client.suspend, client.resume):
            await command(instance_id, "late")
            with pytest.raises(InstanceNotFoundError):
                await command("nobody", "late")
        assert (await client.get_status(instance_id)).runtime_status is OrchestrationRuntimeStatus.Completed

    with_client(test)


def test_terminate_restart_and_purge() -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await client.start_new("waiting", "w")
        await client.suspend(instance_id, "pause")
        await client.resume(instance_id, "go on")
        await client.terminate(instance_id, "enough")
        ended_with = await client.wait_for_completion(instance_id, timedelta(seconds=20))
        assert ended_with.runtime_status is RuntimeStatus.TERMINATED
        other = await client.restart(instance_id)
        assert other != instance_id
        assert await client.restart(instance_id, restart_with_new_instance_id=False) == instance_id
        for again in (instance_id, other):
            await client.terminate(again, "enough")
            await client.wait_for_completion(again, timedelta(seconds=20))
        assert (await client.purge_instance_history(instance_id)).instances_deleted == 1
        assert (await client.purge_instance_history(instance_id)).instances_deleted == 0
        assert (await client.purge_instance_history_by(NEVER)).instances_deleted == 1
        assert await client.get_status_all() == []

    with_client(test)


def test_links_go_to_where_the_request_came_to() -> None:
    async def test(client: DurableClient) -> None:
        links = client.get_client_response_links(request("https://orders.example:444/api/start?x=1"), "a b")
        assert links["statusQueryGetUri"] == (
            "https://orders.example:444/api/durabletask/instances/a%20b?taskHub=Orders&connection=AzureWebJobsStorage"
        )
        assert links["rewindPostUri"].partition("?")[0].endswith("/instances/a%20b/rewind")
        payload = client.create_http_management_payload("mine")
        assert payload["statusQueryGetUri"].startswith("https://site.example/api/durabletask/instances/mine")
        assert client.get_client_response_links(None, "mine") == payload

    with_client(test)


def test_the_key_of_the_request_goes_to_the_links() -> None:
    async def test(client: DurableClient) -> None:
        came_with = func.HttpRequest("POST", "https://a.example/api/start", params={"code": "k=/+"}, body=b"")
        links = client.get_client_response_links(came_with, "mine")
        asked = "?taskHub=Orders&connection=AzureWebJobsStorage&code=k%3D%2F%2B"
        assert links["statusQueryGetUri"] == f"https://a.example/api/durabletask/instances/mine{asked}"

    with_client(test)


def test_check_status_response() -> None:
    async def test(client: DurableClient) -> None:
        response = client.create_check_status_response(request(), "mine")
        body = json.loads(response.get_body())
        assert response.status_code == 202
        assert response.headers["Location"] == body["statusQueryGetUri"]
        assert response.headers["Retry-After"] == "10"
        assert response.mimetype == "application/json"
        assert {"id", "sendEventPostUri", "terminatePostUri", "purgeHistoryDeleteUri"} <= set(body)

    with_client(test)


@pytest.mark.parametrize(("name", "given", "code", "body"), [("doubled", 3, 200, 6), ("failing", None, 500, None)])
def test_waiting_for_an_end(name: str, given: Any, code: int, body: Any) -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await client.start_new(name, client_input=given)
        response = await client.wait_for_completion_or_create_check_status_response(request(), instance_id, 20_000)
        assert response.status_code == code
        shown = json.loads(response.get_body())
        assert shown == body if body is not None else "no luck" in shown["output"]

    with_client(test)


@pytest.mark.parametrize(("given", "body"), [("a text", b"a text"), (["a"], b'["a"]'), (None, b"null")])
def test_the_body_of_an_output(given: Any, body: bytes) -> None:
    """A text has no quotes there, so none here; what is JSON in a string is not encoded twice."""

    async def test(client: DurableClient) -> None:
        instance_id = await client.start_new("echo", client_input=given)
        response = await client.wait_for_completion_or_create_check_status_response(request(), instance_id, 20_000)
        assert (response.status_code, response.mimetype, response.get_body()) == (200, "application/json", body)

    with_client(test)


def test_waiting_in_vain() -> None:
    async def test(client: DurableClient) -> None:
        instance_id = await client.start_new("waiting")
        response = await client.wait_for_completion_or_create_check_status_response(request(), instance_id, 50, 10)
        assert response.status_code == 202
        await client.terminate(instance_id)
        response = await client.wait_for_completion_or_create_check_status_response(None, instance_id, 20_000)
        assert response.status_code == 200
        assert json.loads(response.get_body())["runtimeStatus"] == "Terminated"
        with pytest.raises(InvalidInputError, match="retry_interval"):
            await client.wait_for_completion_or_create_check_status_response(None, instance_id, 1, 2)

    with_client(test)


def test_an_id_that_was_left_empty_is_none() -> None:
    async def test(client: DurableClient) -> None:
        first, second = await client.start_new("waiting", ""), await client.start_new("waiting", "")
        assert len({first, second, ""}) == 3
        assert not await client.get_status(cast("str", None))

    with_client(test)


def test_another_hub_by_the_names_of_that_package() -> None:
    async def test(client: DurableClient) -> None:
        asked: list[tuple[str | None, str | None]] = []

        async def elsewhere(hub: str | None = None, connection: str | None = None, /) -> DurableClient:
            asked.append((hub, connection))
            return client

        here = DurableClient(client, client._settings, elsewhere)  # pyright: ignore[reportPrivateUsage]
        client.check_entity = lambda _: None  # a client of another hub knows no app
        instance_id = await client.start_new("waiting")
        await here.raise_event(instance_id, "go", 1, task_hub_name="Other")
        assert (await client.wait_for_completion(instance_id, timedelta(seconds=20))).output == 1
        failed = await ended(client, "failing")
        await here.rewind(failed, "again", connection_name="Theirs")
        await here.signal_entity(EntityId("counter", "x"), "add", 1, task_hub_name="Other")
        assert not (await here.read_entity_state(EntityId("counter", "nobody"), "Other", "Theirs")).entity_exists
        assert asked == [("Other", None), (None, "Theirs"), ("Other", None), ("Other", "Theirs")]
        alone = DurableClient(client, client._settings)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(ConfigurationError, match="one hub"):
            await alone.raise_event(instance_id, "go", 1, task_hub_name="Other")

    with_client(test)


def test_a_purge_says_since_when() -> None:
    async def test(client: DurableClient) -> None:
        with pytest.raises(ValueError, match="created_time_from"):
            await client.purge_instance_history_by()

    with_client(test)


def test_starts_get_the_default_version_of_the_app() -> None:
    app = DurableApp(default_version="2.0")

    @app.orchestrator(version="2.0")
    async def told(ctx: OrchestrationContext) -> str | None:
        return ctx.version

    async def run() -> None:
        async with attached(app):
            client = await app.engine.client()
            patience = timedelta(seconds=30)
            assert (await client.wait_for_completion(await client.start_new("told"), patience)).output == "2.0"
            other = await client.wait_for_completion(await client.start_new("told", version="1.0"), patience)
            assert other.runtime_status is RuntimeStatus.FAILED

    assert told is not None
    asyncio.run(run())


def test_arguments_that_the_client_does_not_know() -> None:
    async def test(client: DurableClient) -> None:
        wrong: Any = {"evnt_name": "go"}
        with pytest.raises(
            TypeError, match="raise_event has no argument 'evnt_name'; there are connection_name, event_"
        ):
            await client.raise_event("mine", **wrong)
        with pytest.raises(
            TypeError, match="signal_entity has no argument 'evnt_name'; there are connection_name, entity"
        ):
            await client.signal_entity("@counter@mine", "add", **wrong)

    with_client(test)


@pytest.mark.parametrize("status", ["Completed", OrchestrationRuntimeStatus.Completed, RuntimeStatus.COMPLETED])
def test_one_status_is_a_filter_too(status: Any) -> None:
    async def test(client: DurableClient) -> None:
        await ended(client, "doubled", 1)
        assert [found.output for found in await client.get_status_by(runtime_status=status)] == [2]

    with_client(test)


def test_a_time_that_is_a_text() -> None:
    async def test(client: DurableClient) -> None:
        when: Any = "2026-01-01"
        with pytest.raises(InvalidInputError, match="created_time_from is a datetime, not of type str"):
            await client.get_status_by(created_time_from=when)
        with pytest.raises(InvalidInputError, match="created_time_to is a datetime, not of type str"):
            await client.purge_instance_history_by(NEVER, when)

    with_client(test)
