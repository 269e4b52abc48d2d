"""Which store the settings mean, and clients of other hubs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import ConfigurationError, HubNotFoundError, StorageUnavailableError
from durable_ext.functions import DurableApp, DurableClient
from durable_ext.functions.settings import read_settings
from durable_ext.functions.storage import connection_setting, open_store
from durable_ext.providers.azure_storage import AzureStorageProvider

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"Orders": "x"}, "Orders"),
        ({"AzureWebJobsOrders": "x", "Orders": "y"}, "AzureWebJobsOrders"),
        ({"AzureWebJobsOrders__accountName": "x"}, "AzureWebJobsOrders"),
        ({}, "Orders"),
    ],
)
def test_a_connection_is_looked_up_as_the_host_does(environ: dict[str, str], expected: str) -> None:
    assert connection_setting("Orders", environ) == expected


def test_a_missing_connection_is_named() -> None:
    with pytest.raises(ConfigurationError, match="AzureWebJobsStorage"):
        open_store(read_settings({}, HERE), {})


def test_an_identity_is_enough() -> None:
    environ = {"AzureWebJobsStorage__accountName": "orders", "AzureWebJobsStorage__credential": "managedidentity"}

    async def run() -> None:
        store = open_store(read_settings({"DURABLE_HUB": "Orders"}, HERE), environ)
        await store.close()

    asyncio.run(run())


def test_the_pauses_between_polls_are_settings() -> None:
    environ = {"DURABLE_HUB": "Orders", "DURABLE_POLL_INTERVAL": "3", "DURABLE_IDLE_POLL_INTERVAL": "45"}
    connection = {"AzureWebJobsStorage__accountName": "orders"}
    usual, chosen = (open_store(read_settings(given, HERE), connection) for given in ({}, environ))
    assert isinstance(usual, AzureStorageProvider)
    assert isinstance(chosen, AzureStorageProvider)
    assert (usual.feed.longest_pause, usual.feed.idle_pause) == (timedelta(seconds=1), None)
    assert (chosen.feed.longest_pause, chosen.feed.idle_pause) == (timedelta(seconds=3), timedelta(seconds=45))


def test_a_missing_connection_stops_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    with pytest.raises(ConfigurationError, match="AzureWebJobsStorage"):
        asyncio.run(DurableApp().worker())


@pytest.mark.azurite
def test_a_client_of_another_hub(monkeypatch: pytest.MonkeyPatch, azurite: str, hub: str) -> None:
    monkeypatch.setenv("Orders", azurite)
    monkeypatch.setenv("DURABLE_CONNECTION", "Orders")
    monkeypatch.setenv("DURABLE_HUB", hub)
    monkeypatch.setenv("OTHER_HUB", f"{hub}x")

    async def run() -> None:
        app = DurableApp()

        @app.orchestrator
        async def mine(ctx: OrchestrationContext) -> None: ...

        @app.durable_client_input(client_name="client")
        async def here(client: DurableClient) -> DurableClient:
            return client

        @app.durable_client_input(client_name="client", task_hub="%OTHER_HUB%", connection_name="Orders")
        async def there(client: DurableClient) -> DurableClient:
            return client

        with pytest.raises(HubNotFoundError, match=f"no task hub '{hub}x'"):
            await there()
        store = AzureStorageProvider(azurite, f"{hub}x")
        await store.create_hub()
        await store.close()
        own, other = await here(), await there()
        assert (await here(), await there()) == (own, other)
        with pytest.raises(ConfigurationError, match="somebody's"):
            await own.start("somebody's")
        instance_id = await other.start("somebody's")
        assert (await other.get_status(instance_id)).name == "somebody's"
        assert not await own.get_status(instance_id)
        for client in (own, other):
            await client._provider.delete_hub()  # pyright: ignore[reportPrivateUsage]
        await app.close()

    asyncio.run(run())


@pytest.mark.azurite
def test_the_worker_is_opened_once(monkeypatch: pytest.MonkeyPatch, azurite: str, hub: str) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", azurite)
    monkeypatch.setenv("DURABLE_HUB", hub)

    async def run() -> None:
        app = DurableApp()
        workers = await asyncio.gather(*[app.worker() for _ in range(5)])
        assert len({id(worker) for worker in workers}) == 1
        await app.close()
        again = await app.worker()
        assert again is not workers[0]
        await again.provider.delete_hub()
        await app.close()

    asyncio.run(run())


@pytest.mark.azurite
def test_a_storage_that_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch, azurite: str, hub: str) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", azurite)
    monkeypatch.setenv("DURABLE_HUB", hub)
    create_hub, calls = AzureStorageProvider.create_hub, 0
    close, closed = AzureStorageProvider.close, 0

    async def fails_first(self: AzureStorageProvider) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StorageUnavailableError("throttled")
        await create_hub(self)

    async def counted(self: AzureStorageProvider) -> None:
        nonlocal closed
        closed += 1
        await close(self)

    async def run() -> None:
        monkeypatch.setattr(AzureStorageProvider, "create_hub", fails_first)
        monkeypatch.setattr(AzureStorageProvider, "close", counted)
        app = DurableApp()
        with pytest.raises(StorageUnavailableError):
            await app.worker()
        assert closed == 1
        worker = await app.worker()
        await worker.provider.delete_hub()
        await app.close()

    asyncio.run(run())


def test_a_file_that_nobody_feeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    with pytest.raises(ConfigurationError, match="durable host"):
        asyncio.run(DurableApp().worker())
