"""The real app of function_app.py, driven through its own triggers on the storage emulator (T6)."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from azure.storage.queue.aio import QueueServiceClient

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.functions import DurableApp
from durable_ext.functions.local import index
from durable_ext.records.messages import Delivery, Quarantined
from durable_ext.worker.activities.runner import ActivityRunner
from durable_ext.worker.worker import Worker

from .imitation_host import MOST_ATTEMPTS, ImitationHost, imitation_host

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://orders.example"
SOON = timedelta(seconds=60)

pytestmark = pytest.mark.azurite


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, azurite: str, hub: str) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", azurite)
    monkeypatch.setenv("DURABLE_HUB", hub)
    monkeypatch.setenv("DURABLE_PARTITIONS", "2")


def load_function_app() -> ModuleType:
    """function_app.py as a fresh module: an app is indexed once, and reads its settings then."""
    spec = importlib.util.spec_from_file_location("function_app_under_test", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def hosted(app: DurableApp, connection: str) -> AsyncGenerator[ImitationHost]:
    functions = index(app)
    try:
        async with imitation_host(functions, connection) as host:
            yield host
    finally:
        worker = await app.worker()
        await worker.drain(timedelta(seconds=5))
        await worker.provider.delete_hub()
        await app.close()
        functions.close()


def test_a_sample_from_start_to_end(azurite: str) -> None:
    async def run() -> None:
        async with hosted(load_function_app().app, azurite) as host:
            status, headers, links = await host.request("POST", f"{ORIGIN}/api/orchestrators/chaining?instanceId=c-1")
            assert status == 202
            assert headers["location"] == links["statusQueryGetUri"]
            assert links["id"] == "c-1"
            shown = await ended(host, links)
            assert shown["runtimeStatus"] == "Completed"
            assert shown["output"] == ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]
            assert host.failures == []

    asyncio.run(run())


async def ended(host: ImitationHost, links: dict[str, str]) -> dict[str, Any]:
    """The instance's status once it has ended, as its management URL shows it."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            status, _, shown = await host.request("GET", links["statusQueryGetUri"])
            if status != 202:
                return shown


