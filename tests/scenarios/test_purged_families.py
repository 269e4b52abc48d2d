"""Purges of many: an instance with its children of whichever execution, and what matches a filter (P10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance import samples
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.client import Client, StartOptions
from durable_ext.worker.projection import Projector
from durable_ext.worker.signals import Signals

from .engine import Process
from .hub import Hub
from .two_stores import AnyHub, on_both, run_on

_LONG = timedelta(minutes=20)
_PRUNED = timedelta(days=16)


async def child(ctx: OrchestrationContext, _: Any = None) -> str:
    return ctx.instance_id


async def waiting(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def eternal(ctx: OrchestrationContext, rounds: int) -> int:
    """A child in each execution; the last one waits before it ends."""
    await ctx.call_sub_orchestrator(child, rounds)
    if rounds > 0:
        ctx.continue_as_new(rounds - 1)
        return 0
    ctx.start_new_orchestration(child, instance_id=f"detached of {ctx.instance_id}")
    ctx.set_custom_status("waits")
    await ctx.wait_for_external_event("go")
    return rounds


async def nested(ctx: OrchestrationContext, ids: list[str]) -> int:
    """Calls itself under the first of the ids, with the rest of them."""
    if ids:
        await ctx.call_sub_orchestrator(nested, ids[1:], instance_id=ids[0])
    return len(ids)


async def impatient(ctx: OrchestrationContext) -> None:
    """Ends while a child of it waits."""
    ctx.call_sub_orchestrator(waiting, instance_id="waiting")
    await ctx.call_sub_orchestrator(child, instance_id="done")


def _registry() -> Registry:
    names = Registry()
    for orchestrator in (child, waiting, eternal, nested, impatient):
        names.add_orchestrator(orchestrator)
    return names


async def _ids(client: Client) -> list[str]:
    return [one.instance_id async for one in client.list()]


async def _eternal(hub: Hub, process: Process, instance_id: str = "x") -> None:
    """Three executions, each with a child, the last one at its wait."""
    await process.client.start("eternal", 2, instance_id=instance_id)
    await process.client.wait_until(instance_id, lambda row: row.custom_status is not None, _LONG)
    await process.client.wait_for_completion(f"detached of {instance_id}", _LONG)


async def _end(process: Process, instance_id: str = "x") -> None:
    await process.client.raise_event(instance_id, "go")
    await process.client.wait_for_completion(instance_id, _LONG)


@on_both
def test_the_children_of_all_executions_go_with_their_instance(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(_registry())
        process.start()
        await _eternal(hub, process)
        await _end(process)
        assert len(await _ids(process.client)) == 5
        assert await process.client.purge("x", recursive=True)
        assert await _ids(process.client) == ["detached of x"]

    run_on(store, test)


@on_both
def test_the_children_of_an_instance_that_was_replaced_go_too(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(_registry())
        process.start()
        await process.client.start("nested", ["a", "b"], instance_id="x")
        await process.client.wait_for_completion("x", _LONG)
        await process.client.start("nested", ["c"], instance_id="x")
        await process.client.wait_for_completion("x", _LONG)
        assert await _ids(process.client) == ["a", "b", "c", "x"]
        assert await process.client.purge_matching(InstanceFilter(id_prefix="x"), recursive=True) == 1
        assert await _ids(process.client) == []

    run_on(store, test)


@on_both
def test_the_children_of_a_rewound_instance_go_too(store: str) -> None:
    """The failed execution had one that the next, whose code is another, does not ask for."""

    async def test(hub: AnyHub) -> None:
        async def first(ctx: OrchestrationContext) -> None:
            await ctx.call_sub_orchestrator("child", instance_id="a")
            raise ValueError("not yet")

        async def second(ctx: OrchestrationContext) -> None:
            await ctx.call_sub_orchestrator("child", instance_id="a")
            await ctx.call_sub_orchestrator("child", instance_id="b")

        for code, end in ((first, RuntimeStatus.FAILED), (second, RuntimeStatus.COMPLETED)):
            names = _registry()
            names.add_orchestrator(code, name="mended")
            process = hub.process(names)
            process.start()
            if end is RuntimeStatus.FAILED:
                await process.client.start("mended", instance_id="x")
            else:
                await process.client.rewind("x")
            status = await process.client.wait_for_completion("x", _LONG)
            assert status.runtime_status is end
            await process.stop()
        client = hub.process(_registry()).client
        assert await client.purge("x", recursive=True)
        assert await _ids(client) == []

    run_on(store, test)


@on_both
def test_children_of_pruned_executions_are_found_by_their_rows(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(_registry())
        process.start()
        for instance_id in ("x", "xy", 'x","'):
            await _eternal(hub, process, instance_id)
        first = (await process.client.executions("x"))[0].row.execution.execution_id
        await process.stop()  # nobody polls for sixteen days
        await hub.clock.sleep(_PRUNED.total_seconds())
        process = hub.process(_registry())
        process.start()
        for _ in range(30):  # a page of rows a round
            await process.worker.tidy()
        assert not await hub.store.history("x", first)
        for instance_id in ("x", "xy", 'x","'):
            await _end(process, instance_id)
        before = await _ids(process.client)
        assert await process.client.purge("x", recursive=True)
        gone = set(before) - set(await _ids(process.client))
        assert len(gone) == 4
        assert "detached of x" not in gone
        assert await process.client.purge('x","', recursive=True)
        assert len(await _ids(process.client)) == len(before) - 8

    run_on(store, test)


@on_both
def test_a_slow_writer_of_a_purged_execution_leaves_the_new_row(store: str) -> None:
    """The id begins at generation 0 again; the old row is further by its numbers (P8)."""

    async def test(hub: AnyHub) -> None:
        old, new = samples.execution("x", 5, "old"), samples.execution("x", 0, "new")
        slow = samples.row(old, hub.clock(), status=RuntimeStatus.RUNNING, turn=0)
        etag = await hub.store.create_row(slow)
        await hub.store.append(samples.last_turn(old, 0, hub.clock()))
        ended = msgspec.structs.replace(slow, status=RuntimeStatus.COMPLETED)
        await hub.store.update_row(ended, etag)
        await hub.store.purge(ended)
        await hub.store.create_row(samples.row(new, hub.clock()))
        assert await Projector(hub.store, Signals()).write(slow, etag) == ""
        assert (await hub.row("x")).execution == new

    run_on(store, test)


@on_both
def test_a_child_that_has_not_ended_stays(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(_registry())
        process.start()
        await process.client.start("impatient", instance_id="x")
        await process.client.wait_for_completion("x", _LONG)
        assert await process.client.purge("x", recursive=True)
        assert await _ids(process.client) == ["waiting"]

    run_on(store, test)


@on_both
def test_an_id_that_is_its_own_grandchild(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(_registry())
        process.start()
        await process.client.start("nested", ["b"], instance_id="a")
        await process.client.wait_for_completion("a", _LONG)
        await process.client.start("nested", ["a"], instance_id="b", options=StartOptions())
        await process.client.wait_for_completion("b", _LONG)
        assert await process.client.purge("b", recursive=True)
        assert await _ids(process.client) == []

    run_on(store, test)


class Slow(SqliteProvider):
    """Counts the purges under way, each of which takes a second; one of them fails."""

    under_way = most = done = 0
    fails = ""

    async def purge(self, row: InstanceRow, *, etag: str | None = None) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self._sleep(1)
            if row.instance_id == self.fails:
                raise StorageUnavailableError("storage is busy")
            await super().purge(row, etag=etag)
            self.done += 1
        finally:
            self.under_way -= 1

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(":memory:", partitions=1, clock=clock)
        self._sleep = clock.sleep


@pytest.mark.parametrize("recursive", [False, True])
def test_many_are_purged_at_once_and_not_too_many(recursive: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        store = Slow(clock)
        await store.create_hub()
        hub = Hub(clock, store)
        process = hub.process(_registry())
        for number in range(130):
            await process.client.start("child", instance_id=f"i{number:03}")
        await hub.settle(process)
        begun = clock()
        assert await process.client.purge_matching(InstanceFilter(), recursive=recursive) == 130
        assert store.most == 16
        assert clock() - begun < timedelta(seconds=12)
        assert await _ids(process.client) == []
        await hub.close()

    virtual_time.run(main)


def test_the_first_failure_ends_a_purge_of_many() -> None:
    async def main(clock: VirtualClock) -> None:
        store = Slow(clock)
        await store.create_hub()
        hub = Hub(clock, store)
        process = hub.process(_registry())
        for number in range(50):
            await process.client.start("child", instance_id=f"i{number:03}")
        await hub.settle(process)
        store.fails = "i017"
        with pytest.raises(StorageUnavailableError):
            await process.client.purge_matching(InstanceFilter())
        left = 50 - store.done
        assert left > 1
        store.fails = ""
        assert await process.client.purge_matching(InstanceFilter()) == left
        assert await _ids(process.client) == []
        await hub.close()

    virtual_time.run(main)
