"""A start that replaces an instance which runs: the new execution is the instance, and nothing of the old one comes to
it (P9). Locks that the old one held are released."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceExistsError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RaiseEvent, StartExecution
from durable_ext.worker.client import StartOptions
from durable_ext.worker.session import ATTEMPTS_HERE

from .engine import Process, pause
from .two_stores import AnyHub, on_both, run_on

_HOUR = timedelta(hours=1)
_ANY = StartOptions(replace=frozenset(RuntimeStatus))
_TALLY = "@tally@a"


@dataclass
class Tally:
    total: int = 0

    def add(self, number: int) -> int:
        self.total += number
        return self.total


async def slow(value: str) -> str:
    await pause(60)
    return value


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def busy(ctx: OrchestrationContext, value: str) -> list[Any]:
    """An activity, a child, a timer and an event, all under the same numbers in either execution."""
    child = ctx.call_sub_orchestrator(listen, instance_id=f"child of {value}")
    done = await asyncio.gather(ctx.call_activity(slow, value), ctx.create_timer(timedelta(minutes=2)))
    return [done[0], await child, await ctx.wait_for_external_event("go")]


async def deaf(ctx: OrchestrationContext) -> list[Any]:
    first = await ctx.wait_for_external_event("go")
    await ctx.call_activity(grumble, first)
    return [first, await ctx.wait_for_external_event("go")]


async def grumble(value: str) -> None:
    if value in deafened:
        raise ValueError(value)


deafened: set[str] = set()


async def mother(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator(listen, instance_id="x")


async def holder(ctx: OrchestrationContext, waits: bool) -> int:
    async with ctx.lock_entities([_TALLY]):
        if waits:
            await ctx.wait_for_external_event("never")
        return await ctx.call_entity(_TALLY, "add", 1)


def app() -> Registry:
    registry = Registry()
    registry.add_activity(slow)
    registry.add_activity(grumble)
    registry.add_entity(Tally, "tally")
    for orchestrator in (listen, busy, holder, deaf, mother):
        registry.add_orchestrator(orchestrator)
    return registry


@on_both
@pytest.mark.parametrize("seconds", [1, 90])
def test_nothing_of_the_old_execution_comes_to_the_new_one(store: str, seconds: int) -> None:
    """Its children go on; who does not want that terminates it first."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("busy", "old", instance_id="x")
        await hub.clock.sleep(1)
        await client.wait_for_start("child of old", _HOUR)
        await hub.clock.sleep(seconds)
        await client.start("busy", "new", instance_id="x", options=_ANY)
        await hub.clock.sleep(1)
        await client.wait_for_start("child of new", _HOUR)
        await client.raise_event("child of old", "go", "from the old child")
        await hub.clock.sleep(300)
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await client.raise_event("child of new", "go", "from the new child")
        await client.raise_event("x", "go", "event")
        ended = await client.wait_for_completion("x", _HOUR)
        assert ended.output == ["new", "from the new child", "event"]
        assert [one.input for one in await client.executions("x")] == ["old", "new"]
        assert (await client.wait_for_completion("child of old", _HOUR)).output == "from the old child"
        assert not await hub.left()
        await hub.check("x")

    run_on(store, test)


async def _starts_again(process: Process, _hub: AnyHub) -> None:
    await process.client.start("listen", instance_id="x")


async def _rewinds(process: Process, _hub: AnyHub) -> None:
    await process.client.rewind("x")


async def _has_it_as_a_child(process: Process, hub: AnyHub) -> None:
    await process.client.start("mother", instance_id="mother")
    start = await hub.take_one(StartExecution)
    await process.handle(msgspec.structs.replace(start, dequeue_count=ATTEMPTS_HERE + 1))  # so it goes by queue


async def _starts_it_and_dies(process: Process, hub: AnyHub) -> None:
    await _starts_again(process, hub)
    await hub.store.complete(await hub.take_one(StartExecution))
    await hub.clock.sleep(60)
    await process.worker.tidy()


