"""One scenario over SQLite and over the Azure provider on a storage account in memory, and what damages their data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Literal, get_args

import pytest

from durable_ext.providers.azure_storage.client import Entity, Query
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.azure_storage.turn_rows import BLOB
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.providers.sqlite.times import time_text
from durable_ext.records.turns import Turn
from durable_ext.testing import virtual_time
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.virtual_time import VirtualClock

from .hub import Hub

StoreName = Literal["sqlite", "azure"]

on_both = pytest.mark.parametrize("store", get_args(StoreName))


class AnyHub(Hub, ABC):
    """A hub whose stored history can be damaged and mended behind the provider's back."""

    @abstractmethod
    async def spoil(self, instance_id: str, turn: int) -> None:
        """Make the events of a turn unreadable."""

    @abstractmethod
    async def remove(self, instance_id: str, turn: int) -> None:
        """Take a turn out of the middle of a log."""

    @abstractmethod
    async def put_body(self, body: str) -> None:
        """Put a body into the control queue as it is."""

    async def mend(self, turns: tuple[Turn, ...]) -> None:
        """Put the turns back as they were."""
        for turn in turns:
            await self.remove(turn.execution.instance_id, turn.number)
            await self.store.append(turn)


class SqliteBacked(AnyHub):
    """Over SQLite in memory."""

    def __init__(self, clock: VirtualClock) -> None:
        self.sqlite = SqliteProvider(":memory:", partitions=1, clock=clock)
        super().__init__(clock, self.sqlite)

    async def spoil(self, instance_id: str, turn: int) -> None:
        await self._do(
            "UPDATE history SET events = '[{\"type\":' WHERE instance_id = ? AND turn = ?", instance_id, turn
        )

    async def remove(self, instance_id: str, turn: int) -> None:
        await self._do("DELETE FROM history WHERE instance_id = ? AND turn = ?", instance_id, turn)

    async def put_body(self, body: str) -> None:
        now = time_text(self.clock())
        await self._do("INSERT INTO messages (queue, visible_at, body) VALUES ('control-00', ?, ?)", now, body)

    async def _do(self, statement: str, *values: Any) -> None:
        await self.sqlite._database.write(  # pyright: ignore[reportPrivateUsage] - behind the provider's back
            lambda db: db.execute(statement, values)
        )


class AzureBacked(AnyHub):
    """Over the storage double."""

    def __init__(self, clock: VirtualClock) -> None:
        self.double = StorageDouble(clock, page_rows=3, page_blobs=1)
        self.azure = AzureStorageProvider("", "Hub", 1, clock=clock, client=self.double)
        super().__init__(clock, self.azure)

    async def spoil(self, instance_id: str, turn: int) -> None:
        entity = await self._row(instance_id, turn)
        if name := entity.get(BLOB):
            await self.double.put_blob(self.azure.names.blobs, str(name), b"no gzip")
        else:
            await self.double.put_entity(self.azure.names.history, {**entity, "Events": '[{"type":'})

    async def remove(self, instance_id: str, turn: int) -> None:
        entity = await self._row(instance_id, turn)
        if entity:
            keys = str(entity["PartitionKey"]), str(entity["RowKey"])
            await self.double.delete_entity(self.azure.names.history, *keys)

    async def put_body(self, body: str) -> None:
        await self.double.put_message(self.azure.names.control[0], body)

    async def remove_blob(self, instance_id: str, turn: int) -> None:
        """Delete the blob that holds the events of a turn."""
        name = (await self._row(instance_id, turn))[BLOB]
        await self.double.delete_blob(self.azure.names.blobs, str(name))

    async def rows(self, table: str) -> list[Entity]:
        """All rows of a table."""
        found: list[Entity] = []
        continuation = None
        while True:
            page = await self.double.query_entities(table, Query(()), continuation)
            found += [dict(entity) for entity in page.entities]
            continuation = page.continuation
            if continuation is None:
                return found

    async def _row(self, instance_id: str, turn: int) -> Entity:
        for row in await self.rows(self.azure.names.history):
            if (row["PartitionKey"], row.get("TurnNumber")) == (instance_id, turn):
                return row
        return {}


HUBS: dict[str, type[SqliteBacked] | type[AzureBacked]] = {"sqlite": SqliteBacked, "azure": AzureBacked}


def run_on(store: str, test: Callable[[AnyHub], Coroutine[Any, Any, None]]) -> None:
    """Run a test on virtual time over a hub of its own in this store."""

    async def main(clock: VirtualClock) -> None:
        hub = HUBS[store](clock)
        await hub.store.create_hub()
        try:
            await test(hub)
        finally:
            await hub.close()

    virtual_time.run(main)
