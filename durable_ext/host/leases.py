"""Keeps the leases of all deliveries held in this process, from one task (S6).

Only storage knows whether a lease is lost. While it cannot be asked, work goes on: nobody else could have taken the
delivery from a store that does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from durable_ext.errors import LeaseLostError
from durable_ext.host.outage import Outage
from durable_ext.providers.contract import Provider
from durable_ext.records.messages import Delivery

logger = logging.getLogger("durable_ext.host")

# A lease is renewed when half of it is over, so that a late or failed renewal leaves time for another.
_LOOKS_PER_LEASE = 6
_RENEW_AFTER = 0.5


class Held:
    """A delivery in the hands of this process. `delivery` has its newest receipt; `receipt` guards that."""

    __slots__ = ("delivery", "lost", "receipt", "renewed_at", "renewing", "stop")

    def __init__(self, delivery: Delivery, renewed_at: float, stop: Callable[[], object]) -> None:
        self.delivery = delivery
        self.renewed_at = renewed_at
        self.renewing = False
        self.lost = False
        self.receipt = asyncio.Lock()
        self.stop = stop


class LeaseKeeper:
    """Renews leases until their deliveries are let go; calls `stop` of one whose lease is lost."""

    def __init__(self, provider: Provider, lease: timedelta, outage: Outage) -> None:
        self._provider = provider
        self._lease = lease
        self._outage = outage
        self._held: set[Held] = set()

    def hold(self, delivery: Delivery, stop: Callable[[], object]) -> Held:
        """Keep the lease of a delivery received just now."""
        held = Held(delivery, asyncio.get_running_loop().time(), stop)
        self._held.add(held)
        return held

    def let_go(self, held: Held) -> None:
        """Renew no more. Repeatable."""
        self._held.discard(held)

    async def run(self) -> None:
        """Renew until cancelled. A slow renewal holds up no other."""
        seconds = self._lease.total_seconds()
        async with asyncio.TaskGroup() as renewals:
            while True:
                await asyncio.sleep(seconds / _LOOKS_PER_LEASE)
                due = asyncio.get_running_loop().time() - seconds * _RENEW_AFTER
                for held in [held for held in self._held if held.renewed_at <= due and not held.renewing]:
                    held.renewing = True
                    renewals.create_task(self._renew(held))

    async def _renew(self, held: Held) -> None:
        async with held.receipt:
            if held not in self._held:
                return
            began = asyncio.get_running_loop().time()
            try:
                held.delivery = await self._provider.extend(held.delivery, self._lease)
            except LeaseLostError:
                logger.info("delivery %s: its lease is lost, its work is stopped", held.delivery.id)
                held.lost = True
                self.let_go(held)
                held.stop()
            except Exception as error:  # noqa: BLE001 - one lease that cannot be renewed must not end all others
                self._outage.noticed(error, "lease")
            else:
                held.renewed_at = began
                self._outage.over()
            finally:
                held.renewing = False
