"""A storage account in memory, behind the seam of the Azure provider. Ids and etags are counted, so runs are alike."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Generator, Sequence
from datetime import datetime
from urllib.parse import quote

from durable_ext.providers.azure_storage.client import (
    BlobPage,
    Change,
    Continuation,
    Entity,
    EntityPage,
    PeekedMessage,
    Query,
    QueueMessage,
    Receipt,
    StorageClient,
    Stored,
)
from durable_ext.providers.contract import Clock
from durable_ext.testing.queued import Queued
from durable_ext.testing.storage_double.blobs import Blobs
from durable_ext.testing.storage_double.queues import Queues
from durable_ext.testing.storage_double.tables import Tables

_ENDPOINT = "https://double.blob.core.windows.net"


class StorageDouble(StorageClient):
    """One account that many providers may share; it refuses what Azurite refuses, with its statuses and codes.

    A query's page looks at `page_rows` rows and a page of blobs has `page_blobs` names at most: give small numbers to
    see continuations, and empty pages, come early, as storage may send them at any time. Every call lets other tasks
    run before it takes effect and before it is answered.
    """

    def __init__(self, clock: Clock, *, page_rows: int = 1000, page_blobs: int = 5000) -> None:
        self._tables = Tables(clock, page_rows)
        self._queues = Queues(clock)
        self._blobs = Blobs(clock, page_blobs)

    async def arrival(self, queue: str) -> None:
        """Return once a message of the queue can be received, for tests that need not poll. No call."""
        await self._queues.arrival(queue)

    def next_visible(self) -> datetime | None:
        """When the first message of all queues can be received, or could; None when there is none. No call."""
        return self._queues.next_visible()

    async def queued_messages(self) -> list[Queued]:
        """Every message of all queues as it lies there. No call."""
        return self._queues.queued()

    async def close(self) -> None:
        """Nothing to release; the account is as it was for others."""

    async def create_table(self, table: str) -> None:
        async with _round_trip:
            self._tables.create(table)

    async def delete_table(self, table: str) -> None:
        async with _round_trip:
            self._tables.delete(table)

    async def insert_entity(self, table: str, entity: Entity) -> str:
        async with _round_trip:
            return self._tables.insert(table, entity)

    async def put_entity(self, table: str, entity: Entity) -> None:
        async with _round_trip:
            self._tables.put(table, entity)

    async def replace_entity(self, table: str, entity: Entity, etag: str) -> str:
        async with _round_trip:
            return self._tables.replace(table, entity, etag)

    async def read_entity(self, table: str, partition_key: str, row_key: str) -> Stored | None:
        async with _round_trip:
            return self._tables.read(table, partition_key, row_key)

    async def query_entities(self, table: str, query: Query, continuation: Continuation | None = None) -> EntityPage:
        async with _round_trip:
            return self._tables.query(table, query, continuation)

    async def delete_entity(self, table: str, partition_key: str, row_key: str, etag: str = "*") -> None:
        async with _round_trip:
            self._tables.remove(table, partition_key, row_key, etag)

    async def change_entities(self, table: str, changes: Sequence[Change]) -> None:
        async with _round_trip:
            self._tables.change(table, changes)

    async def create_queue(self, queue: str) -> None:
        async with _round_trip:
            self._queues.create(queue)

    async def delete_queue(self, queue: str) -> None:
        async with _round_trip:
            self._queues.delete(queue)

    async def put_message(self, queue: str, text: str, hidden: int = 0) -> Receipt:
        async with _round_trip:
            return self._queues.put(queue, text, hidden)

    async def get_messages(self, queue: str, limit: int, lease: int) -> list[QueueMessage]:
        async with _round_trip:
            return self._queues.get(queue, limit, lease)

    async def peek_message(self, queue: str) -> PeekedMessage | None:
        async with _round_trip:
            return self._queues.peek(queue)

    async def delete_message(self, queue: str, message_id: str, receipt: str) -> None:
        async with _round_trip:
            self._queues.remove(queue, message_id, receipt)

    async def update_message(self, queue: str, message_id: str, receipt: str, hidden: int) -> str:
        async with _round_trip:
            return self._queues.update(queue, message_id, receipt, hidden)

    async def create_container(self, container: str) -> None:
        async with _round_trip:
            self._blobs.create(container)

    async def delete_container(self, container: str) -> None:
        async with _round_trip:
            self._blobs.delete(container)

    async def put_blob(self, container: str, name: str, data: bytes) -> None:
        async with _round_trip:
            self._blobs.put(container, name, data)

    async def get_blob(self, container: str, name: str, most: int | None = None) -> bytes | None:
        async with _round_trip:
            data = self._blobs.get(container, name)
            return data if data is None or most is None else data[: most + 1]

    async def list_blobs(self, container: str, prefix: str, continuation: str | None = None) -> BlobPage:
        async with _round_trip:
            return self._blobs.list(container, prefix, continuation)

    async def delete_blob(self, container: str, name: str, etag: str = "*") -> None:
        async with _round_trip:
            self._blobs.remove(container, name, etag)

    def url_of(self, container: str, name: str) -> str:
        return f"{_ENDPOINT}/{container}/{quote(name)}"


class _RoundTrip:
    """Others run before the effect and after it: no caller may count on being alone."""

    def __aenter__(self) -> Awaitable[None]:
        return _others_run()

    def __aexit__(self, *_: object) -> Awaitable[None]:
        return _others_run()


@types.coroutine
def _others_run() -> Generator[None]:
    """What asyncio.sleep(0) does, for half of its time."""
    yield


_round_trip = _RoundTrip()
