"""A hub in memory on virtual time, whose deliveries a test may receive and hand out itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.events import LockLeft
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.messages import Body, Delivery, Message
from durable_ext.replay.fold import project
from durable_ext.testing import virtual_time
from durable_ext.testing.faults import Fault, Plan
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.settings import WorkerSettings

from .engine import LEASE, Process, Store, make_process, no_faults

_AT_ONCE = LEASE * 0


class Hub:
    """A store and the time it lives in."""

    def __init__(self, clock: VirtualClock, store: Store | None = None) -> None:
        self.clock = clock
        self.store: Store = store or SqliteProvider(":memory:", partitions=1, clock=clock)
        self._processes: list[Process] = []

    def process(
        self,
        registry: Registry,
        *,
        plan: Plan = no_faults,
        settings: WorkerSettings | None = None,
        doubled: bool = False,
        most_attempts: int = 50,
    ) -> Process:
        """One more process; it polls only when it is started."""
        made = make_process(
            self.store,
            registry,
            self.clock,
            plan=plan,
            settings=settings,
            doubled=doubled,
            most_attempts=most_attempts,
        )
        self._processes.append(made)
        return made

    async def take(self) -> list[Delivery]:
        """Receive all that is visible now."""
        work = await self.store.receive_work(limit=1000, lease=LEASE, wait=_AT_ONCE)
        control = await self.store.receive_control(0, limit=1000, lease=LEASE, wait=_AT_ONCE)
        return [*control, *work]

    async def take_one(self, kind: type[Body]) -> Delivery:
        """Receive all that is visible now; it is one message of this kind."""
        (delivery,) = await self.take()
        assert isinstance(delivery.messages[0].body, kind)
        return delivery

    async def settle(self, process: Process) -> None:
        """Hand all that is visible to a process until nothing more comes at once."""
        while deliveries := await self.take():
            await process.handle(*deliveries)

    async def settle_control(self, process: Process) -> None:
        """The same, but leave work items in their queue."""
        while deliveries := await self.store.receive_control(0, limit=1000, lease=LEASE, wait=_AT_ONCE):
            await process.handle(*deliveries)

    async def leases_run_out(self) -> None:
        """What killed processes held is visible again."""
        await self.clock.sleep(LEASE.total_seconds() + 1)

    async def until(self, condition: Callable[[], bool], seconds: float = 600) -> None:
        """Let time pass until the condition holds. Fails when it does not."""
        for _ in range(int(seconds * 100)):
            if condition():
                return
            await self.clock.sleep(0.01)
        raise AssertionError("it never happened")

    async def row(self, instance_id: str) -> InstanceRow:
        """The instance's row as it is in the store."""
        stored = await self.store.read_row(instance_id)
        assert stored is not None
        return stored.row

    async def status(self, instance_id: str) -> RuntimeStatus:
        """What its row says."""
        return (await self.row(instance_id)).status

    async def output(self, instance_id: str) -> Any:
        """The output of an instance that has completed."""
        row = await self.row(instance_id)
        assert row.status is RuntimeStatus.COMPLETED, (row.status, row.failure)
        assert row.output is not None
        return msgspec.json.decode(row.output.data)

    async def left(self) -> list[Message]:
        """What is still in the queues once all leases have run out, but for what is due later."""
        await self.leases_run_out()
        return [message for delivery in await self.take() for message in delivery.messages]

    async def check(self, instance_id: str) -> None:
        """What holds for every instance at rest: each task answered once, the row equal to history (T3)."""
        loaded = await self.store.load(instance_id)
        answered = [
            task_id
            for turn in loaded.turns
            for event in turn.events
            if (task_id := getattr(event, "task_id", None)) is not None and not isinstance(event, LockLeft)
        ]
        assert len(answered) == len(set(answered)), "a task was answered twice"
        numbers = [turn.number for turn in loaded.turns]
        assert numbers == list(range(len(numbers))), "the log has a gap"
        folded = project(None, loaded.turns)
        assert loaded.stored is not None
        assert folded is not None
        row = loaded.stored.row
        assert (row.status, row.position, row.output) == (folded.status, folded.position, folded.output)

    async def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            await process.kill()
        await self.store.close()


def run(test: Callable[[Hub], Coroutine[Any, Any, None]]) -> None:
    """Run a test on virtual time over a hub of its own."""

    async def main(clock: VirtualClock) -> None:
        hub = Hub(clock)
        await hub.store.create_hub()
        try:
            await test(hub)
        finally:
            await hub.close()

    virtual_time.run(main)


def failing(verb: str, *, after: int = 0, fault: Fault = Fault.BEFORE) -> Plan:
    """A plan: the call of this verb with number `after` among its like fails; the others work."""
    seen = 0

    def plan(called: str, _number: int) -> Fault:
        nonlocal seen
        if called != verb:
            return Fault.NONE
        seen += 1
        return fault if seen == after + 1 else Fault.NONE

    return plan


async def dies_with(
    hub: Hub, registry: Registry, *deliveries: Delivery, at: str = "send", most_attempts: int = 50
) -> None:
    """A process takes deliveries and ends at its first call of this verb."""

    def plan(verb: str, _number: int) -> Fault:
        if verb == at:
            doomed.gate.stall()
        return Fault.NONE

    doomed = hub.process(registry, plan=plan, most_attempts=most_attempts)
    doomed.begin(*deliveries)
    await hub.clock.sleep(0.1)
    await doomed.kill()


class Gate:
    """Activities that wait here are held until it is opened; `entered` counts them."""

    def __init__(self) -> None:
        self.entered = 0
        self._open = asyncio.Event()

    async def wait(self) -> None:
        """Wait until the gate is open."""
        self.entered += 1
        await self._open.wait()

    def open(self) -> None:
        """Let all through, now and later."""
        self._open.set()
