"""What is done to the soak: hosts are killed or stand still, storage goes and comes back, all are watched meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.soak.hosts import Host, Sample, sample
from benchmarks.soak.plan import SPARED, Settings, make_plan
from durable_ext.host.azurite import Azurite

logger = logging.getLogger("soak")

_SAMPLE_SECONDS = 5.0
_WATCH_SECONDS = 0.5


@dataclass
class Record:
    """What happened. `pauses`: for how long the first host slept each time. `outages`: when storage went, how long it
    was away. `ended`: hosts that ended by themselves."""

    kills: int = 0
    stalls: int = 0
    pauses: list[float] = field(default_factory=list[float])
    outages: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    samples: list[Sample] = field(default_factory=list[Sample])
    ended: list[str] = field(default_factory=list[str])


class Chaos:
    """Carries out a plan. Times count from the moment `run` is called."""

    def __init__(self, settings: Settings, hosts: Sequence[Host], server: Azurite) -> None:
        self.record = Record()
        self._plan = make_plan(settings)
        self._settings = settings
        self._hosts = hosts
        self._server = server
        self._began = 0.0

    async def run(self) -> None:
        """Until the last kill and the last outage are over."""
        self._began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_all())
            group.create_task(self._stall_all())
            group.create_task(self._pause_all())
            group.create_task(self._break_storage())

    async def watch(self) -> None:
        """Take samples, and start what ended by itself, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for host in self._hosts:
                if host.ended_by_itself():
                    logger.warning("%s ended by itself; it is started again", host.name)
                    self.record.ended.append(host.name)
                    host.start()
            if loop.time() >= due:
                self.take_samples()
                due += _SAMPLE_SECONDS
            await asyncio.sleep(_WATCH_SECONDS)

    def take_samples(self) -> None:
        """What every process holds now."""
        processes = [(host.name, host.process_id) for host in self._hosts]
        processes.append(("azurite", self._server.process_id))
        self.record.samples += [found for found in (sample(*process) for process in processes) if found]

    async def _kill_all(self) -> None:
        for at, number in self._plan.kills:
            await self._until(at)
            await self._hosts[number].kill()
            self.record.kills += 1

    async def _stall_all(self) -> None:
        # So long that others take over what it holds, and it does not know.
        seconds = 1.5 * self._settings.lease
        for at, number in self._plan.stalls:
            await self._until(at)
            await self._hosts[number].stall(seconds)
            self.record.stalls += 1

    async def _pause_all(self) -> None:
        for at, seconds in self._plan.pauses:
            await self._until(at)
            logger.info("%s sleeps for %.0f seconds", self._hosts[SPARED].name, seconds)
            await self._hosts[SPARED].pause(seconds)
            self.record.pauses.append(seconds)

    async def _break_storage(self) -> None:
        loop = asyncio.get_running_loop()
        for at in self._plan.outages:
            await self._until(at)
            began = loop.time()
            # In order: it saves what it has acknowledged. Killed, it would lose up to five seconds of that.
            await asyncio.to_thread(self._server.stop)
            await asyncio.sleep(self._settings.down)
            await asyncio.to_thread(self._server.start)
            self.record.outages.append((began - self._began, loop.time() - began))
            logger.info("storage was away for %.1f seconds", loop.time() - began)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - asyncio.get_running_loop().time()))
