"""What clients see of the values of instances and of their custom status, on both stores."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceNotFoundError, InstanceStateError, PayloadError

from .two_stores import AnyHub, on_both, run_on

_SOON = timedelta(seconds=30)


def app() -> Registry:
    registry = Registry()
    for orchestrator in (basket, eternal, reader):
        registry.add_orchestrator(orchestrator)
    return registry


async def basket(ctx: OrchestrationContext) -> str:
    """Keeps what it is told to."""
    while True:
        item = await ctx.wait_for_external_event("item", str)
        if item == "done":
            return "done"
        ctx.set_value(item, len(ctx.values))
        ctx.set_custom_status(item)


async def eternal(ctx: OrchestrationContext, round_: int) -> None:
    ctx.set_value(f"round {round_}", round_)
    ctx.set_value("last", round_)
    ctx.set_custom_status(round_)
    await ctx.wait_for_external_event("tick")
    ctx.continue_as_new(round_ + 1)


async def reader(ctx: OrchestrationContext, other: str) -> list[Any]:
    first = await ctx.get_value_of(other, "last", int)
    await ctx.wait_for_external_event("again")
    return [first, await ctx.get_value_of(other, "last"), await ctx.get_value_of("unknown", "last")]


@on_both
def test_a_client_reads_and_waits(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        client = process.client
        await client.start("basket", instance_id="b")
        await hub.settle(process)
        assert await client.get_values("b") == {}
        waiting = asyncio.create_task(client.wait_for_value("b", "pear", _SOON, int))
        for item in ("apple", "pear"):
            await client.raise_event("b", "item", item)
            await hub.settle(process)
        assert await waiting == 1
        assert await client.get_values("b") == {"apple": 0, "pear": 1}
        assert await client.get_value("b", "apple", int) == 0
        assert await client.get_value("b", "plum", int, 7) == 7
        assert await client.get_value("unknown", "apple") is None
        assert await client.get_values("unknown") == {}
        with pytest.raises(PayloadError):
            await client.get_value("b", "apple", str)
        await client.raise_event("b", "item", "done")
        await hub.settle(process)
        assert await client.get_value("b", "pear") == 1, "an instance that has ended keeps them"
        with pytest.raises(InstanceStateError, match="'plum'"):
            await client.wait_for_value("b", "plum", _SOON)
        with pytest.raises(InstanceNotFoundError):
            await client.wait_for_value("unknown", "plum", _SOON)
        await client.purge("b")
        assert await client.get_values("b") == {}

    run_on(store, test)


@on_both
def test_values_outlive_pruned_executions(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        client = process.client
        await client.start("eternal", 0, instance_id="e")
        await hub.settle(process)
        for _ in range(3):
            await client.raise_event("e", "tick")
            await hub.settle(process)
        await hub.store.prune("e", below_generation=3, older_than=hub.clock() + _SOON)
        await process.kill()
        other = hub.process(app())
        await other.client.raise_event("e", "tick")
        await hub.settle(other)
        kept = {f"round {number}": number for number in range(5)} | {"last": 4}
        assert await other.client.get_values("e") == kept

    run_on(store, test)


@on_both
def test_a_value_of_another_instance_is_recorded(store: str) -> None:
    """What the other one keeps changes; what was read stays, also at the replay in another process."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        await process.client.start("eternal", 5, instance_id="e")
        await process.client.start("reader", "e", instance_id="r")
        await hub.settle(process)
        await process.client.raise_event("e", "tick")
        await hub.settle(process)
        await process.kill()
        other = hub.process(app())
        await other.client.raise_event("r", "again")
        await hub.settle(other)
        assert await hub.output("r") == [5, 6, None]

    run_on(store, test)


@on_both
def test_changes_of_the_custom_status_are_waited_for_by_number(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        client = process.client
        await client.start("basket", instance_id="b")
        await hub.settle(process)
        status = await client.get("b")
        assert status is not None
        assert (status.custom_status, status.custom_status_version) == (None, 0)
        for number, item in enumerate(("apple", "apple", "pear")):
            waiting = asyncio.create_task(client.wait_for_custom_status_change("b", number, _SOON))
            await hub.clock.sleep(5)
            assert not waiting.done()
            await client.raise_event("b", "item", item)
            await hub.settle(process)
            status = await waiting
            assert (status.custom_status, status.custom_status_version) == (item, number + 1)
        assert (await client.wait_for_custom_status_change("b", 0, _SOON)).custom_status_version == 3
        with pytest.raises(TimeoutError):
            await client.wait_for_custom_status_change("b", 3, _SOON)
        await client.raise_event("b", "item", "done")
        await hub.settle(process)
        ended = await client.wait_for_custom_status_change("b", 3, _SOON)
        assert (ended.runtime_status.is_terminal, ended.custom_status_version) == (True, 3)
        with pytest.raises(InstanceNotFoundError):
            await client.wait_for_custom_status_change("unknown", 0, _SOON)

    run_on(store, test)


@on_both
def test_the_number_counts_on_over_executions(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        await process.client.start("eternal", 0, instance_id="e")
        for expected in (1, 2, 3):
            await hub.settle(process)
            assert (await hub.row("e")).status_changes == expected
            await process.client.raise_event("e", "tick")
        await process.kill()
        other = hub.process(app())
        await hub.settle(other)
        assert (await hub.row("e")).status_changes == 4
        await hub.check("e")

    run_on(store, test)
