"""A slow message of a shared delivery is given a delivery of its own, so that it does not hold its neighbours (S7).

Its message is put once more, received already, and this worker keeps that lease until the work is done. A crash in
between leaves two repeats of one message, which receivers drop (P7).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import msgspec

from durable_ext.errors import LeaseLostError, StorageError
from durable_ext.records.failures import reason_of
from durable_ext.records.messages import Delivery, Message
from durable_ext.worker.services import Services

logger = logging.getLogger("durable_ext.worker")

_PAUSE = timedelta(seconds=1)


class OwnDeliveries:
    """The deliveries this worker holds by itself."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._keeping: set[asyncio.Task[None]] = set()

    async def goes_apart(self, work: asyncio.Task[None], message: Message) -> bool:
        """Wait a while for the work on a message. True: it is slow and goes on by itself. False: it is done, await it.

        Raises StorageError when its own message cannot be put; cancelling this cancels the work.
        """
        try:
            await asyncio.wait([work], timeout=self._services.settings.slow_message.total_seconds())
            if work.done():
                return False
            lease = self._services.settings.own_lease
            repeat = msgspec.structs.replace(message, resent=True)
            delivery = await self._services.provider.reserve(repeat, lease)
        except BaseException:
            work.cancel()  # nothing guards it, and its message goes to somebody else
            work.add_done_callback(_retrieve)
            raise
        keeping = asyncio.create_task(self._keep(work, delivery, lease))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        return True

    async def settle(self, grace: timedelta) -> None:
        """Let what is held end; give back what does not within `grace`."""
        if not self._keeping:
            return
        _, rest = await asyncio.wait(self._keeping, timeout=grace.total_seconds())
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=max(grace.total_seconds(), 1))

    async def _keep(self, work: asyncio.Task[None], delivery: Delivery, lease: timedelta) -> None:
        try:
            while not work.done():
                done, _ = await asyncio.wait([work], timeout=lease.total_seconds() / 2)
                if not done:
                    delivery = await self._extended(delivery, lease)
            work.result()
            await self._services.provider.complete(delivery)
        except LeaseLostError:
            work.cancel()  # somebody else has it
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it comes back, as any failed delivery
            logger.warning("delivery %s is given back: %s: %s", delivery.id, type(error).__name__, error)
            work.cancel()
            await self._give_back(delivery)

    async def _extended(self, delivery: Delivery, lease: timedelta) -> Delivery:
        """The delivery with its new receipt. Where storage cannot be asked the work goes on: nobody else can ask it."""
        try:
            return await self._services.provider.extend(delivery, lease)
        except LeaseLostError:
            raise
        except StorageError as error:
            logger.warning("the lease of delivery %s is renewed later: %s", delivery.id, error)
        except Exception as error:  # noqa: BLE001 - as above, whatever it was
            self._services.mishaps.met("lease", error)
        return delivery

    async def _give_back(self, delivery: Delivery) -> None:
        try:
            await self._services.provider.abandon(delivery, _PAUSE)
        except Exception as error:  # noqa: BLE001 - whatever it was, the lease ends
            logger.warning("delivery %s comes back when its lease ends: %s", delivery.id, reason_of(error))


def _retrieve(work: asyncio.Task[None]) -> None:
    """Whatever it ends with, nobody awaits it any more."""
    if not work.cancelled():
        work.exception()
