"""What can be measured under one name each: the engine over every store, and the limit of the design."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from benchmarks.engine import Store, running
from benchmarks.limit import limit_running
from benchmarks.workloads import EngineRunner, Runner, registry
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.providers.sqlite.database import Synchronous

# Opens a variant; takes the connection string of the emulator, empty when the variant needs none.
Opener = Callable[[str], AbstractAsyncContextManager[Runner]]


@asynccontextmanager
async def _engine(store: Store) -> AsyncGenerator[Runner]:
    async with running(store, registry()) as engine:
        yield EngineRunner(engine.worker.client)


@asynccontextmanager
async def _file(synchronous: Synchronous) -> AsyncGenerator[Runner]:
    with tempfile.TemporaryDirectory() as folder:
        async with _engine(SqliteProvider(Path(folder) / "hub.sqlite", synchronous=synchronous)) as runner:
            yield runner


VARIANTS: dict[str, Opener] = {
    "azurite": lambda connection: _engine(AzureStorageProvider(connection, "BenchEngine")),
    "limit": lambda connection: limit_running(connection, "BenchLimit", lean=False),
    "limit-lean": lambda connection: limit_running(connection, "BenchLimitLean", lean=True),
    "sqlite": lambda _: _file(Synchronous.NORMAL),
    "sqlite-full": lambda _: _file(Synchronous.FULL),
    "memory": lambda _: _engine(SqliteProvider(":memory:")),
}
ON_AZURITE = frozenset({"azurite", "limit", "limit-lean"})
PEERS = {name: "limit" if name.startswith("limit") else "durable_ext" for name in VARIANTS}
