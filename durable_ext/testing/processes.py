"""Worker processes of one hub, all in this process on virtual time, that can be killed at any call (T3).

A process is a worker with pumps: what the triggers do under Functions, or `durable host` by itself, without sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import LeaseLostError, StorageError
from durable_ext.providers.contract import Clock
from durable_ext.records.ids import check_tag
from durable_ext.records.messages import Delivery
from durable_ext.testing.injection import FaultGate, FaultyProvider, Plan, no_faults
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

if TYPE_CHECKING:
    from durable_ext.providers.azure_storage.provider import AzureStorageProvider
    from durable_ext.providers.sqlite import SqliteProvider

# A provider that is feed and catalog too, as ours are.
Store: TypeAlias = "SqliteProvider | AzureStorageProvider"

LEASE = timedelta(seconds=30)
_BATCH = 16
_A_MOMENT = 1e-6
_in_background: ContextVar[bool] = ContextVar("_in_background", default=False)


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a process runs. `plan`: its faults, and `repeats`: a call whose answer is lost is made again (FaultGate).
    `doubled`: it gets every delivery twice. `tidy_every`: the pause between two rounds of the janitor.
    `most_attempts`: a message that failed so often is given up. `wait`: how long a call for messages waits; a store in
    memory wakes who waits. `in_company`: others wait for the same messages, and chance decides who gets one.
    """

    worker: WorkerSettings = WorkerSettings(activity_slots=8)
    plan: Plan = no_faults
    repeats: bool = False
    doubled: bool = False
    tidy_every: timedelta = timedelta(minutes=1)
    most_attempts: int = 50
    wait: timedelta = timedelta(minutes=10)
    in_company: bool = False

    @property
    def for_worker(self) -> WorkerSettings:
        """The worker's settings, with the bound of the process."""
        return msgspec.structs.replace(self.worker, most_attempts=self.most_attempts)


class Process:
    """One worker process: takes deliveries and deals with them, until it is stopped or killed.

    `gate` is what its calls pass, by default those of its provider's verbs. `in_company`: others get
    their turn at the queues, as its settings say, or since another one works beside it.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        provider: FaultyProvider,
        settings: ProcessSettings,
        gate: FaultGate | None = None,
    ) -> None:
        self.worker = worker
        self.provider = provider
        self.gate = gate or provider
        self.in_hand = 0
        self.in_company = settings.in_company
        self._store = store
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> Client:
        return self.worker.client

    @property
    def lives(self) -> bool:
        """Whether it is neither dead nor asleep."""
        return not (self.gate.is_cut or self.gate.is_stalled)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: no session is open and no delivery is held."""
        return not self.in_hand and not self.worker.open_sessions

    def start(self) -> None:
        """Poll every queue and tidy, until `stop` or `kill`."""
        for partition in range(self._store.partitions):
            self._spawn(self._pump(lambda partition=partition: self._receive_control(partition)))
        for tag in self._settings.for_worker.work_tags:
            self._spawn(self._pump(partial(self._receive_work, check_tag(tag))))
        self._spawn(self._tidy())

    async def handle(self, *deliveries: Delivery) -> None:
        """Deal with deliveries that the test received, together; returns when all are completed or given back."""
        await asyncio.gather(*[self._handle(delivery) for delivery in deliveries])

    def begin(self, *deliveries: Delivery) -> None:
        """The same in the background."""
        for delivery in deliveries:
            self._spawn(self._handle(delivery))

    async def kill(self) -> None:
        """As kill -9: nothing is given back, and the store hears nothing more from it."""
        self.provider.cut()
        self.gate.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.worker.drain(timedelta(0))

    async def stop(self) -> None:
        """As Ctrl-C: the pumps end, the worker drains."""
        await self.worker.drain(timedelta(seconds=5))
        await self.kill()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive_control(self, partition: int) -> Sequence[Delivery]:
        return await self._store.receive_control(partition, limit=_BATCH, lease=LEASE, wait=self._settings.wait)

    async def _receive_work(self, tag: str) -> Sequence[Delivery]:
        return await self._store.receive_work(limit=_BATCH, lease=LEASE, wait=self._settings.wait, tag=tag)

    async def _pump(self, receive: Callable[[], Coroutine[Any, Any, Sequence[Delivery]]]) -> None:
        while True:
            deliveries = await receive()
            if self.gate is self.provider and self.gate.is_stalled:
                await self._leave(deliveries)
                continue
            for delivery in deliveries:
                self._spawn(self._handle(delivery))
                if self._settings.doubled:
                    # As after a lease that ran out while its holder worked on.
                    again = msgspec.structs.replace(delivery, dequeue_count=delivery.dequeue_count + 1)
                    self._spawn(self._handle(again))
            if self.in_company:
                # Who has taken something is behind others who wait; else it would be the same one each time.
                await asyncio.sleep(_A_MOMENT)

    async def _leave(self, deliveries: Sequence[Delivery]) -> None:
        """A process that sleeps receives nothing: others get what came although its receives pass no gate."""
        for delivery in deliveries:
            await self._store.abandon(delivery)
        await self.gate.awake()

    async def _handle(self, delivery: Delivery) -> None:
        held = [delivery]
        self.in_hand += 1
        work = asyncio.create_task(self.worker.process(delivery))
        keeper = asyncio.create_task(self._keep(held, work))
        try:
            await work
            await self.provider.complete(held[-1])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if not _lost(keeper):
                raise
        except Exception:  # noqa: BLE001 - as the pump does: whatever went wrong, the delivery comes back
            if not self.provider.is_cut and not self.gate.is_cut:
                await self._store.abandon(held[-1], timedelta(seconds=1))
        finally:
            keeper.cancel()
            self.in_hand -= 1

    async def _keep(self, held: list[Delivery], work: asyncio.Task[None]) -> bool:
        """Renew the lease for as long as it takes; True when it is lost, and the work stopped (S6)."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 2)
            await self.gate.awake()
            try:
                held.append(await self._store.extend(held[-1], LEASE))
            except LeaseLostError:
                work.cancel()
                return True
            except StorageError:
                continue

    async def _tidy(self) -> None:
        _in_background.set(True)
        while True:
            await asyncio.sleep(self._settings.tidy_every.total_seconds())
            try:
                await self.worker.tidy()
            except StorageError:
                continue


def _lost(keeper: asyncio.Task[bool]) -> bool:
    return keeper.done() and not keeper.cancelled() and keeper.result()


def in_background() -> bool:
    """Whether the code that runs now belongs to what a process does at intervals, whether there is work or not."""
    return _in_background.get()


def make_process(store: Store, registry: Registry, clock: Clock, settings: ProcessSettings | None = None) -> Process:
    """A process over a store; its faults are those of the provider's verbs. It polls only when it is started."""
    settings = settings or ProcessSettings()
    provider = FaultyProvider(store, settings.plan, repeats=settings.repeats)  # pyright: ignore[reportAbstractUsage] - its verbs are made at run time
    worker = Worker(provider, store, registry, settings=settings.for_worker, clock=clock)
    return Process(store, worker, provider, settings)
