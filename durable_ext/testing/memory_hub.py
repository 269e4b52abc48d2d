"""A task hub in memory on virtual time, and the processes that work in it: what harnesses are made of (T3).

Over SQLite faults fall between the provider's verbs; over the storage double, between single storage calls.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from random import Random

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.messages import Delivery
from durable_ext.testing.injection import FaultyProvider
from durable_ext.testing.open_sqlite import OpenSqlite
from durable_ext.testing.processes import Process, ProcessSettings, Store, make_process
from durable_ext.testing.queued import Queued
from durable_ext.testing.storage_double import FaultyStorageClient, StorageDouble
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.worker import Worker

# Small pages, so that continuations and empty pages come early.
_PAGE_ROWS = 2
_PAGE_BLOBS = 1
_AT_ONCE = timedelta(0)
_A_MOMENT = 1e-4
_ASKS_EVERY = 7
_MOST_AT_ODDS = 3.7


class MemoryHub(ABC):
    """A hub. `store` is its provider without faults, for whoever stands outside."""

    def __init__(self, store: Store, clock: VirtualClock) -> None:
        self.store: Store = store
        self.clock = clock

    @abstractmethod
    def process(self, registry: Registry, settings: ProcessSettings) -> Process:
        """One more process; it polls only when it is started."""

    @abstractmethod
    async def next_visible(self) -> datetime | None:
        """When the first message of all queues is visible, or was; None when there is no message."""

    @abstractmethod
    async def queued(self) -> Sequence[Queued]:
        """Every message of all queues as it lies there."""

    async def receive_all(self) -> list[Delivery]:
        """Receive all that is visible now, from every queue, by rounds."""
        found: list[Delivery] = []
        while batch := await self.receive_some(timedelta(days=1)):
            found += batch
        return found

    async def receive_some(self, lease: timedelta) -> list[Delivery]:
        """Receive what is visible now, up to a batch of each queue."""
        batch = list(await self.store.receive_work(limit=100, lease=lease, wait=_AT_ONCE))
        for partition in range(self.store.partitions):
            batch += await self.store.receive_control(partition, limit=100, lease=lease, wait=_AT_ONCE)
        return batch


class SqliteHub(MemoryHub):
    """Over SQLite in memory."""

    def __init__(self, clock: VirtualClock) -> None:
        self._provider = OpenSqlite(clock, partitions=1)
        self._processes = 0
        super().__init__(self._provider, clock)

    async def next_visible(self) -> datetime | None:
        return await self._provider.next_visible()

    async def queued(self) -> Sequence[Queued]:
        return await self._provider.queued_messages()

    def process(self, registry: Registry, settings: ProcessSettings) -> Process:
        self._processes += 1
        if settings.in_company:
            # Each asks at times of its own, so that it is not the same one that is first each time.
            wait = timedelta(seconds=_ASKS_EVERY * (1 + self._processes / _MOST_AT_ODDS))
            settings = msgspec.structs.replace(settings, wait=wait)
        return make_process(self.store, registry, self.clock, settings)


class AzureHub(MemoryHub):
    """On the Azure provider over a storage account in memory."""

    def __init__(self, clock: VirtualClock) -> None:
        self.double = StorageDouble(clock, page_rows=_PAGE_ROWS, page_blobs=_PAGE_BLOBS)
        self._stores: list[_Waiting] = []
        super().__init__(AzureStorageProvider("", "Hub", 1, clock=clock, client=self.double), clock)

    async def next_visible(self) -> datetime | None:
        return self.double.next_visible()

    async def queued(self) -> Sequence[Queued]:
        return await self.double.queued_messages()

    def process(self, registry: Registry, settings: ProcessSettings) -> Process:
        client = FaultyStorageClient(self.double, settings.plan, repeats=settings.repeats)  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
        store = _Waiting(self, client, Random(len(self._stores)))  # noqa: S311 - the same in each run
        self._stores.append(store)
        if settings.in_company:
            for each in self._stores:
                each.in_company = True
        provider = FaultyProvider(store)  # pyright: ignore[reportAbstractUsage] - its verbs are made at run time
        worker = Worker(provider, store, registry, settings=settings.for_worker, clock=self.clock)
        return Process(store, worker, provider, settings, client)


class _Waiting(AzureStorageProvider):
    """Asks for messages when there are some, and asks again when storage fails."""

    def __init__(self, hub: AzureHub, client: FaultyStorageClient, chance: Random) -> None:
        super().__init__("", "Hub", 1, clock=hub.clock, client=client)
        self.in_company = False
        self._hub = hub
        self._chance = chance

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        receive = super().receive_control
        return await self._receive(
            self.names.control[partition], lambda: receive(partition, limit=limit, lease=lease, wait=_AT_ONCE)
        )

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        receive = super().receive_work
        return await self._receive(
            self.names.work_of(tag), lambda: receive(limit=limit, lease=lease, wait=_AT_ONCE, tag=tag)
        )

    async def _receive(self, queue: str, receive: Callable[[], Awaitable[Sequence[Delivery]]]) -> Sequence[Delivery]:
        while True:
            await self._hub.double.arrival(queue)
            if self.in_company:
                # Chance decides who is first, so that it is not the same one each time.
                await asyncio.sleep(self._chance.random() * _A_MOMENT)
            try:
                found = await receive()
            except StorageError:
                await asyncio.sleep(1)
                continue
            if found:
                return found
