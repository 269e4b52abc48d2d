"""Affinities of this process: sessions of activities, of which each runs where the ones before it ran.

A process holds an affinity by a lease that it renews, and lets it go when nothing of it has run for a while. Nothing is
asked for activities without one. Who does not get an affinity leaves its work items to who holds it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from durable_ext.errors import StorageError
from durable_ext.providers.contract import Clock, Provider
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.settings import WorkerSettings

logger = logging.getLogger("durable_ext.worker")


class _Held:
    """`until` is the end of the lease, `used` when something of it last ran, `running` how much runs now."""

    __slots__ = ("running", "until", "used")

    def __init__(self, until: datetime, used: datetime) -> None:
        self.until = until
        self.used = used
        self.running = 0


class Affinities:
    """What this process holds."""

    def __init__(
        self, provider: Provider, clock: Clock, settings: WorkerSettings, holder: str, mishaps: Mishaps
    ) -> None:
        self._provider = provider
        self._mishaps = mishaps
        self._clock = clock
        self._settings = settings
        self._holder = holder
        self._held: dict[str, _Held] = {}
        self._asking = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False

    def holds(self, name: str) -> bool:
        """Whether work of it may run here without asking anybody."""
        held = self._held.get(name)
        return held is not None and held.until > self._clock() and not self._closed

    async def take(self, name: str) -> bool:
        """Whether work of it may run here: it is held, or free and there is room for one more. Raises StorageError."""
        if self.holds(name):
            return True
        async with self._asking:
            if self.holds(name):
                return True
            if self._closed or (name not in self._held and len(self._held) >= self._settings.most_affinities):
                return False
            return await self._ask(name)

    @contextmanager
    def using(self, name: str) -> Generator[None]:
        """Something of it runs."""
        held = self._held.get(name)
        if held is None:
            yield
            return
        held.running += 1
        try:
            yield
        finally:
            held.running -= 1
            held.used = self._clock()

    async def close(self) -> None:
        """Take no more, and let go what is held."""
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        for name in list(self._held):
            await self._let_go(name)

    async def _ask(self, name: str) -> bool:
        now = self._clock()
        holder = await self._provider.hold_affinity(name, self._holder, self._settings.affinity_lease)
        if holder != self._holder:
            if self._held.pop(name, None) is not None:
                logger.warning("affinity %r went to process %s: it was not renewed in time", name, holder)
            return False
        held = self._held.setdefault(name, _Held(now, now))
        held.until = now + self._settings.affinity_lease
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())
        return True

    async def _keep(self) -> None:
        while self._held:
            await asyncio.sleep(self._settings.affinity_lease.total_seconds() / 3)
            for name in list(self._held):
                async with self._asking:
                    await self._keep_or_let_go(name)

    async def _keep_or_let_go(self, name: str) -> None:
        held = self._held[name]
        try:
            if held.running or self._clock() - held.used < self._settings.affinity_idle:
                await self._ask(name)
            else:
                await self._let_go(name)
        except StorageError as error:
            logger.warning("affinity %r is renewed later: %s", name, error)
        except Exception as error:  # noqa: BLE001 - one affinity that cannot be kept must not let go all others
            self._mishaps.met("affinity", error)

    async def _let_go(self, name: str) -> None:
        # From now on it is asked for again; if this fails it is free when its lease is over.
        del self._held[name]
        try:
            await self._provider.release_affinity(name, self._holder)
        except StorageError as error:
            logger.warning("affinity %r stays until its lease is over: %s", name, error)
        except Exception as error:  # noqa: BLE001 - it is free when its lease is over
            self._mishaps.met("affinity", error)
