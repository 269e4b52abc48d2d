"""What one execution sends to one entity is taken in the order it was sent, whatever queues do, and around locks."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.entity_id import EntityId
from durable_ext.records.messages import Delivery, Message, RequestLock, RunOperation
from durable_ext.records.payloads import inline

from .engine import LEASE, Process
from .hub import Hub, run

A, B = EntityId("list", "a"), EntityId("list", "b")
_ids = map("m{}".format, itertools.count())


def remember(context: EntityContext) -> None:
    context.set_state([*context.get_state(list), context.get_input()])


async def telling_then_locking(ctx: OrchestrationContext) -> None:
    ctx.signal_entity(B, "add", "told")
    await ctx.wait_for_external_event("go on")
    async with ctx.lock_entities([A, B]):
        await ctx.call_entity(B, "add", "alone")


async def telling_now_and_then(ctx: OrchestrationContext, days: int) -> None:
    await ctx.call_entity(B, "add", "before")
    await asyncio.sleep(timedelta(days=days).total_seconds())
    await ctx.call_entity(B, "add", "after")


def app() -> Registry:
    registry = Registry()
    registry.add_entity(remember, "list")
    registry.add_orchestrator(telling_then_locking)
    registry.add_orchestrator(telling_now_and_then)
    return registry


def message(hub: Hub, value: Any, *, message_id: str = "", after: str = "") -> Message:
    body = RunOperation(operation="add", input=inline(msgspec.json.encode(value)))
    return Message(id=message_id or next(_ids), instance_id=str(B), body=body, sent_at=hub.clock(), after=after)


async def state_of(process: Process) -> Any:
    found = await process.client.read_entity(B)
    return None if found is None else found.state


async def minutes_until(hub: Hub, process: Process, length: int, *, most: int = 40) -> int:
    """How many minutes it takes until the entity knows so much."""
    for minutes in range(most):
        await hub.settle(process)
        if len(await state_of(process) or ()) == length:
            return minutes
        await hub.clock.sleep(60)
    raise AssertionError("it never came")


def holds(delivery: Delivery, body: type[Any]) -> bool:
    return isinstance(delivery.messages[0].body, body)


def test_what_comes_ahead_of_what_was_sent_before_waits() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await hub.store.send([message(hub, 0, message_id="a")])
        await hub.settle(process)
        await hub.store.send([message(hub, 2, message_id="c", after="b")])
        await hub.settle(process)
        assert await state_of(process) == [0]
        await hub.store.send([message(hub, 1, message_id="b", after="a")])
        await hub.settle(process)
        await hub.clock.sleep(5)
        await hub.settle(process)
        assert await state_of(process) == [0, 1, 2]

    run(test)


def test_a_batch_in_any_order_is_taken_in_order() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await hub.store.send([message(hub, "first", message_id="x")])
        await hub.settle(process)
        late = [message(hub, n, message_id=f"b{n}", after=f"b{n - 1}" if n else "x") for n in (3, 1, 2, 0)]
        await hub.store.send(late)
        await hub.settle(process)
        assert await state_of(process) == ["first", 0, 1, 2, 3]

    run(test)


@pytest.mark.parametrize("first", ["one that is there", "one that is not"])
def test_what_never_comes_holds_up_no_longer_than_half_an_hour(first: str) -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        known = first == "one that is there"
        if known:
            await hub.store.send([message(hub, 0)])
            await hub.settle(process)
        await hub.store.send([message(hub, 1, after="lost")])
        assert 29 <= await minutes_until(hub, process, 2 if known else 1) <= 32

    run(test)


def test_where_an_entity_was_purged_what_it_may_have_taken_is_waited_for_a_minute() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await hub.store.send([message(hub, 0, message_id="taken")])
        await hub.settle(process)
        await process.client.catalog.purge(await hub.row(str(B)))
        for number in (1, 2):  # the second finds an entity that has begun anew
            await hub.store.send([message(hub, number, after="taken")])
            assert await minutes_until(hub, hub.process(app()), number) <= 2

    run(test)


def test_a_lock_comes_behind_what_its_holder_sent_before_to_any_of_its_entities() -> None:
    """The second entity is asked by the first one: the request overtook the signal, which then waited until the lock
    was left, behind what was called under it."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        client = process.client
        await client.start("telling_then_locking", instance_id="sender")
        await process.handle(*await hub.take())
        signal = await hub.take_one(RunOperation)
        await client.raise_event("sender", "go on")
        while deliveries := await hub.take():
            if any(holds(one, RequestLock) for one in deliveries):
                assert await state_of(process) is None
            await process.handle(*deliveries)
        assert await state_of(process) is None
        await process.handle(signal)
        await hub.clock.sleep(LEASE.total_seconds())
        await hub.settle(process)
        assert await state_of(process) == ["told", "alone"]
        assert (await hub.row("sender")).status.is_terminal
        assert await hub.left() == []

    run(test)


@pytest.mark.parametrize("days", [1, 20])
def test_who_speaks_to_an_entity_again_after_long_is_not_kept_waiting(days: int) -> None:
    """The entity took what came before in an execution long past, which nobody has in memory, and which is pruned after
    two weeks: half an hour went by for nothing."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("telling_now_and_then", days, instance_id="sender")
        await hub.settle(process)
        for number in range(250):
            await hub.store.send([message(hub, number)])
            await hub.settle(process)
        assert (await hub.row(str(B))).execution.generation == 1
        for _ in range(days):
            await process.worker.tidy()
            await hub.settle(process)
            await hub.clock.sleep(timedelta(days=1).total_seconds())
        assert await minutes_until(hub, hub.process(app()), 252) == 0

    run(test)
