"""The provider that the settings choose: one of the two places where a concrete one is named (design section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_ext.functions.settings import AppSettings
    from durable_ext.providers.azure_storage.provider import AzureStorageProvider
    from durable_ext.providers.contract import Provider
    from durable_ext.providers.sqlite.provider import SqliteProvider


def open_store(settings: AppSettings, environ: Mapping[str, str]) -> AzureStorageProvider | SqliteProvider:
    """The store of a hub, not yet created. Raises ConfigurationError that names the setting which is wrong."""
    if settings.sqlite_file is not None:
        from durable_ext.providers.sqlite.provider import SqliteProvider

        return SqliteProvider(settings.sqlite_file, hub=settings.hub, partitions=settings.partitions)
    from durable_ext.providers.azure_storage.connection import connection_from_settings
    from durable_ext.providers.azure_storage.provider import AzureStorageProvider

    connection = connection_from_settings(connection_setting(settings.connection, environ), environ)
    store = AzureStorageProvider(connection, settings.hub, settings.partitions)
    store.feed.longest_pause, store.feed.idle_pause = settings.poll_interval, settings.idle_poll_interval
    return store


def reopening(settings: AppSettings, environ: Mapping[str, str]) -> Callable[[], Provider] | None:
    """Opens the store of a hub once more, for another event loop; None for one in memory, which is there once."""
    if settings.sqlite_file == ":memory:":
        return None
    return partial(open_store, settings, environ)


def connection_setting(name: str, environ: Mapping[str, str]) -> str:
    """The setting that a connection name means to the host: with its prefix first, else as it is."""
    prefixed = f"AzureWebJobs{name}"
    found = any(key == prefixed or key.startswith(f"{prefixed}__") for key in environ)
    return prefixed if found else name
