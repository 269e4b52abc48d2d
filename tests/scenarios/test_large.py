"""Limits of storage that no user has to know: long waits, wide turns, big values."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.providers.azure_storage.provider import AzureStorageProvider, utc_now
from durable_ext.records.events import TaskScheduled
from durable_ext.records.limits import MAX_QUEUE_DELAY
from durable_ext.records.messages import Delivery, FireTimer, Message
from tests.azure_storage.samples import opened

from .engine import Process, make_process
from .hub import Hub, run

_BIG = 20_000_000


def app() -> Registry:
    registry = Registry()
    registry.add_activity(size)
    registry.add_activity(number)
    for orchestrator in (quarter, wide, carry, grow, many_timers):
        registry.add_orchestrator(orchestrator)
    return registry


async def size(value: str) -> int:
    return len(value)


async def number(value: int) -> int:
    return value


async def quarter(ctx: OrchestrationContext) -> str:
    await ctx.create_timer(timedelta(days=90))
    return ctx.now.isoformat()


async def wide(ctx: OrchestrationContext, count: int) -> int:
    return sum(await asyncio.gather(*[ctx.call_activity(number, n) for n in range(count)]))


async def many_timers(ctx: OrchestrationContext, count: int) -> str:
    await asyncio.gather(*[ctx.create_timer(timedelta(hours=1)) for _ in range(count)])
    return "done"


async def carry(ctx: OrchestrationContext, value: str) -> int:
    """A big value through a child, an activity and back."""
    bigger = await ctx.call_sub_orchestrator(grow, value, instance_id="child")
    ctx.set_custom_status("has it")
    await ctx.wait_for_external_event("go")
    return await ctx.call_activity(size, bigger)


async def grow(ctx: OrchestrationContext, value: str) -> str:
    return value + "!"


def test_timer_of_ninety_days_in_hops_of_six() -> None:
    """P12: a queue that waits no longer than a week brings it early, and it is sent again for the rest."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        hops = _short_of_breath(process, hub)
        await process.client.start("quarter", instance_id="x")
        await hub.settle(process)
        for _ in range(31):
            await hub.clock.sleep(timedelta(days=3).total_seconds())
            await hub.settle(process)
        row = await hub.row("x")
        assert row.completed_at is not None
        assert timedelta(days=90) <= row.completed_at - row.created_at <= timedelta(days=93)
        assert len(hops) == 90 / 6
        assert await hub.store.list_quarantined() == []
        await hub.check("x")

    run(test)


def _short_of_breath(process: Process, hub: Hub) -> list[Message]:
    """Let the queues wait for six days at most, as Azure's do; what was sent so is listed."""
    send = process.provider.send
    timers: list[Message] = []

    async def cap(messages: Sequence[Message]) -> None:
        latest = hub.clock() + MAX_QUEUE_DELAY
        timers.extend(message for message in messages if isinstance(message.body, FireTimer))
        await send([msgspec.structs.replace(m, due=min(m.due, latest)) if m.due else m for m in messages])

    setattr(process.provider, "send", cap)  # noqa: B010 - a verb of this very object
    return timers


def test_turn_of_five_thousand_activities() -> None:
    """P2: one row, however wide. Most wait in the queue; each outcome is recorded once."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("wide", 5000, instance_id="x")
        await process.client.wait_for_completion("x", timedelta(hours=1))
        assert await hub.output("x") == sum(range(5000))
        first = (await hub.store.history("x"))[0]
        assert sum(isinstance(event, TaskScheduled) for event in first.events) == 5000
        await hub.check("x")

    run(test)


def test_turn_of_a_thousand_timers() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("many_timers", 1000, instance_id="x")
        await process.client.wait_for_completion("x", timedelta(hours=2))
        assert await hub.output("x") == "done"
        await hub.check("x")

    run(test)


@pytest.mark.azurite
def test_big_values_move_under_the_name_of_their_receiver(azurite: str) -> None:
    """P1, P10: 20 MB through a child and back; the parent goes on after the child was purged, from storage alone:
    what a turn takes in is stored under its own instance."""

    async def test() -> None:
        async with opened(azurite) as store:
            first = make_process(store, app(), utc_now)
            first.start()
            await first.client.start("carry", "x" * _BIG, instance_id="x")
            await first.client.wait_until("x", lambda row: row.custom_status is not None, timedelta(minutes=2))
            assert await first.client.purge("child")
            await first.kill()
            second = make_process(store, app(), utc_now)
            second.start()
            await second.client.raise_event("x", "go")
            status = await second.client.wait_for_completion("x", timedelta(minutes=2))
            await second.kill()
            assert status.output == _BIG + 1

    asyncio.run(test())


@pytest.mark.azurite
def test_report_in_a_queue_outlives_the_purge_of_its_child(azurite: str) -> None:
    """P10: what one instance sends to another is stored under the receiver's name before it is sent."""

    async def test() -> None:
        async with opened(azurite) as store:
            first, second, third = (make_process(store, app(), utc_now) for _ in range(3))
            await first.client.start("carry", "x" * 100_000, instance_id="x")
            await first.worker.drain(timedelta(0))
            await first.handle(*await _received(store))  # the child's start goes to the queue (S5)
            await second.handle(*await _received(store))  # its parent is not here: so does the report
            assert await second.client.purge("child")
            await third.handle(*await _received(store))
            await third.client.raise_event("x", "go")
            await third.handle(*await _received(store))
            status = await third.client.get("x")
            for process in (first, second, third):
                await process.kill()
            assert status is not None
            assert status.output == 100_001

    asyncio.run(test())


async def _received(store: AzureStorageProvider) -> Sequence[Delivery]:
    deliveries = await store.receive_control(0, limit=16, lease=timedelta(seconds=30), wait=timedelta(seconds=10))
    assert len(deliveries) == 1
    return deliveries
