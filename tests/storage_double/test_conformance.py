"""The conformance suite on the Azure provider over the storage double, in virtual time (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.contract import Clock
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance import ProviderConformance, SkewConformance, Store
from durable_ext.testing.storage_double import StorageDouble


class TestClocksApartOnTheDouble(SkewConformance):
    @asynccontextmanager
    async def open_two(self, ahead: timedelta) -> AsyncGenerator[tuple[Store, Store]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualTimeLoop)
        double = StorageDouble(loop.now)
        stores: list[Store] = []
        for offset in (timedelta(0), ahead):
            clock = _shifted(loop.now, offset)
            provider = AzureStorageProvider("", "Hub", 4, clock=clock, client=double)
            await provider.create_hub()
            stores.append(Store(provider, provider, provider, pass_time=asyncio.sleep, clock=clock))
        yield stores[0], stores[1]

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        virtual_time.run(lambda _clock: test)


def _shifted(clock: Clock, offset: timedelta) -> Clock:
    return lambda: clock() + offset


class TestAzureStorageOnTheDouble(ProviderConformance):
    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[Store]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualTimeLoop)
        provider = AzureStorageProvider("", "Hub", 4, clock=loop.now, client=StorageDouble(loop.now))
        await provider.create_hub()
        yield Store(provider, provider, provider, pass_time=asyncio.sleep, clock=loop.now)
        await provider.delete_hub()
        await provider.close()

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        virtual_time.run(lambda _clock: test)
