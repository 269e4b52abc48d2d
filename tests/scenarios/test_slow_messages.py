"""Several work items travel in one delivery; a slow one must not hold its neighbours (S7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Delivery
from durable_ext.testing.faults import Fault, InjectedFaultError

from .hub import Hub, failing, run

_HOUR = 3600.0


class App:
    """A fan-out of one quick and one slow activity."""

    def __init__(self, hub: Hub) -> None:
        self.registry = Registry()
        self.runs: list[float] = []
        self.ended: list[float] = []
        self._hub = hub
        self.registry.add_activity(self.work, name="work")
        self.registry.add_orchestrator(both)

    async def work(self, seconds: float) -> float:
        self.runs.append(seconds)
        await self._hub.clock.sleep(seconds)
        self.ended.append(seconds)
        return seconds


async def both(ctx: OrchestrationContext, longer: float) -> list[float]:
    calls = [ctx.call_activity("work", seconds, placement="queue") for seconds in (0.0, longer)]
    return await asyncio.gather(*calls)


async def _shared_delivery(hub: Hub, app: App) -> tuple[Delivery, Delivery]:
    """Both work items as one delivery, and the queue message of the second, which is to be completed with it."""
    process = hub.process(app.registry)
    await process.client.start("both", _HOUR, instance_id="it")
    await process.handle(*await hub.take())
    first, second = await hub.take()
    return msgspec.structs.replace(first, messages=(*first.messages, *second.messages)), second


def test_a_slow_message_gets_a_delivery_of_its_own() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        shared, second = await _shared_delivery(hub, app)
        worker = hub.process(app.registry)
        worker.start()
        before = hub.clock()
        await worker.worker.process(shared)
        assert hub.clock() - before < timedelta(seconds=10)
        await hub.store.complete(shared)
        await hub.store.complete(second)
        await hub.clock.sleep(_HOUR + 10)
        assert await hub.output("it") == [0.0, _HOUR]
        assert app.runs == [0.0, _HOUR]
        assert await hub.left() == []

    run(test)


def test_the_delivery_of_its_own_comes_back_after_a_crash() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        shared, second = await _shared_delivery(hub, app)
        doomed = hub.process(app.registry)
        await doomed.worker.process(shared)
        await hub.store.complete(shared)
        await hub.store.complete(second)
        await doomed.kill()
        await hub.leases_run_out()
        survivor = hub.process(app.registry)
        survivor.start()
        await hub.clock.sleep(2 * _HOUR)
        assert await hub.status("it") is RuntimeStatus.COMPLETED
        await hub.check("it")

    run(test)


def test_work_whose_own_delivery_cannot_be_put_stops() -> None:
    """Its message is put off and goes to somebody else; nobody guards it here any more."""

    async def test(hub: Hub) -> None:
        app = App(hub)
        shared, second = await _shared_delivery(hub, app)
        worker = hub.process(app.registry, plan=failing("reserve"))
        await worker.worker.process(shared)
        await hub.store.complete(shared)
        await hub.store.complete(second)
        worker.start()
        await hub.clock.sleep(_HOUR + 60)
        assert app.runs == [0.0, _HOUR, _HOUR]
        assert app.ended == [0.0, _HOUR], "the first run was stopped"
        assert await hub.output("it") == [0.0, _HOUR]

    run(test)


def test_neighbours_of_a_message_that_fails_are_done_before_the_delivery_is_given_back() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        process = hub.process(app.registry)
        await process.client.start("both", 3.0, instance_id="it")
        await process.handle(*await hub.take())
        first, second = await hub.take()
        shared = msgspec.structs.replace(first, messages=(*first.messages, *second.messages))
        fails = iter([Fault.BEFORE, Fault.BEFORE])
        worker = hub.process(
            app.registry, plan=lambda verb, _number: next(fails, Fault.NONE) if verb == "send" else Fault.NONE
        )
        with pytest.raises(InjectedFaultError):
            await worker.worker.process(shared)
        assert app.ended == [0.0, 3.0]

    run(test)
