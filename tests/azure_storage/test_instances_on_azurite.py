"""The Instances row (P8, P9), the hub record, queries; read back with the SDK as people's tools would."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient

from durable_ext.errors import (
    ConfigurationError,
    HubMismatchError,
    InstanceExistsError,
    InvalidInputError,
    RowChangedError,
)
from durable_ext.providers.azure_storage.catalog import encode_continuation
from durable_ext.providers.azure_storage.client import Continuation, EntityPage, Query, StorageRefusedError
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.failures import Failure
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import inline

from .samples import NOW, execution, opened, row

pytestmark = pytest.mark.azurite


def test_one_of_two_starts_wins(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            etag = await provider.create_row(row())
            assert await provider.create_row(row()) == etag  # our own, whose answer was lost
            with pytest.raises(InstanceExistsError):
                await provider.create_row(row(execution=execution(execution_id="other")))
            following = row(execution=execution(execution_id="e2", generation=1))
            newer = await provider.create_row(following, replacing=etag)
            assert await provider.create_row(following, replacing=etag) == newer
            with pytest.raises(RowChangedError):
                await provider.create_row(row(execution=execution(execution_id="e3", generation=1)), replacing=etag)

    asyncio.run(main())


def test_a_row_is_replaced_under_its_etag_only(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            with pytest.raises(RowChangedError):
                await provider.update_row(row(), "")
            first = await provider.create_row(row(tags={"a": "b"}, version="1"))
            with pytest.raises(RowChangedError):
                await provider.update_row(row(), "")
            second = await provider.update_row(row(status=RuntimeStatus.RUNNING, turn=0), first)
            assert second != first
            with pytest.raises(RowChangedError):
                await provider.update_row(row(), first)
            stored = await provider.read_row("order-1")
            assert stored is not None
            assert stored.etag == second
            assert stored.row == row(status=RuntimeStatus.RUNNING, turn=0)
            assert await provider.read_row("nobody") is None

    asyncio.run(main())


def test_long_columns_of_a_row_come_back(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            failure = Failure(type="E", message="x" * 100_000, properties={"a": [1, "ü"]})
            tags = {f"tag-{number}": "日" * 100 for number in range(500)}
            full = inline(b'"' + b"y" * (provider.inline_limit - 2) + b'"')
            record = row(failure=failure, tags=tags, input=full, custom_status=full)
            await provider.create_row(record)
            stored = await provider.read_row("order-1")
            assert stored is not None
            assert stored.row == record
            assert (await provider.query(InstanceFilter())).rows == (record,)

    asyncio.run(main())


def test_the_sdk_reads_our_rows(azurite: str) -> None:
    async def main() -> tuple[str, dict[str, object]]:
        async with opened(azurite) as provider:
            payload = await provider.put_payload("order-1", b'"long"')
            await provider.create_row(row(input=payload, output=inline(b'{"a":1}'), completed_at=NOW))
            with TableServiceClient.from_connection_string(azurite) as service:
                table = service.get_table_client(provider.names.instances)
                (entity,) = table.query_entities("RowKey eq ''")  # pyright: ignore[reportUnknownMemberType]
                return provider.names.hub, dict(entity)

    hub, entity = asyncio.run(main())
    assert isinstance(entity["CreatedTime"], datetime)
    assert abs(entity["CreatedTime"] - NOW) < timedelta(milliseconds=1)
    assert (entity["Generation"], entity["RuntimeStatus"], entity["TaskHubName"]) == (0, "Pending", hub)
    assert entity["Output"] == '{"a":1}'
    assert str(entity["Input"]).startswith("http://127.0.0.1:")
    assert f"/{hub.lower()}-largemessages/order-1/" in str(entity["Input"])


async def _fill(provider: AzureStorageProvider) -> None:
    statuses = [RuntimeStatus.COMPLETED, RuntimeStatus.RUNNING]
    for number in range(12):
        await provider.create_row(
            row(
                f"shop-{number:02}" if number < 10 else f"it's {number}",
                name="o'clock" if number % 3 == 0 else "checkout",
                status=statuses[number % 2],
                created_at=NOW + timedelta(hours=number),
                updated_at=NOW + timedelta(days=number),
            )
        )


FILTERS = [
    (InstanceFilter(), 12),
    (InstanceFilter(id_prefix="shop-0"), 10),
    (InstanceFilter(id_prefix="it's "), 2),
    (InstanceFilter(id_prefix="it's 11"), 1),
    (InstanceFilter(id_prefix="zzz"), 0),
    (InstanceFilter(name="o'clock"), 4),
    (InstanceFilter(statuses=frozenset({RuntimeStatus.RUNNING})), 6),
    (InstanceFilter(statuses=frozenset({RuntimeStatus.RUNNING, RuntimeStatus.COMPLETED})), 12),
    (InstanceFilter(created_from=NOW + timedelta(hours=2), created_to=NOW + timedelta(hours=4)), 3),
    (InstanceFilter(updated_to=NOW + timedelta(days=1)), 2),
    (InstanceFilter(id_prefix="shop", name="checkout", statuses=frozenset({RuntimeStatus.RUNNING})), 3),
]


def test_queries_pages_and_counts(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await _fill(provider)
            for where, expected in FILTERS:
                found: list[str] = []
                continuation = None
                while True:
                    page = await provider.query(where, limit=2, continuation=continuation)
                    assert len(page.rows) <= 2
                    found += [item.instance_id for item in page.rows]
                    continuation = page.continuation
                    if continuation is None:
                        break
                assert len(found) == expected, where
                assert found == sorted(set(found))
                assert sum((await provider.count(where)).values()) == expected, where
            assert await provider.count(InstanceFilter()) == {RuntimeStatus.COMPLETED: 6, RuntimeStatus.RUNNING: 6}

    asyncio.run(main())


@pytest.mark.parametrize("continuation", ["", "x", "bm9wZQ==", "W10=", "日本", "WzEsMl0="])
def test_a_continuation_of_somebody_else_is_refused(azurite: str, continuation: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            with pytest.raises(InvalidInputError):
                await provider.query(InstanceFilter(), continuation=continuation)
            with pytest.raises(InvalidInputError):
                await provider.query(InstanceFilter(), limit=0)

    asyncio.run(main())


class Refuses(HttpClient):
    """Answers a continuation as Azure does when it cannot read it; Azurite takes any."""

    async def query_entities(self, table: str, query: Query, continuation: Continuation | None = None) -> EntityPage:
        raise StorageRefusedError(f"query {table}", 400, "InvalidInput")


def test_a_continuation_that_storage_refuses_is_the_callers_fault(azurite: str) -> None:
    async def main() -> None:
        provider = AzureStorageProvider(azurite, "SomeHub", client=Refuses(parse_connection_string(azurite)))
        with pytest.raises(InvalidInputError):
            await provider.query(InstanceFilter(), continuation=encode_continuation(("a", "b")))
        with pytest.raises(StorageRefusedError):
            await provider.query(InstanceFilter())
        await provider.close()

    asyncio.run(main())


def test_a_hub_is_used_as_it_was_created(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite, partitions=3) as provider:
            await provider.create_hub()
            other = AzureStorageProvider(azurite, provider.names.hub, 4)
            with pytest.raises(HubMismatchError, match=r"partitions 3.* 4"):
                await other.create_hub()
            await other.close()
            await provider.delete_hub()
            await provider.delete_hub()
            await provider.create_hub()

    asyncio.run(main())


def test_refused_credentials_are_a_configuration_error(azurite: str) -> None:
    async def main() -> None:
        wrong = azurite.replace("AccountKey=Eby8", "AccountKey=AAAA")
        provider = AzureStorageProvider(wrong, "SomeHub")
        with pytest.raises(ConfigurationError, match="403"):
            await provider.create_hub()
        await provider.close()
        await provider.close()

    asyncio.run(main())
