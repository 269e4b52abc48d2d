"""The stores of a simulation: Azure Storage in memory, whose queues keep no order, or SQLite in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any, Protocol

from durable_ext.providers.azure_storage.client import Entity
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.contract import Catalog, Clock, Feed, InstanceFilter, Provider
from durable_ext.providers.sqlite.queues import work
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import Delivery
from durable_ext.testing.open_sqlite import OpenSqlite
from durable_ext.testing.queued import Queued
from durable_ext.testing.simulation.lines import Line, ProviderLine, StorageLine
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.storage_double.queues import Queues
from durable_ext.testing.storage_double.tables import Tables

_HUB = "Hub"
_LONGEST_LOOK = 3600.0
# A control queue by its partition, or the work items with a tag, and without one.
Queue = int | str


class Reach:
    """What a process reaches a store through."""

    def __init__(self, provider: Provider, catalog: Catalog, feed: Feed, line: Line) -> None:
        self.provider = provider
        self.catalog = catalog
        self.feed = feed
        self.line = line


async def rows_of(catalog: Catalog) -> list[InstanceRow]:
    """All instances, however short the pages are."""
    rows: list[InstanceRow] = []
    continuation: str | None = None
    while True:
        page = await catalog.query(InstanceFilter(), limit=1000, continuation=continuation)
        rows += page.rows
        continuation = page.continuation
        if continuation is None:
            return rows


class Store(Protocol):
    """A store that all processes of a run share."""

    def reach(self, line: Line, clock: Clock) -> Reach:
        """A process's own way to it."""
        ...

    async def wait_for(self, queue: Queue) -> None:
        """Return once a queue may have something to hand out. No call."""
        ...

    async def queued(self) -> int:
        """How many messages there are in all queues, visible or not. No call."""
        ...

    async def queued_messages(self) -> Sequence[Queued]:
        """All of them as they lie there. No call."""
        ...

    def rows(self) -> Sequence[Entity]:
        """All rows of history, where they can be looked at. No call."""
        ...


class _ShuffledQueues(Queues):
    """What is visible is handed out in any order."""

    def __init__(self, clock: Clock, random: Random) -> None:
        super().__init__(clock)
        self._random = random

    def _visible(self, call: str, queue: str) -> list[tuple[str, Any]]:
        visible = super()._visible(call, queue)
        if len(visible) > 1:
            self._random.shuffle(visible)
        return visible

    @property
    def count(self) -> int:
        """All messages."""
        return sum(map(len, self._queues.values()))


class _OpenTables(Tables):
    def entities(self, table: str) -> list[Entity]:
        """All rows of a table."""
        rows = self._tables.get(table.lower())
        return [] if rows is None else rows.all()


class AzureStore(StorageDouble):
    """One account in memory."""

    def __init__(self, clock: Clock, random: Random, *, partitions: int, page_rows: int) -> None:
        super().__init__(clock, page_rows=page_rows, page_blobs=page_rows)
        self._tables = self._open_tables = _OpenTables(clock, page_rows)
        self._queues = self._shuffled = _ShuffledQueues(clock, random)
        self._partitions = partitions
        self._names = AzureStorageProvider("", _HUB, partitions, clock=clock, client=self).names

    def reach(self, line: Line, clock: Clock) -> Reach:
        client = StorageLine(self, line)  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
        provider = AzureStorageProvider("", _HUB, self._partitions, clock=clock, client=client)
        return Reach(provider, provider, provider, line)

    async def wait_for(self, queue: Queue) -> None:
        await self.arrival(self._names.control[queue] if isinstance(queue, int) else self._names.work_of(queue))

    async def queued(self) -> int:
        return self._shuffled.count

    def rows(self) -> Sequence[Entity]:
        return self._open_tables.entities(self._names.history)


class SqliteStore(OpenSqlite):
    """One database in memory."""

    def reach(self, line: Line, clock: Clock) -> Reach:
        del clock  # its clock is the store's
        provider = ProviderLine(self, line)  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
        return Reach(provider, self, _FeedLine(self, line), line)

    async def wait_for(self, queue: Queue) -> None:
        name = work(queue) if isinstance(queue, str) else f"control-{queue:02d}"
        event = self._queues.event(name)
        while True:
            event.clear()
            due = await self._queues.next_visible(name)
            left = _LONGEST_LOOK if due is None else (due - self._clock()).total_seconds()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left + 0.001):
                    await event.wait()
            except TimeoutError:
                continue

    async def queued(self) -> int:
        return await self._database.read(lambda db: db.execute("SELECT count(*) FROM messages").fetchone()[0])

    def rows(self) -> Sequence[Entity]:
        return ()


class _FeedLine(Feed):
    """Receives go over the line too."""

    def __init__(self, inner: Feed, line: Line) -> None:
        self._inner = inner
        self._line = line

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        async def receive(partition: int, limit: int, seconds: float) -> Sequence[Delivery]:
            lease = timedelta(seconds=seconds)
            return await self._inner.receive_control(partition, limit=limit, lease=lease, wait=wait)

        return await self._line.call("receive", receive, (partition, limit, lease.total_seconds()))

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        async def receive(_: str, limit: int, seconds: float) -> Sequence[Delivery]:
            return await self._inner.receive_work(limit=limit, lease=timedelta(seconds=seconds), wait=wait, tag=tag)

        return await self._line.call("receive", receive, ("work", limit, lease.total_seconds()))
