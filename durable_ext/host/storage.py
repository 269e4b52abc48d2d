"""Opens the storage that was chosen, and with Azurite starts and stops the emulator around it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from durable_ext.errors import HubNotFoundError
from durable_ext.functions.storage import connection_setting, open_store
from durable_ext.host.storage_choice import Chosen

if TYPE_CHECKING:
    from durable_ext.providers.azure_storage import AzureStorageProvider
    from durable_ext.providers.sqlite import SqliteProvider

    # Each is provider, feed and catalog in one.
    Store = AzureStorageProvider | SqliteProvider


@asynccontextmanager
async def opened_hub(chosen: Chosen) -> AsyncGenerator[Store]:
    """The store of a hub that is there; creates nothing. Raises HubNotFoundError, HubMismatchError, and as opened."""
    if chosen.file is not None and not chosen.file.exists():
        raise HubNotFoundError(
            f"there is no task hub in {chosen.file}; name another with --storage, start its host, "
            "or create it by `durable hub create`"
        )
    async with opened(chosen) as store:
        await store.check_hub()
        yield store


@asynccontextmanager
async def opened(chosen: Chosen) -> AsyncGenerator[Store]:
    """The store, not yet created as a hub. Raises ConfigurationError and, for Azurite, StorageUnavailableError."""
    async with AsyncExitStack() as stack:
        if chosen.azurite is not None:
            from durable_ext.host.emulator import emulator

            connection = await stack.enter_async_context(emulator(chosen.azurite))
            os.environ[connection_setting(chosen.settings.connection, os.environ)] = connection
        if chosen.file is not None:
            chosen.file.parent.mkdir(parents=True, exist_ok=True)
        store = open_store(chosen.settings, os.environ)
        stack.push_async_callback(store.close)
        yield store
