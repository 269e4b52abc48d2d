"""The shipped suite on SQLite, in memory and on a file, on virtual time (T2)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.providers.sqlite.database import Synchronous
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance import ProviderConformance, Store


@asynccontextmanager
async def _opened(path: str | Path, synchronous: Synchronous = Synchronous.NORMAL) -> AsyncGenerator[Store]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual_time.VirtualTimeLoop)
    provider = SqliteProvider(path, clock=loop.now, synchronous=synchronous)
    await provider.create_hub()
    yield Store(provider, provider, provider, pass_time=asyncio.sleep, clock=loop.now)
    await provider.close()


class _InVirtualTime(ProviderConformance):
    def run(self, test: Coroutine[Any, Any, None]) -> None:
        virtual_time.run(lambda _clock: test)


class TestMemory(_InVirtualTime):
    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[Store]:
        async with _opened(":memory:") as store:
            yield store


class TestFile(_InVirtualTime):
    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[Store]:
        with tempfile.TemporaryDirectory() as folder:
            async with _opened(Path(folder) / "hub.sqlite") as store:
                yield store


class TestFileThatWaitsForTheDisk(_InVirtualTime):
    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[Store]:
        with tempfile.TemporaryDirectory() as folder:
            async with _opened(Path(folder) / "hub.sqlite", Synchronous.FULL) as store:
                yield store