async def quarantined(worker: Worker) -> Sequence[Quarantined]:
    """What the catalog has in quarantine, once there is something."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            if kept := await worker.catalog.list_quarantined():
                return kept


def test_an_order_with_its_approval(azurite: str) -> None:
    order = {"number": "7", "lines": [{"article": "book", "quantity": 1, "price": "19.90"}]}

    async def run() -> None:
        async with hosted(load_function_app().app, azurite) as host:
            _, _, links = await host.request("POST", f"{ORIGIN}/api/orchestrators/order_approval", order)
            url = links["sendEventPostUri"].replace("{eventName}", "approval")
            status, _, _ = await host.request("POST", url, {"approved": True, "by": "Ada"})
            assert status == 202
            shown = await ended(host, links)
            assert shown["output"]["shipped"] is True
            assert shown["output"]["total"] == "19.90"

    asyncio.run(run())


def test_starts_that_cannot_be(azurite: str) -> None:
    async def run() -> None:
        async with hosted(load_function_app().app, azurite) as host:
            url = f"{ORIGIN}/api/orchestrators"
            assert (await host.request("POST", f"{url}/nobody"))[0] == 400
            assert (await host.request("POST", f"{url}/eternal?instanceId=e-1", {"rounds": 2}))[0] == 202
            assert (await host.request("POST", f"{url}/eternal?instanceId=e-1", {"rounds": 2}))[0] == 409
            assert (await host.request("POST", f"{url}/chaining?instanceId=a%2Fb"))[0] == 400
            function = next(item for item in host.functions.http if item.name == "start")
            status, _, body = await function.invoke("POST", f"{url}/chaining", {}, {"name": "chaining"}, b"{oops")
            assert status == 400
            assert b"JSON" in body

    asyncio.run(run())


def an_app(placement: Any = "queue") -> DurableApp:
    app = DurableApp()

    @app.activity
    async def greet(name: str) -> str:
        return f"Hello {name}"

    @app.orchestrator
    async def queued(ctx: OrchestrationContext, name: str) -> str:
        return await ctx.call_activity(greet, name, placement=placement)

    assert queued is not None
    return app


def test_a_work_item_goes_through_its_queue(azurite: str) -> None:
    async def run() -> None:
        app = an_app()
        async with hosted(app, azurite):
            client = await app.engine.client()
            instance_id = await client.start("queued", "Ada")
            assert (await client.wait_for_completion(instance_id, SOON)).output == "Hello Ada"

    asyncio.run(run())


def test_a_work_item_that_always_fails_ends_as_a_failed_task(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_much(*_: Any) -> None:
        raise MemoryError("this work item is too much")

    async def run() -> None:
        app = an_app()
        monkeypatch.setattr(ActivityRunner, "run", too_much)
        async with hosted(app, azurite) as host:
            client = await app.engine.client()
            instance_id = await client.start("queued", "Ada")
            status = await client.wait_for_completion(instance_id, SOON)
            assert status.runtime_status == "Failed"
            assert "'greet' could not be run in 5 attempts" in str(status.output)
            assert "MemoryError: this work item is too much" in str(status.output)
            assert host.failures == []

    asyncio.run(run())


@pytest.mark.parametrize("queue", ["workitems", "control"])
def test_what_the_host_gave_up_and_nobody_failed_at_is_done(
    azurite: str, monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    """P11: its invocations ended with others of their process, so the host moved it to the poison queue."""
    lost: list[str] = []

    def unlucky(inner: Callable[[Worker, Delivery], Any]) -> Callable[[Worker, Delivery], Any]:
        async def process(self: Worker, delivery: Delivery) -> None:
            if f"-{queue}" in delivery.queue and len(lost) < 2 * MOST_ATTEMPTS:
                lost.append(delivery.id)
                raise ConnectionAbortedError("the worker process is gone")
            await inner(self, delivery)

        return process

    async def run() -> None:
        app = an_app()
        monkeypatch.setattr(Worker, "process", unlucky(Worker.process))
        async with hosted(app, azurite) as host:
            client = await app.engine.client()
            instance_id = await client.start("queued", "Ada")
            status = await client.wait_for_completion(instance_id, SOON)
            assert status.runtime_status == "Completed", status.output
            assert len(lost) == len(host.failures) == 2 * MOST_ATTEMPTS
            assert await (await app.worker()).catalog.list_quarantined() == []

    asyncio.run(run())


@pytest.mark.parametrize("queue", ["control-00", "workitems"])
def test_a_message_nobody_can_read_is_kept(azurite: str, hub: str, queue: str) -> None:
    async def run() -> None:
        app = an_app()
        async with (
            hosted(app, azurite) as host,
            QueueServiceClient.from_connection_string(azurite) as storage,
        ):
            worker = await app.worker()
            client = storage.get_queue_client(f"{hub.lower()}-{queue}")
            # Its fields lie over the metadata, and it is nothing of ours.
            await client.send_message("eyJpZCI6ICJ4In0=")
            kept = await quarantined(worker)
            assert kept[0].body == '{"id": "x"}'
            assert kept[0].queue == f"{hub.lower()}-{queue}"
            assert host.failures == []

    asyncio.run(run())


def test_a_message_that_is_no_base64_is_kept_too(azurite: str, hub: str) -> None:
    async def run() -> None:
        app = an_app()
        async with (
            hosted(app, azurite),
            QueueServiceClient.from_connection_string(azurite) as storage,
        ):
            worker = await app.worker()
            queue = storage.get_queue_client(f"{hub.lower()}-control-01")
            await queue.send_message(base64.b64encode(b"\xff\xfe no text").decode())
            kept = await quarantined(worker)
            assert "no text" in kept[0].body

    asyncio.run(run())


def test_the_janitor_creates_the_hub(azurite: str, hub: str) -> None:
    async def run() -> None:
        app = an_app()
        async with (
            hosted(app, azurite) as host,
            QueueServiceClient.from_connection_string(azurite) as storage,
        ):
            await host.functions.timers[0].invoke()
            queues = cast("AsyncIterator[Any]", storage.list_queues(name_starts_with=hub.lower()))
            names = {queue.name async for queue in queues}
            assert {f"{hub.lower()}-control-00", f"{hub.lower()}-control-01", f"{hub.lower()}-workitems"} <= names

    asyncio.run(run())
