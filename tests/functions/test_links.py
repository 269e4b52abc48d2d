"""The management URLs that an app hands out are ones to append to, as those of Durable Functions are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.functions import DurableApp
from durable_ext.functions.app import engine_of
from durable_ext.functions.client import DurableClient
from durable_ext.functions.client_binding import ClientBinding

from .attached import Attached, attached, request

API = "/api/durabletask/"
HUB = {"taskHub": ["Orders"], "connection": ["Orders storage"]}
Test = Callable[[Attached, DurableClient], Awaitable[None]]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STORAGE": "sqlite::memory:", "HUB": "Orders", "CONNECTION": "Orders storage"}.items():
        monkeypatch.setenv(f"DURABLE_{name}", value)


def with_app(test: Test) -> None:
    app = DurableApp()

    @app.orchestrator
    async def quick(ctx: OrchestrationContext, given: Any) -> Any:
        return given

    assert quick is not None

    async def run() -> None:
        async with attached(app) as host:
            await test(host, await engine_of(app).client())

    asyncio.run(run())


async def asked(host: Attached, verb: str, url: str) -> tuple[int, Any]:
    """Status and body of a request to the management API, whatever comes behind its path."""
    function = next(item for item in host.functions.http if item.route.startswith("durabletask/"))
    path = urlsplit(url).path.removeprefix(API)
    status, _, body = await function.invoke(verb, url, {"Host": "orders.example"}, {"path": path}, b"")
    return status, json.loads(body)


def test_callers_append_to_every_url() -> None:
    async def test(host: Attached, client: DurableClient) -> None:
        _, started = await asked(host, "POST", f"https://orders.example{API}orchestrators/quick/mine")
        await client.wait_for_completion("mine", timedelta(seconds=20))
        for links in (started, client.get_client_response_links(request(), "mine")):
            _, status = await asked(host, "GET", links["statusQueryGetUri"] + "&showHistory=true")
            assert (status["instanceId"], status["historyEvents"][-1]["EventType"]) == ("mine", "ExecutionCompleted")
            assert all(
                parse_qs(urlsplit(url).query).items() >= HUB.items() for key, url in links.items() if key != "id"
            )

    with_app(test)


def test_a_start_that_nobody_awaited_is_no_id() -> None:
    async def test(host: Attached, client: DurableClient) -> None:
        starting: Any = client.start_new("quick")
        with pytest.raises(TypeError, match="not of type coroutine; starting an instance is awaited"):
            client.create_check_status_response(request(), starting)
        starting.close()

    with_app(test)


def test_a_binding_tells_a_client_all_it_needs() -> None:
    """Clients fill in templates: of the id, of the orchestrator's name, of an event; and append with `&`."""

    async def test(host: Attached, client: DurableClient) -> None:
        binding = json.loads(ClientBinding(client))
        assert parse_qs(binding["requiredQueryStringParameters"]) == HUB
        links, mark = binding["managementUrls"], binding["managementUrls"]["id"]
        assert links["rewindPostUri"].startswith(f"{binding['rpcBaseUrl']}instances/{mark}/rewind?reason={{text}}&")
        create = binding["creationUrls"]["createNewInstancePostUri"]
        create = create.replace("{functionName}", "quick").replace("[/{instanceId}]", "/mine")
        assert (await asked(host, "POST", create + "&version=1"))[1]["id"] == "mine"
        await client.wait_for_completion("mine", timedelta(seconds=20))
        every = links["statusQueryGetUri"].replace(mark, "") + "&runtimeStatus=Completed"
        assert [found["instanceId"] for found in (await asked(host, "GET", every))[1]] == ["mine"]
        wait: str = binding["creationUrls"]["createAndWaitOnNewInstancePostUri"]
        assert parse_qs(urlsplit(wait).query).keys() >= {"timeout", "pollingInterval", *HUB}

    with_app(test)
