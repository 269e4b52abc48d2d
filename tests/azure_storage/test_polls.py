"""How often queues are asked: often while a hub is in use, seldom once it is idle, at once for what is put here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from durable_ext.providers.azure_storage.client import QueueMessage
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.messages import Delivery
from durable_ext.testing import virtual_time
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.virtual_time import VirtualClock

from .samples import LEASE, message

_LONG = timedelta(minutes=10)
_QUEUES = 5


class Account(StorageDouble):
    """Counts how often queues are asked for messages."""

    polls = 0

    async def get_messages(self, queue: str, limit: int, lease: int) -> list[QueueMessage]:
        self.polls += 1
        return await super().get_messages(queue, limit, lease)


class Host:
    """A process that polls all queues of the hub."""

    def __init__(self, account: Account, clock: VirtualClock, *, idle: timedelta | None = None) -> None:
        self.provider = AzureStorageProvider("", "Hub", _QUEUES - 1, clock=clock, client=account)
        self.provider.feed.idle_pause = idle
        self.received: list[Delivery] = []
        receive = self.provider.receive_control
        self.tasks = [
            asyncio.create_task(self._poll(lambda: self.provider.receive_work(limit=8, lease=LEASE, wait=_LONG)))
        ]
        for partition in range(_QUEUES - 1):
            self.tasks.append(
                asyncio.create_task(
                    self._poll(lambda partition=partition: receive(partition, limit=8, lease=LEASE, wait=_LONG))
                )
            )

    async def _poll(self, receive: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while True:
            for delivery in await receive():
                self.received.append(delivery)
                await self.provider.complete(delivery)


def polled(test: Callable[[Account, VirtualClock], Coroutine[Any, Any, None]]) -> None:
    async def run(clock: VirtualClock) -> None:
        account = Account(clock)
        await AzureStorageProvider("", "Hub", _QUEUES - 1, clock=clock, client=account).create_hub()
        await test(account, clock)

    virtual_time.run(run)


async def polls_of_a_minute(account: Account, clock: VirtualClock) -> int:
    before = account.polls
    await clock.sleep(60)
    return account.polls - before


async def seconds_until(host: Host, count: int, clock: VirtualClock) -> float:
    began = clock()
    while len(host.received) < count:
        assert clock() - began < timedelta(minutes=2)
        await clock.sleep(0.01)
    return (clock() - began).total_seconds()


def test_an_idle_hub_is_asked_less_than_once_a_second() -> None:
    async def test(account: Account, clock: VirtualClock) -> None:
        Host(account, clock)
        await clock.sleep(30)
        assert 250 < await polls_of_a_minute(account, clock) < 320, "in use a moment ago: each queue once a second"
        await clock.sleep(120)
        for _ in range(12):
            assert 40 < await polls_of_a_minute(account, clock) <= 60

    polled(test)


def test_a_message_of_another_process_ends_the_idleness() -> None:
    async def test(account: Account, clock: VirtualClock) -> None:
        host = Host(account, clock)
        other = AzureStorageProvider("", "Hub", _QUEUES - 1, clock=clock, client=account)
        await clock.sleep(600)
        await other.send([message()])
        assert await seconds_until(host, 1, clock) <= 6
        await other.send([message()])
        assert await seconds_until(host, 2, clock) <= 1.1
        await clock.sleep(10)
        assert await polls_of_a_minute(account, clock) > 250

    polled(test)


def test_what_this_process_puts_is_taken_at_once_however_idle_it_was() -> None:
    """So are its timers at their time, for a day."""

    async def test(account: Account, clock: VirtualClock) -> None:
        host = Host(account, clock)
        await clock.sleep(600)
        await host.provider.send([message()])
        assert await seconds_until(host, 1, clock) <= 0.02
        await clock.sleep(600)
        await host.provider.send([message(due=clock() + timedelta(hours=5))])
        await clock.sleep(5 * 3600 - 1)
        assert len(host.received) == 1
        assert await seconds_until(host, 2, clock) <= 1.05

    polled(test)


def test_the_pause_of_an_idle_hub_may_be_chosen() -> None:
    async def test(account: Account, clock: VirtualClock) -> None:
        Host(account, clock, idle=timedelta(seconds=30))
        await clock.sleep(600)
        assert await polls_of_a_minute(account, clock) <= 2.1 * _QUEUES

    polled(test)


def test_a_pause_never_gets_shorter_because_the_hub_is_idle() -> None:
    async def test(account: Account, clock: VirtualClock) -> None:
        host = Host(account, clock, idle=timedelta(seconds=2))
        host.provider.feed.longest_pause = timedelta(seconds=20)
        await clock.sleep(600)
        assert await polls_of_a_minute(account, clock) <= 3.1 * _QUEUES

    polled(test)
