"""The stores the pages are tried on."""

from __future__ import annotations

from pathlib import Path

from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.sqlite.provider import SqliteProvider

from .hub import Store

HUB = "Docs"


class SqliteStore(SqliteProvider, Store):
    """Provider, feed and catalog in one, by name."""


class AzureStore(AzureStorageProvider, Store):
    """Provider, feed and catalog in one, by name."""


def memory_store() -> Store:
    return SqliteStore(":memory:", hub=HUB, partitions=1)


def file_store(path: Path) -> Store:
    return SqliteStore(path, hub=HUB, partitions=1)


def azure_store(connection: str, hub: str) -> Store:
    return AzureStore(connection, hub, partitions=1)
