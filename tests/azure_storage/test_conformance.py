"""The conformance suite on Azurite (T2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from durable_ext.providers.azure_storage.provider import utc_now
from durable_ext.testing.conformance import ProviderConformance, Store

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
