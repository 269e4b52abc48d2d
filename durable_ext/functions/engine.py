"""One worker for one app: opened at the first use, inside the running loop, from the app's settings.

Nothing is opened at import: the host has not much patience while it indexes, and there is no loop yet (F4).
"""

from __future__ import annotations

import asyncio
import os
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from durable_ext.errors import ConfigurationError
from durable_ext.functions.observers import lifecycle_of, telemetry_of
from durable_ext.functions.settings import AppSettings, read_settings

if TYPE_CHECKING:
    from durable_ext.authoring.lifecycle import LifecyclePublisher
    from durable_ext.authoring.registry import Registry
    from durable_ext.functions.asgi import AsgiApp
    from durable_ext.functions.client import DurableClient
    from durable_ext.providers.azure_storage.provider import AzureStorageProvider
    from durable_ext.providers.sqlite.provider import SqliteProvider
    from durable_ext.worker.client import Client
    from durable_ext.worker.settings import WorkerSettings
    from durable_ext.worker.telemetry import Telemetry
    from durable_ext.worker.watchdog import Watchdog
    from durable_ext.worker.worker import Worker


class Engine:
    """What the functions of one app share: registry, settings, worker, client and management API."""

    def __init__(self, registry: Registry, publisher: LifecyclePublisher | None = None) -> None:
        self.registry = registry
        self._publisher = publisher
        self._opening = asyncio.Lock()
        self._worker: Worker | None = None
        self._closing: list[AzureStorageProvider | SqliteProvider] = []
        self._watchdog: Watchdog | None = None
        self._clients: dict[tuple[str, str], DurableClient] = {}
        self._api: AsgiApp | None = None

    @cached_property
    def settings(self) -> AppSettings:
        """The app's settings. Raises ConfigurationError."""
        settings = read_settings(os.environ)
        # Where the code names no version of what it starts, host.json does, as documented for Durable Functions.
        self.registry.default_version = self.registry.default_version or settings.default_version
        return settings

    @cached_property
    def telemetry(self) -> Telemetry:
        """Who is told what the engine does. Raises ConfigurationError."""
        return telemetry_of(self.settings)

    @property
    def worker_settings(self) -> WorkerSettings:
        """The settings of this app's worker. Raises ConfigurationError."""
        lifecycle = lifecycle_of(self.settings, self._publisher)
        return msgspec.structs.replace(self.settings.worker, telemetry=self.telemetry, lifecycle=lifecycle)

    def attach(self, worker: Worker) -> None:
        """Use this worker instead of opening one: the self-host's, or a test's. Its owner closes it."""
        self._worker = worker
        self._clients.clear()
        self._api = None

    async def worker(self) -> Worker:
        """The worker of this process. Raises ConfigurationError and StorageError; a later call tries again."""
        async with self._opening:
            if self._worker is None:
                self._worker = await self._open_worker()
            return self._worker

    async def client(self, hub: str | None = None, connection: str | None = None) -> DurableClient:
        """The client of this app's hub, or of another one. Raises as `worker`."""
        from durable_ext.functions.client import DurableClient

        settings = _other_hub(self.settings, hub, connection)
        key = (settings.hub, settings.connection)
        if settings is self.settings:
            worker = await self.worker()
            return self._clients.setdefault(key, DurableClient(worker.client, settings, self.client))
        async with self._opening:
            if key not in self._clients:
                self._clients[key] = DurableClient(await self._open_client(settings), settings, self.client)
            return self._clients[key]

    async def api(self) -> AsgiApp:
        """The management API over this app's client. Raises as `worker`."""
        from durable_ext.http_api.app import Served, create_app
        from durable_ext.http_api.links import hub_query

        if self._api is None:
            asks_keys = self.settings.auth_level != "anonymous"
            self._api = create_app(
                (await self.worker()).client,
                query=hub_query(self.settings.hub, self.settings.connection),
                served=Served(limits=self.settings.http.limits, asks_keys=asks_keys),
            )
        return self._api

    async def close(self) -> None:
        """Close what this engine has opened itself. The host never calls it: it kills the process (F2)."""
        opened, self._closing = self._closing, []
        if self._watchdog is not None:
            self._watchdog.stop()
        self._worker, self._api = None, None
        self._clients.clear()
        for store in opened:
            await store.close()

    async def _open_worker(self) -> Worker:
        from durable_ext.worker.worker import Worker

        if self.settings.sqlite_file is not None:
            raise ConfigurationError(
                "DURABLE_STORAGE is an SQLite file, and no trigger feeds this app from one: "
                "start it with `durable host`, or set DURABLE_STORAGE to azure"
            )
        store = await self._open_store(self.settings, creates=True)
        worker = Worker(store, store, self.registry, settings=self.worker_settings)
        self._watchdog = self.watch(worker)
        return worker

    def watch(self, worker: Worker) -> Watchdog:
        """Watch the running loop for code of this worker that blocks it."""
        from durable_ext.functions.storage import reopening
        from durable_ext.worker.watchdog import Watchdog

        limit = self.settings.worker.stall_limit
        watchdog = Watchdog(worker.process_id, limit, reopening(self.settings, os.environ))
        watchdog.start()
        return watchdog

    async def _open_client(self, settings: AppSettings) -> Client:
        from durable_ext.worker.client import Client

        store = await self._open_store(settings, creates=False)
        client = Client(store, store, converter=self.registry.converter)
        client.telemetry = self.telemetry
        return client

    async def _open_store(self, settings: AppSettings, *, creates: bool) -> AzureStorageProvider | SqliteProvider:
        from durable_ext.functions.storage import open_store

        store = open_store(settings, os.environ)
        try:
            await (store.create_hub() if creates else store.check_hub())
        except BaseException:
            await store.close()
            raise
        self._closing.append(store)
        return store


def _other_hub(settings: AppSettings, hub: str | None, connection: str | None) -> AppSettings:
    wanted_hub = _resolved(hub) or settings.hub
    wanted_connection = _resolved(connection) or settings.connection
    if (wanted_hub.lower(), wanted_connection) == (settings.hub.lower(), settings.connection):
        return settings
    return msgspec.structs.replace(settings, hub=wanted_hub, connection=wanted_connection)


def _resolved(text: str | None) -> str | None:
    """`%NAME%` stands for a setting, as in the host's bindings."""
    if text is None or len(text) < 3 or not (text.startswith("%") and text.endswith("%")):
        return text
    value = os.environ.get(text[1:-1], "").strip()
    if not value:
        raise ConfigurationError(f"{text} in durable_client_input names the setting {text[1:-1]}, which is not set")
    return value
