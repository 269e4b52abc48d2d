"""The conformance suite on the Azure provider over the storage double, in virtual time (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance import ProviderConformance, Store
from durable_ext.testing.storage_double import StorageDouble


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
