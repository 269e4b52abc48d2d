"""The load: starts orders at a bounded rate through whichever host, raises their events, terminates those to be ended.

A start is tried once, so that what its answer said can be held against what came of it. Events and terminations are
repeated until they are answered.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
import msgspec

from benchmarks.soak.hosts import Host
from benchmarks.soak.plan import Ending, Order
from durable_ext.errors import DurableError, InstanceNotFoundError, InstanceStateError
from durable_ext.worker.client import Client

logger = logging.getLogger("soak")

_PATIENCE = aiohttp.ClientTimeout(total=40)
_PAUSE = 0.25
_LOOK = 0.15
# An order whose start was not accepted is given up when it is not there after this time; a start that timed out may
# still be under way.
_ABSENT_SECONDS = 12.0
_ABSENT_AFTER_TIMEOUT_SECONDS = 240.0


class Answer(StrEnum):
    """What the start of an order was answered with."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass
class Started:
    """An order, the answer to its start, and how often each of its events was raised, answered or not."""

    order: Order
    answer: Answer = Answer.UNANSWERED
    reason: str = ""
    raised: Counter[int] = field(default_factory=Counter[int])
    is_absent: bool = False


class Load:
    """`client` speaks to storage itself, as another app would."""

    def __init__(self, hosts: Sequence[Host], client: Client, chance: random.Random) -> None:
        self.started: list[Started] = []
        self._hosts = hosts
        self._client = client
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, orders: Iterator[Order], rate: float, seconds: float) -> None:
        """Start orders for so long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            number = 0
            while loop.time() - began < seconds:
                self._begin(session, next(orders))
                number += 1
                await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            await self._settled()

    async def _settled(self) -> None:
        logger.info("no more starts; %d orders are still looked after", len(self._tasks))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, session: aiohttp.ClientSession, order: Order) -> None:
        started = Started(order)
        self.started.append(started)
        task = asyncio.create_task(self._look_after(session, started))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("an order is looked after no more", exc_info=task.exception())

    async def _look_after(self, session: aiohttp.ClientSession, started: Started) -> None:
        order = started.order
        if order.direct:
            await self._start_directly(started)
        else:
            await self._start_over_http(session, started)
        if order.events:
            await self._raise_all(started)
        if order.ending is Ending.IS_TERMINATED:
            await asyncio.sleep(self._chance.uniform(0.0, 3.0))
            await self._terminate(started)

    async def _start_over_http(self, session: aiohttp.ClientSession, started: Started) -> None:
        order = started.order
        host = self._chance.choice([host for host in self._hosts if not host.is_paused])
        body = msgspec.json.encode(order.input)
        headers = {"content-type": "application/json"}
        url = f"{host.api}/orchestrators/{order.kind}/{order.id}"
        try:
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            started.reason = type(error).__name__
            return
        if status == 202:
            started.answer = Answer.ACCEPTED
        else:
            started.answer, started.reason = Answer.REFUSED, f"status {status}"

    async def _start_directly(self, started: Started) -> None:
        order = started.order
        try:
            await self._client.start(order.kind, order.input, instance_id=order.id)
        except DurableError as error:
            started.answer, started.reason = Answer.REFUSED, type(error).__name__
        else:
            started.answer = Answer.ACCEPTED

    async def _raise_all(self, started: Started) -> None:
        order = started.order
        for number in range(order.events):
            if not await self._raise(started, number):
                return
            if order.paced and not await self._consumed(started, number + 1):
                return

    async def _raise(self, started: Started, number: int) -> bool:
        """Whether it was answered; False when the instance is not there or is over."""
        order, attempts = started.order, Attempts()
        key = f"{order.id}-{number}" if order.keyed else None
        while True:
            started.raised[number] += 1
            try:
                await self._client.raise_event(order.id, "ping", number, message_id=key)
            except InstanceNotFoundError:
                # Refused before it was sent.
                started.raised[number] -= 1
                if await self._is_absent(started, attempts):
                    return False
            except InstanceStateError:
                return False
            except DurableError:
                await asyncio.sleep(_PAUSE)
            else:
                return True

    async def _consumed(self, started: Started, count: int) -> bool:
        attempts = Attempts()
        while True:
            try:
                status = await self._client.get(started.order.id)
            except DurableError:
                await asyncio.sleep(_PAUSE)
                continue
            if status is None:
                if await self._is_absent(started, attempts):
                    return False
            elif (status.custom_status or 0) >= count:
                return True
            elif status.row.status.is_terminal:
                return False
            await asyncio.sleep(_LOOK)

    async def _terminate(self, started: Started) -> None:
        order, attempts = started.order, Attempts()
        while True:
            try:
                await self._client.terminate(order.id, order.output)
            except InstanceNotFoundError:
                if await self._is_absent(started, attempts):
                    return
            except InstanceStateError:
                return
            except DurableError:
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def _is_absent(self, started: Started, attempts: Attempts) -> bool:
        longest = _ABSENT_AFTER_TIMEOUT_SECONDS if started.reason == TimeoutError.__name__ else _ABSENT_SECONDS
        if started.answer is Answer.ACCEPTED or attempts.seconds > longest:
            started.is_absent = True
            return True
        await asyncio.sleep(_PAUSE * 4)
        return False


class Attempts:
    """How long something has been tried."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    @property
    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._began
