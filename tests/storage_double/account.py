"""A storage account in memory for tests that look at single calls: faulty clients, and what is left in storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from durable_ext.providers.azure_storage.client import Continuation, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.names import HUB_KEY, PROCESSES_KEY, folder
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.journal import Journal
from durable_ext.records.messages import FinishTask
from durable_ext.records.payloads import inline
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance import Store, samples
from durable_ext.testing.injection import Fault, InjectedFaultError
from durable_ext.testing.storage_double import FaultyStorageClient, StorageDouble
from durable_ext.testing.virtual_time import VirtualClock

T = TypeVar("T")

ID, PROCESS = "order-1", "host-1/42"
# More calls than any verb makes here.
MOST_CALLS = 30
WAYS = {"before": (Fault.BEFORE, False), "lost": (Fault.AFTER, False), "repeated": (Fault.AFTER, True)}


class Account:
    """One account, and a provider that works."""

    def __init__(self, clock: VirtualClock, page: int = 2) -> None:
        self.clock = clock
        self.double = StorageDouble(clock, page_rows=page, page_blobs=page)
        self.provider = self.on(self.double)
        self.store = Store(self.provider, self.provider, self.provider, pass_time=never, clock=clock)

    def on(self, client: StorageClient) -> AzureStorageProvider:
        return AzureStorageProvider("", "Hub", 4, clock=self.clock, client=client)

    def faulty(self, way: str) -> Iterator[AzureStorageProvider]:
        """Providers whose first, second ... call fails, and at last one that made fewer."""
        fault, repeats = WAYS[way]
        for number in range(MOST_CALLS):

            def plan(_call: str, at: int, number: int = number) -> Fault:
                return fault if at == number else Fault.NONE

            client = FaultyStorageClient(self.double, plan, repeats=repeats)  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
            yield self.on(client)
            if len(client.calls) <= number:
                return
        raise AssertionError("that makes more calls than expected")

    def journal(self, letter: str, count: int = 3) -> Journal:
        """Longer than a row holds, unless it has no messages."""
        body = FinishTask(task_id=1, result=inline(b'"' + letter.encode() * 30_000 + b'"'))
        held = tuple(samples.message(ID, number, self.clock(), body=body) for number in range(count))
        return Journal(process_id=PROCESS, time=self.clock(), messages=held)

    async def journals(self) -> list[Journal]:
        return [kept.journal for kept in await self.provider.journals()]

    async def blobs(self) -> list[str]:
        """The names of all that belong to journals."""
        return await self._names(PROCESSES_KEY)

    async def _names(self, prefix: str) -> list[str]:
        found: list[str] = []
        continuation: str | None = None
        while True:
            page = await self.double.list_blobs(self.provider.names.blobs, prefix, continuation)
            found += page.names
            continuation = page.continuation
            if continuation is None:
                return found

    async def blobs_of(self, instance_id: str) -> list[str]:
        """The names of all that belong to an instance."""
        return await self._names(folder(instance_id))

    async def rows(self) -> list[Entity]:
        """All of the History table but the hub's own."""
        found: list[Entity] = []
        continuation: Continuation | None = None
        while True:
            page = await self.double.query_entities(self.provider.names.history, Query(()), continuation)
            found += page.entities
            continuation = page.continuation
            if continuation is None:
                return [row for row in found if row["PartitionKey"] != HUB_KEY]


class Before:
    """Does something else before the call of a number."""

    def __init__(self, client: StorageClient, number: int, happens: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._left = number
        self._happens = happens
        self.calls: Counter[str] = Counter()

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._client, verb)
        if not iscoroutinefunction(call):
            return call

        async def counted(*args: Any, **named: Any) -> Any:
            self.calls[verb] += 1
            self._left -= 1
            if self._left == -1:
                await self._happens()
            return await call(*args, **named)

        return counted


async def never(_seconds: float = 0) -> None:
    raise AssertionError("that is not expected to happen")


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """As its caller does after an unknown outcome."""
    try:
        return await call()
    except InjectedFaultError:
        return await call()


def run(test: Callable[[Account], Awaitable[None]], page: int = 2) -> None:
    """Run a test on an account with an empty hub, whose pages are as short."""

    async def main(clock: VirtualClock) -> None:
        account = Account(clock, page)
        await account.provider.create_hub()
        await test(account)

    virtual_time.run(main)
