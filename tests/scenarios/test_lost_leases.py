"""Messages that are handed out again and again although nobody failed at them: delayed, and never given up (P11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageUnavailableError
from durable_ext.host.pump import Pump, PumpSettings
from durable_ext.providers.contract import Feed
from durable_ext.records.messages import Delivery, RunActivity, StartExecution
from durable_ext.testing.faults import Fault, FaultyProvider, Plan, no_faults
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

from .hub import Gate, Hub
from .meetings import App
from .two_stores import AnyHub, on_both, run_on

MOST = 5
_LEASE = timedelta(seconds=5)
_SETTINGS = WorkerSettings(activity_slots=50, most_attempts=MOST, own_lease=_LEASE)


class LossyFeed(Feed):
    """A feed whose answers are lost until a time: what they brought is hidden, and nobody has seen it."""

    def __init__(self, hub: Hub, seconds: float) -> None:
        self._hub = hub
        self._until = hub.clock() + timedelta(seconds=seconds)
        self.lost = 0

    async def receive_control(self, partition: int, **options: Any) -> Sequence[Delivery]:
        return self._answer(await self._hub.store.receive_control(partition, **options))

    async def receive_work(self, **options: Any) -> Sequence[Delivery]:
        return self._answer(await self._hub.store.receive_work(**options))

    def _answer(self, found: Sequence[Delivery]) -> Sequence[Delivery]:
        if found and self._hub.clock() < self._until:
            self.lost += len(found)
            raise StorageUnavailableError("the answer was lost")
        return found


@asynccontextmanager
async def host(
    hub: Hub, registry: Registry, *, plan: Plan = no_faults, feed: Feed | None = None
) -> AsyncGenerator[Worker]:
    """What `durable host` runs, with short leases."""
    provider = FaultyProvider(hub.store, plan)  # pyright: ignore[reportAbstractUsage] - its verbs are made at run time
    worker = Worker(provider, hub.store, registry, settings=_SETTINGS, clock=hub.clock)
    pump = Pump(worker, provider, feed or hub.store, PumpSettings(lease=_LEASE, work_room=200))
    tasks = [asyncio.create_task(pump.keep_leases()), asyncio.create_task(pump.poll())]
    try:
        yield worker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await worker.drain(timedelta(seconds=1))
        await pump.settle(timedelta(seconds=1))


def not_renewed(hub: Hub, seconds: float) -> Plan:
    """No lease is renewed for so long, as on a machine that has no time for it."""
    until = hub.clock() + timedelta(seconds=seconds)

    def plan(verb: str, _number: int) -> Fault:
        return Fault.BEFORE if verb == "extend" and hub.clock() < until else Fault.NONE

    return plan


class Slow:
    """Activities that take longer than a lease, beside their orchestration and by queue."""

    def __init__(self, hub: Hub) -> None:
        self.registry = Registry()
        self.most = 0
        self._clock = hub.clock
        self.registry.add_activity(self.work, name="work")
        self.registry.add_orchestrator(self.order, name="order")

    async def work(self, ctx: Any, seconds: float) -> float:
        self.most = max(self.most, ctx.attempt)
        await self._clock.sleep(seconds)
        return seconds

    async def order(self, ctx: Any) -> list[float]:
        here = ctx.call_activity("work", 20.0, placement="local")
        there = ctx.call_activity("work", 30.0, placement="queue")
        return [await here, await there, await ctx.wait_for_external_event("go")]


@on_both
def test_two_hosts_that_lose_every_lease_lose_no_instance(store: str) -> None:
    """Leases of five seconds, work of half a minute, no renewal for five minutes: all of it is done in the end."""

    async def test(hub: AnyHub) -> None:
        app = Slow(hub)
        names = [f"order-{number}" for number in range(10)]
        plan = not_renewed(hub, 300)
        async with host(hub, app.registry, plan=plan) as first, host(hub, app.registry, plan=plan):
            for name in names:
                await first.client.start("order", instance_id=name)
            await hub.clock.sleep(30)
            for name in names:
                await first.client.raise_event(name, "go", 1)
            await hub.clock.sleep(600)
            assert app.most > MOST, "their messages were handed out that often"
            assert await hub.store.list_quarantined() == []
            for name in names:
                assert await hub.output(name) == [20.0, 30.0, 1]
                await hub.check(name)
                assert [one for one in await hub.store.progress(name) if one.task_id < 0] == []

    run_on(store, test)


@on_both
def test_answers_of_receives_that_are_lost_for_minutes_lose_nothing(store: str) -> None:
    """Nobody has seen the messages, however often storage handed them out."""

    async def test(hub: AnyHub) -> None:
        app = App()
        one = hub.process(app.registry)
        names = [f"it-{number}" for number in range(20)]
        for name in names:
            await one.client.start("queued_then_waits", instance_id=name)
        await hub.settle_control(one)
        for name in names:
            await one.client.raise_event(name, "go", name)
        feed = LossyFeed(hub, 600)
        async with host(hub, app.registry, feed=feed):
            await hub.clock.sleep(900)
        assert feed.lost > 2 * MOST * len(names)
        assert await hub.store.list_quarantined() == []
        assert [await hub.output(name) for name in names] == [["queued", name] for name in names]
        assert app.ran.count("queued") == len(names)

    run_on(store, test)


@on_both
def test_a_message_that_is_tried_as_poison_while_its_session_loses_the_lease(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        one = hub.process(app.registry, most_attempts=MOST)
        await one.client.start("waits", instance_id="x")
        start = await hub.take_one(StartExecution)
        handling = asyncio.create_task(one.worker.process(start))
        await hub.until(lambda: app.ran == ["held"])
        await hub.clock.sleep(20)
        again = msgspec.structs.replace(start, dequeue_count=6)
        poison = asyncio.create_task(one.worker.process_poison(again))
        another = asyncio.create_task(one.worker.process(again))
        await hub.clock.sleep(0.1)
        handling.cancel()
        await asyncio.gather(poison, another, handling, return_exceptions=True)
        assert await hub.store.list_quarantined() == []
        app.gates["held"].open()
        await one.client.raise_event("x", "go", 1)
        one.start()
        await hub.clock.sleep(120)
        assert await hub.output("x") == [1, "held"]

    run_on(store, test)


@on_both
@pytest.mark.parametrize("kind", [RunActivity, StartExecution])
def test_what_the_host_gave_up_goes_back_to_its_queue(store: str, kind: type[Any]) -> None:
    """Under the Functions host five deliveries end in the poison queue, whoever was at fault."""

    async def test(hub: AnyHub) -> None:
        app = App()
        one = hub.process(app.registry, most_attempts=MOST)
        await one.client.start("one_queued", instance_id="x")
        if kind is RunActivity:
            await hub.settle_control(one)
        for _ in range(4):
            given_up = await hub.take_one(kind)
            await one.worker.process_poison(msgspec.structs.replace(given_up, dequeue_count=MOST))
            await hub.store.complete(given_up)
        assert app.ran == []
        await hub.settle(one)
        assert await hub.output("x") == "queued"
        assert await hub.store.list_quarantined() == []
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_a_process_that_stops_for_minutes_with_a_suspect_condemns_it_not(store: str) -> None:
    """Each leaves its note for as long as it stands still, and takes it back when it goes on."""

    async def test(hub: AnyHub) -> None:
        app = App()
        app.gates = {"queued": Gate()}
        first = hub.process(app.registry, most_attempts=MOST)
        await first.client.start("one_queued", instance_id="x")
        await hub.settle_control(first)
        for stall in range(2 * MOST):
            process = hub.process(app.registry, most_attempts=MOST)
            item = msgspec.structs.replace(await hub.take_one(RunActivity), dequeue_count=3 + stall)
            handling = asyncio.create_task(process.worker.process(item))
            await hub.until(lambda wanted=stall + 1: len(app.ran) == wanted)
            process.gate.stall()
            await hub.clock.sleep(120)
            assert len(await hub.store.progress("x")) == 1, "nobody can tell it from a dead one"
            process.gate.resume()
            handling.cancel()  # the first that it hears is that its lease is lost
            await asyncio.wait([handling])
            assert await hub.store.progress("x") == []
        app.gates["queued"].open()
        await hub.settle(hub.process(app.registry, most_attempts=MOST))
        assert await hub.output("x") == "queued"

    run_on(store, test)


def test_what_runs_in_living_processes_is_no_evidence() -> None:
    """Many copies of a work item run at once, each noted: the next one is not given up."""

    async def test(hub: AnyHub) -> None:
        app = App()
        app.gates = {"queued": Gate()}
        first = hub.process(app.registry, most_attempts=MOST)
        await first.client.start("one_queued", instance_id="x")
        await hub.settle_control(first)
        item = msgspec.structs.replace(await hub.take_one(RunActivity), dequeue_count=9)
        for _ in range(2 * MOST):
            process = hub.process(app.registry, most_attempts=MOST)
            process.begin(item)
            await hub.clock.sleep(5)
        assert len(app.ran) == 2 * MOST
        app.gates["queued"].open()
        await hub.clock.sleep(5)
        await hub.settle(first)
        assert await hub.output("x") == "queued"

    run_on("sqlite", test)
