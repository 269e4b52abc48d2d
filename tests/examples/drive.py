"""A world to run samples in: the app's registry, a store in memory, a worker with its pump, and the time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from durable_ext.authoring.registry import Registry
from durable_ext.providers.contract import Clock
from durable_ext.records.instance import InstanceRow
from durable_ext.testing import virtual_time
from durable_ext.worker.client import Client, utc_now
from examples import blob_backup, chaining, eternal, fan_out_fan_in, monitor, order_approval, parent_child

from ..pumped import pumped

T = TypeVar("T")

SAMPLES = (chaining, fan_out_fan_in, order_approval, monitor, eternal, parent_child, blob_backup)


@dataclass(frozen=True)
class World:
    """What a test of a sample has at hand."""

    client: Client
    clock: Clock

    async def until(self, instance_id: str, custom_status: str) -> None:
        """Wait until the instance shows this custom status."""

        def shows(row: InstanceRow) -> bool:
            status = row.custom_status
            return status is not None and json.loads(status.data) == custom_status

        await self.client.wait_until(instance_id, shows, timedelta(hours=1))

    async def let_pass(self, time: timedelta) -> None:
        """Ask nothing for so long: cheaper than a client that looks every two seconds for days."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(time.total_seconds()):
                await asyncio.Event().wait()


def registry() -> Registry:
    """All samples together."""
    everything = Registry()
    for sample in SAMPLES:
        everything.include(sample.bp.registry)
    return everything


def in_world(test: Callable[[World], Awaitable[T]]) -> T:
    """The test's result, on virtual time."""
    return virtual_time.run(lambda clock: _in_world(test, clock))


def in_real_time(test: Callable[[World], Awaitable[T]]) -> T:
    """The test's result, the clock being the one on the wall."""
    return asyncio.run(_in_world(test, utc_now))


async def _in_world(test: Callable[[World], Awaitable[T]], clock: Clock) -> T:
    async with pumped(registry(), clock) as worker:
        return await test(World(worker.client, clock))
