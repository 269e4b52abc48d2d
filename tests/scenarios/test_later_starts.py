"""Starts that were lost or have a time of their own: the janitor, and what waits for them (P9, P12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.messages import Delivery, RaiseEvent, StartExecution
from durable_ext.testing.virtual_time import START
from durable_ext.worker.client import StartOptions, start_message

from .engine import LEASE
from .hub import Hub, run


def app() -> Registry:
    registry = Registry()
    registry.add_activity(act)
    registry.add_orchestrator(once)
    registry.add_orchestrator(listen)
    return registry


async def act(value: str) -> str:
    return value


async def once(ctx: OrchestrationContext) -> str:
    return await ctx.call_activity(act, "once")


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


def test_lost_start_is_found_behind_many_that_wait_for_their_time() -> None:
    """Hole 20: the janitor goes on where its last round stopped."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        later = StartOptions(start_at=START + timedelta(days=30))
        for number in range(205):
            await process.client.start("once", instance_id=f"a{number}", options=later)
        await process.client.start("once", instance_id="lost")
        lost = await hub.take_one(StartExecution)
        await hub.store.complete(lost)
        for _ in range(4):
            await hub.clock.sleep(120)
            await process.worker.tidy()
            await hub.settle(process)
        assert await hub.output("lost") == "once"

    run(test)


def test_start_that_was_never_sent_is_sent_by_the_janitor() -> None:
    """P9: a client died between the row and the message."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("once", instance_id="x")
        await hub.store.complete(await hub.take_one(StartExecution))
        await process.worker.tidy()
        assert await hub.take() == []
        await hub.clock.sleep(61)
        await process.worker.tidy()
        await hub.settle(process)
        assert await hub.output("x") == "once"

    run(test)


def test_start_far_ahead_begins_at_its_time() -> None:
    """Hole 21: no queue waits longer than a week; a start that comes early is sent again for the rest."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        at = START + timedelta(days=20)
        await process.client.start("once", instance_id="x", options=StartOptions(start_at=at))
        stored = await hub.store.read_row("x")
        assert stored is not None
        # As from a queue that cannot wait so long.
        await hub.store.send([msgspec.structs.replace(start_message(stored.row, stored.etag), due=None)])
        await hub.settle(process)
        assert (await hub.row("x")) == stored.row
        await hub.clock.sleep(timedelta(days=19).total_seconds())
        assert await hub.take() == []
        await hub.clock.sleep(timedelta(days=1, seconds=1).total_seconds())
        await hub.settle(process)
        turns = await hub.store.history("x")
        assert turns[0].time >= at
        assert await hub.output("x") == "once"
        await hub.check("x")

    run(test)


def test_event_for_a_scheduled_instance_waits_until_it_starts() -> None:
    """Hole 34, P12: what comes for a pending instance waits for its start, once, not a hundred times."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        at = START + timedelta(hours=5)
        await process.client.start("listen", instance_id="x", options=StartOptions(start_at=at))
        await process.client.raise_event("x", "go", 1)
        await process.handle(await hub.take_one(RaiseEvent))
        assert await hub.take() == []
        await hub.clock.sleep(timedelta(hours=5).total_seconds() + 0.1)
        await hub.settle(process)
        await hub.clock.sleep(120)
        await hub.settle(process)
        assert await hub.output("x") == 1
        assert await hub.left() == []

    run(test)


class _Dying:
    """Takes the starts of its process, and dies before it has begun them."""

    lease = LEASE

    def has_room(self) -> bool:
        return True

    def adopt(self, delivery: Delivery) -> None:
        assert delivery.receipt is not None


def test_start_that_was_put_already_received_comes_back() -> None:
    """S4: the process that meant to process it itself has died."""

    async def test(hub: Hub) -> None:
        first = hub.process(app())
        first.client.local = _Dying()
        await first.client.start("once", instance_id="x")
        assert await hub.take() == []
        await first.kill()
        await hub.leases_run_out()
        (start,) = await hub.take()
        assert start.dequeue_count == 2
        await hub.process(app()).handle(start)
        assert await hub.output("x") == "once"
        await hub.check("x")

    run(test)