@on_both
@pytest.mark.parametrize("begins", [_starts_again, _rewinds, _has_it_as_a_child, _starts_it_and_dies])
def test_an_event_that_comes_back_with_the_next_start_is_known(
    store: str, begins: Callable[[Process, AnyHub], Coroutine[Any, Any, None]]
) -> None:
    """P7: what earlier executions consumed is looked up before the next one has a history of its own."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        deafened.add("once")
        await process.client.start("deaf", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go", "once")
        event = await hub.take_one(RaiseEvent)
        await process.worker.process(event)
        assert await hub.status("x") is RuntimeStatus.FAILED
        deafened.clear()
        await begins(process, hub)
        known = [one.runtime_status for one in await process.client.executions("x")]
        pending = [] if begins is _has_it_as_a_child else [RuntimeStatus.PENDING]  # a child's row is its worker's
        assert known == [RuntimeStatus.FAILED, *pending]
        await hub.leases_run_out()
        comes_back = await hub.take()
        assert len(comes_back) == 2
        await process.handle(*comes_back)
        await hub.settle(process)
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await process.client.raise_event("x", "go", "again")
        await hub.settle(process)
        assert await hub.output("x") == (["once", "again"] if begins is _rewinds else "again")

    run_on(store, test)


@on_both
@pytest.mark.parametrize("cleaned", [False, True])
def test_the_lock_of_the_old_execution_is_released(store: str, cleaned: bool) -> None:
    """By the janitor some minutes later, or at once by `clean_entities`. The new execution waits for it."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("holder", True, instance_id="x")
        await hub.clock.sleep(10)
        await client.start("holder", False, instance_id="x", options=_ANY)
        await hub.clock.sleep(10)
        if cleaned:
            assert (await client.clean_entities()).released == 1
        else:
            for _ in range(10):
                await hub.clock.sleep(60)
                await process.worker.tidy()
        assert (await client.wait_for_completion("x", timedelta(minutes=1))).output == 1
        found = await client.read_entity(_TALLY)
        assert found is not None
        assert (found.locked_by, found.waiting) == ("", 0)

    run_on(store, test)


@on_both
def test_the_lock_of_the_new_execution_is_its_own(store: str) -> None:
    """A holder that was started several times is not over."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("holder", False, instance_id="x")
        await client.wait_for_completion("x", _HOUR)
        await client.start("holder", True, instance_id="x")
        await hub.clock.sleep(10)
        assert (await client.clean_entities()).released == 0
        for _ in range(10):
            await hub.clock.sleep(60)
            await process.worker.tidy()
        found = await client.read_entity(_TALLY)
        assert found is not None
        assert found.locked_by == "x"

    run_on(store, test)


@on_both
@pytest.mark.parametrize("status", [RuntimeStatus.RUNNING, RuntimeStatus.SUSPENDED, RuntimeStatus.TERMINATED])
def test_only_the_statuses_that_are_named_may_be_replaced(store: str, status: RuntimeStatus) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("listen", instance_id="x")
        await client.wait_for_start("x", _HOUR)
        if status is RuntimeStatus.SUSPENDED:
            await client.suspend("x")
        elif status is RuntimeStatus.TERMINATED:
            await client.terminate("x")
        await client.wait_until("x", lambda row: row.status is status, _HOUR)
        others = StartOptions(replace=frozenset(RuntimeStatus) - {status})
        with pytest.raises(InstanceExistsError, match=f"is {status.value}") as refused:
            await client.start("listen", instance_id="x", options=others)
        assert refused.value.status is status
        await client.start("listen", instance_id="x", options=StartOptions(replace=frozenset({status})))
        await client.raise_event("x", "go", "new")
        ended = await client.wait_for_completion("x", _HOUR)
        assert (ended.runtime_status, ended.output) == (RuntimeStatus.COMPLETED, "new")

    run_on(store, test)
