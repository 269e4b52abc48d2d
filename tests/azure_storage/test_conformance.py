"""The conformance suite on Azurite (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from durable_ext.providers.azure_storage.provider import AzureStorageProvider, utc_now
from durable_ext.testing.conformance import ProviderConformance, SkewConformance, Store

from .samples import opened


@pytest.mark.azurite
class TestAzureStorage(ProviderConformance):
    @pytest.fixture(autouse=True)
    def _connect(self, azurite: str) -> None:
        self._connection = azurite

    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[Store]:
        async with opened(self._connection, partitions=4) as provider:
            yield Store(provider, provider, provider, pass_time=asyncio.sleep, clock=utc_now)


@pytest.mark.azurite
class TestClocksApart(SkewConformance):
    @pytest.fixture(autouse=True)
    def _connect(self, azurite: str) -> None:
        self._connection = azurite

    @asynccontextmanager
    async def open_two(self, ahead: timedelta) -> AsyncGenerator[tuple[Store, Store]]:
        async with opened(self._connection, partitions=4) as slow:
            fast = AzureStorageProvider(self._connection, slow.names.hub, 4, clock=lambda: utc_now() + ahead)
            try:
                yield (
                    Store(slow, slow, slow, pass_time=asyncio.sleep, clock=utc_now),
                    Store(fast, fast, fast, pass_time=asyncio.sleep, clock=lambda: utc_now() + ahead),
                )
            finally:
                await fast.close()
