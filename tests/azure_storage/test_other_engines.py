"""A hub that DurableTask made is not taken over, and single rows of its own kind harm nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_ext.authoring.registry import Registry
from durable_ext.errors import HubMismatchError, HubNotFoundError, StorageError, UnreadableRowError
from durable_ext.providers.azure_storage.client import StorageClient
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.worker.client import Client
from durable_ext.worker.worker import Worker

from .durabletask_hub import put_hub, rows_of
from .samples import a_hub_name, row, turn

_EVERYTHING = InstanceFilter()


def now() -> datetime:
    return datetime.now(UTC)


def over(client: StorageClient, hub: str = "Site", partitions: int = 4) -> AzureStorageProvider:
    return AzureStorageProvider("", hub, partitions, client=client)


def on_double(test: Callable[[StorageDouble], Awaitable[None]]) -> None:
    async def run() -> None:
        await test(StorageDouble(now))

    asyncio.run(run())


async def refused(client: StorageClient, hub: str) -> None:
    """Both verbs refuse, and nothing was taken, written or created."""
    provider = over(client, hub)
    for verb in (provider.create_hub, provider.check_hub):
        with pytest.raises(HubMismatchError, match="set DURABLE_HUB"):
            await verb()
    with pytest.raises(HubNotFoundError, match="Quarantine"):
        await provider.list_quarantined()


def test_a_hub_of_durabletask_is_refused() -> None:
    async def test(double: StorageDouble) -> None:
        await put_hub(double, "Site")
        await refused(double, "Site")
        assert len(await double.get_messages("site-control-01", 32, 30)) == 3

    on_double(test)


@pytest.mark.azurite
def test_a_hub_of_durabletask_is_refused_on_the_emulator(azurite: str) -> None:
    async def run() -> None:
        hub = a_hub_name()
        client = HttpClient(parse_connection_string(azurite))
        await put_hub(client, hub)
        await refused(client, hub)
        await client.close()

    asyncio.run(run())


async def _rows_in_history(double: StorageDouble) -> None:
    await double.create_table("SiteHistory")
    await double.put_entity("SiteHistory", rows_of("History")[0])


async def _rows_in_instances(double: StorageDouble) -> None:
    await double.create_table("SiteInstances")
    await double.put_entity("SiteInstances", rows_of("Instances")[0])


async def _partitions(double: StorageDouble) -> None:
    await double.create_table("SitePartitions")


async def _app_lease(double: StorageDouble) -> None:
    await double.create_container("site-applease")


async def _leases(double: StorageDouble) -> None:
    await double.create_container("site-leases")


@pytest.mark.parametrize("sign", [_rows_in_history, _rows_in_instances, _partitions, _app_lease, _leases])
def test_each_sign_of_another_engine_is_enough(sign: Callable[[StorageDouble], Awaitable[None]]) -> None:
    async def test(double: StorageDouble) -> None:
        await sign(double)
        await refused(double, "Site")

    on_double(test)


def test_a_hub_of_our_own_stays_ours_whatever_another_engine_adds() -> None:
    async def test(double: StorageDouble) -> None:
        await over(double).create_hub()
        await put_hub(double, "Site")
        await over(double).create_hub()
        await over(double).check_hub()

    on_double(test)


def test_a_creation_that_was_broken_off_goes_on() -> None:
    """The table is there, the record is not."""

    async def test(double: StorageDouble) -> None:
        await double.create_table("SiteHistory")
        await over(double).create_hub()
        await over(double).check_hub()

    on_double(test)


def test_foreign_rows_are_stepped_over_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test(double: StorageDouble) -> None:
        provider = over(double)
        await provider.create_hub()
        for table in ("Instances", "History"):
            for entity in rows_of(table):
                await double.put_entity(f"Site{table}", entity)
        await provider.create_row(row("own", status=RuntimeStatus.RUNNING))
        worker = Worker(provider, provider, Registry())
        client = Client(provider, provider)
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert [found.instance_id async for found in client.list()] == ["own"]
                assert await provider.count(_EVERYTHING) == {RuntimeStatus.RUNNING: 1}
                await worker.tidy()
        told = [record.getMessage() for record in caplog.records if "stepped over" in record.getMessage()]
        assert len(told) == len(set(told)) == len(rows_of("Instances"))
        assert all("SiteInstances" in line for line in told)
        uses: list[Awaitable[Any]] = [
            client.get("c-0"),
            client.history("c-0"),
            client.terminate("c-0"),
            client.purge("c-0"),
            client.start("x", instance_id="c-0"),
        ]
        for use in uses:
            with pytest.raises(UnreadableRowError, match="'c-0' in the table SiteInstances"):
                await use

    on_double(test)


def test_a_damaged_row_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def test(double: StorageDouble) -> None:
        provider = over(double)
        await provider.create_hub()
        for instance_id in ("a", "b", "c"):
            await provider.create_row(row(instance_id))
        found = await double.read_entity("SiteInstances", "b", "")
        assert found is not None
        await double.put_entity("SiteInstances", found.entity | {"CreatedTime": "yesterday"})
        assert [found.instance_id for found in (await provider.query(_EVERYTHING)).rows] == ["a", "c"]
        assert "'b'" in caplog.text

    on_double(test)


def test_foreign_history_of_an_instance_is_none() -> None:
    async def test(double: StorageDouble) -> None:
        provider = over(double)
        await provider.create_hub()
        for entity in rows_of("History"):
            await double.put_entity("SiteHistory", entity | {"PartitionKey": "order-1"})
        await provider.create_row(row())
        await provider.append(turn())
        assert [found.number for found in (await provider.load("order-1")).turns] == [0]
        assert await provider.consumed("order-1") == {"m-0"}

    on_double(test)


def test_names_that_differ_in_case_alone_are_one_hub() -> None:
    async def test(double: StorageDouble) -> None:
        await over(double, "CASE").create_hub()
        for verb in (over(double, "Case").create_hub, over(double, "Case").check_hub):
            with pytest.raises(HubMismatchError, match="'CASE'"):
                await verb()

    on_double(test)


@pytest.mark.azurite
def test_names_that_differ_in_case_alone_are_refused_on_the_emulator(azurite: str) -> None:
    """It tells them apart when it reads, and not when it creates."""

    async def run() -> None:
        hub = a_hub_name()
        first, second = AzureStorageProvider(azurite, hub), AzureStorageProvider(azurite, hub.swapcase())
        await first.create_hub()
        with pytest.raises(HubMismatchError, match="ignore case"):
            await second.create_hub()
        for provider in (first, second):
            await provider.close()

    asyncio.run(run())


async def _verbs(provider: AzureStorageProvider) -> list[Awaitable[Any]]:
    client = Client(provider, provider)
    return [
        client.get("x"),
        client.start("hello", instance_id="x"),
        client.raise_event("x", "go"),
        client.terminate("x"),
        client.purge("x"),
        client.count(),
        anext(client.list()),
        provider.check_hub(),
    ]


@pytest.mark.parametrize("where", ["double", pytest.param("azurite", marks=pytest.mark.azurite)])
def test_a_client_on_a_hub_that_was_never_made_says_so(where: str, request: pytest.FixtureRequest) -> None:
    async def run() -> None:
        hub = a_hub_name()
        if where == "double":
            provider = over(StorageDouble(now), hub)
        else:
            provider = AzureStorageProvider(request.getfixturevalue("azurite"), hub)
        for verb in await _verbs(provider):
            with pytest.raises(HubNotFoundError, match="durable hub create") as caught:
                await verb
            assert isinstance(caught.value, StorageError)
            assert hub in str(caught.value)
        await provider.close()

    asyncio.run(run())
