"""The host: one process that feeds, serves and times an app, from its start to its drain (S5)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from durable_ext.errors import ConfigurationError, StorageError
from durable_ext.host.callers import Callers, Guarded
from durable_ext.host.outage import Backoff, Outage
from durable_ext.host.pump import Pump, PumpSettings
from durable_ext.host.server import FunctionsApp, Keys, make_server
from durable_ext.host.timers import Timers
from durable_ext.worker.client import utc_now
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.worker import Worker

if TYPE_CHECKING:
    import uvicorn

    from durable_ext.functions.engine import Engine
    from durable_ext.functions.local import LocalFunctions
    from durable_ext.host.storage import Store


# For giving back what has not ended when the grace is used up.
_LEAST_GRACE = timedelta(seconds=1)


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`grace`: how long what is under way may take to end when the host is stopped. `keys` None: nobody is asked.

    `address`: where it listens, which tells whom it may expect as callers. `max_attempts`: a message that failed so
    often is given up.
    """

    pump: PumpSettings = PumpSettings()
    grace: timedelta = timedelta(seconds=10)
    keys: Keys | None = None
    address: str = "127.0.0.1"
    max_attempts: int = 5

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ConfigurationError("max_attempts is at least 1")


class Host:
    """One app in one process. `say` prints a line for the person in front of it."""

    def __init__(
        self,
        engine: Engine,
        functions: LocalFunctions,
        settings: HostSettings,
        say: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._functions = functions
        self._settings = settings
        self._say = say
        self._outage = Outage(Mishaps(engine.telemetry))
        self._timers = Timers(functions.timers, os.environ, utc_now, self._outage)
        http = engine.settings.http
        self._app = FunctionsApp(functions.http, engine.settings.route_prefix, settings.keys, http.limits)
        self._callers = Callers(settings.address, engine.settings.base_url, http)

    async def run(self, store: Store, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain. Raises HubMismatchError, and StorageError that waiting cannot mend."""
        server = make_server(Guarded(self._app, self._callers), self._settings.grace.total_seconds())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            if await self._reach_storage(store, stop):
                await self._work(store, stop, server)
        finally:
            server.should_exit = True
            await serving
            self._functions.close()

    async def _reach_storage(self, store: Store, stop: asyncio.Event) -> bool:
        """Wait until storage can be used; False when the host is stopped meanwhile."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                await store.create_hub()
            except StorageError as error:
                if not error.retryable:
                    raise
                pause = backoff.longer()
                self._say(f"Storage cannot be reached ({error}); trying again in {pause:g} s")
                await _wait(stop, pause)
            else:
                return True
        return False

    async def _work(self, store: Store, stop: asyncio.Event, server: uvicorn.Server) -> None:
        settings = msgspec.structs.replace(self._engine.worker_settings, most_attempts=self._settings.max_attempts)
        worker = Worker(store, store, self._engine.registry, settings=settings)
        self._engine.attach(worker)
        pump_settings = msgspec.structs.replace(
            self._settings.pump, work_room=2 * settings.activity_slots, work_tags=settings.work_tags
        )
        pump = Pump(worker, store, store, pump_settings, self._outage)
        worker.client.local = pump
        settings.telemetry.watch(pump.readings)
        watchdog = self._engine.watch(worker)
        try:
            await self._feed(worker, pump, stop, server)
        finally:
            watchdog.stop()

    async def _feed(self, worker: Worker, pump: Pump, stop: asyncio.Event, server: uvicorn.Server) -> None:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(pump.keep_leases())
            feeding = [group.create_task(pump.poll()), group.create_task(self._timers.run())]
            self._app.ready.set()
            self._say("Running; Ctrl-C stops.")
            await stop.wait()
            server.should_exit = True
            for task in feeding:
                task.cancel()
            await drain(worker, pump, self._settings.grace)
            keeper.cancel()


async def drain(worker: Worker, pump: Pump, grace: timedelta) -> None:
    """What is under way ends within the grace or is given back (S5).

    Work items come first, because the worker lets go of its threads; sessions, which go on meanwhile, get what is left.
    """
    clock = asyncio.get_running_loop().time
    begun = clock()
    await pump.settle_work(grace)
    await worker.drain(max(grace - timedelta(seconds=clock() - begun), _LEAST_GRACE))
    await pump.settle(_LEAST_GRACE)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
