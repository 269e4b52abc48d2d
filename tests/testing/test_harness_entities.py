"""Entities in the harness: as they are, mocked, and what waits for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_ext import OrchestrationContext, Registry, TaskFailedError
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.records.entity_id import EntityId
from durable_ext.testing import Harness, WaitsForeverError, in_turn
from durable_ext.testing.scenario import StoreName

registry = Registry()
COUNTER = EntityId("Counter", "a")


def counter(context: EntityContext) -> int:
    total = context.get_state(lambda: 0) + context.get_input(int)
    context.set_state(total)
    return total


def length_of_operation(context: EntityContext) -> int:
    return len(context.operation)


async def count(ctx: OrchestrationContext, amount: int) -> int:
    return await ctx.call_entity(COUNTER, "add", amount)


async def hold(ctx: OrchestrationContext) -> None:
    async with ctx.lock_entities([COUNTER]):
        await ctx.wait_for_external_event("free")


registry.add_entity(counter)
registry.add_orchestrator(count)
registry.add_orchestrator(hold)


@pytest.mark.parametrize("store", ["sqlite", "azure"])
@pytest.mark.parametrize("doubled", [False, True])
def test_an_entity_counts(store: StoreName, doubled: bool) -> None:
    with Harness(registry, store=store, doubled=doubled) as hub:
        assert [hub.run(count, amount) for amount in (1, 2, 3)] == [1, 3, 6]
        hub.wait(hub.client.signal_entity(COUNTER, "add", 4))
        hub.restart()
        assert hub.run(count, 0) == 10
        hub.assert_replays()


def test_an_entity_has_another_outcome() -> None:
    with Harness(registry) as hub:
        hub.mock(counter, in_turn(7, ValueError("full"), lambda: 9))
        assert hub.run(count, 1) == 7
        with pytest.raises(TaskFailedError, match="full"):
            hub.run(count, 1)
        assert hub.run(count, 1) == 9
        hub.mock("counter", length_of_operation)
        assert hub.run(count, 1) == 3
        hub.unmock(counter)
        assert hub.run(count, 2) == 2


def test_who_waits_for_an_entity_says_so() -> None:
    with Harness(registry) as hub:
        holder = hub.start(hold)
        waiting = hub.start(count, 1)
        assert waiting.waits_for == ["entity '@counter@a' (add)"]
        with pytest.raises(WaitsForeverError, match="waits for entity '@counter@a'"):
            waiting.result(within=timedelta(days=1))
        holder.raise_event("free")
        assert waiting.result() == 1
