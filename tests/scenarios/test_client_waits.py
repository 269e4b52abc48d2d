"""A client waits for the start, the end, a custom status or an event of an instance that another process works on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceNotFoundError, InstanceStateError, InvalidInputError, PayloadError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Delivery
from durable_ext.testing.injection import Fault
from durable_ext.worker.client import Client, StartOptions

from .engine import LEASE, Process
from .two_stores import AnyHub, on_both, run_on

_SOON = timedelta(seconds=30)
_LONG = timedelta(hours=2)


class Broken:
    """Whether the activity fails."""

    def __init__(self) -> None:
        self.now = True


class Here:
    """Takes what its process starts, as the pump of a host does (S4)."""

    lease = LEASE

    def __init__(self, process: Process) -> None:
        self._process = process

    def has_room(self) -> bool:
        return True

    def adopt(self, delivery: Delivery) -> None:
        self._process.begin(delivery)


def app(broken: Broken | None = None) -> Registry:
    registry = Registry()

    async def fragile() -> None:
        if broken is not None and broken.now:
            raise ValueError("broken")

    async def order(ctx: OrchestrationContext) -> str:
        ctx.set_custom_status("packing")
        await ctx.wait_for_external_event("packed")
        ctx.set_custom_status({"on": "its way"})
        await ctx.call_activity(fragile)
        await ctx.wait_for_external_event("delivered")
        return "done"

    async def eternal(ctx: OrchestrationContext, round_: int) -> None:
        """Leaves events behind for the next execution: it takes one each time."""
        await ctx.wait_for_external_event("tick")
        ctx.continue_as_new(round_ + 1)

    registry.add_activity(fragile)
    registry.add_orchestrator(order)
    registry.add_orchestrator(eternal)
    return registry


@on_both
@pytest.mark.parametrize("elsewhere", [True, False])
def test_each_stage_of_an_instance(store: str, elsewhere: bool) -> None:
    """In the process that works on it, and in one that only asks."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = hub.process(app()).client if elsewhere else process.client
        options = StartOptions(start_at=hub.clock() + timedelta(minutes=1))
        await client.start("order", instance_id="x", options=options)
        assert (await client.wait_for_start("x", _LONG)).runtime_status is RuntimeStatus.RUNNING
        assert (await client.wait_for_custom_status("x", lambda status: status == "packing", _SOON)).output is None
        waits = [
            asyncio.create_task(client.wait_for_custom_status("x", lambda status: isinstance(status, dict), _LONG)),
            asyncio.create_task(client.wait_for_event("x", "delivered", _LONG, int)),
            asyncio.create_task(client.wait_for_completion("x", _LONG)),
        ]
        await hub.clock.sleep(300)
        assert not any(wait.done() for wait in waits)
        await client.raise_event("x", "packed", {"by": "Ada"})
        assert await client.wait_for_event("x", "packed", _SOON) == {"by": "Ada"}
        assert (await waits[0]).custom_status == {"on": "its way"}
        assert not waits[1].done()
        await client.raise_event("x", "delivered", 7)
        assert await waits[1] == 7
        assert (await waits[2]).output == "done"
        assert (await client.wait_for_start("x", _SOON)).output == "done"
        assert await client.wait_for_event("x", "packed", _SOON) == {"by": "Ada"}

    run_on(store, test)


def until_it_starts(client: Client, instance_id: str) -> Awaitable[Any]:
    return client.wait_for_start(instance_id, _SOON)


def until_it_ends(client: Client, instance_id: str) -> Awaitable[Any]:
    return client.wait_for_completion(instance_id, _SOON)


def until_it_says_so(client: Client, instance_id: str) -> Awaitable[Any]:
    return client.wait_for_custom_status(instance_id, lambda status: status == "never", _SOON)


def until_the_event(client: Client, instance_id: str) -> Awaitable[Any]:
    return client.wait_for_event(instance_id, "never", _SOON)


@on_both
@pytest.mark.parametrize("wait", [until_it_starts, until_it_ends, until_it_says_so, until_the_event])
def test_in_vain(store: str, wait: Callable[[Client, str], Awaitable[Any]]) -> None:
    """After the time that was given, and not later; at once for an id that nobody has."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        options = StartOptions(start_at=hub.clock() + _LONG)
        await process.client.start("order", instance_id="x", options=options)
        before = hub.clock()
        with pytest.raises(TimeoutError):
            await wait(process.client, "x")
        assert _SOON <= hub.clock() - before < _SOON * 1.1
        before = hub.clock()
        with pytest.raises(InstanceNotFoundError):
            await wait(process.client, "nobody")
        assert hub.clock() - before < timedelta(seconds=3)

    run_on(store, test)


@on_both
@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_has_happened_already_is_not_waited_for(store: str, elsewhere: bool) -> None:
    """Five are started; each is waited for when it has begun and when it has ended: nobody waits for a poll."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app(Broken()))
        process.client.local = Here(process)
        process.start()
        client = hub.process(app()).client if elsewhere else process.client
        ids = [await process.client.start("order", instance_id=f"x-{number}") for number in range(5)]
        await hub.clock.sleep(0.5)
        before = hub.clock()
        for instance_id in ids:
            assert (await client.wait_for_start(instance_id, _SOON)).custom_status == "packing"
            await client.raise_event(instance_id, "packed")
        await hub.clock.sleep(0.5)
        for instance_id in ids:
            assert (await client.wait_for_completion(instance_id, _SOON)).runtime_status is RuntimeStatus.FAILED
        assert hub.clock() - before < timedelta(seconds=0.6)

    run_on(store, test)


@on_both
def test_an_event_to_an_instance_at_work_here_is_put_and_dealt_with_here(store: str) -> None:
    """Nobody looks whether the instance is there, and nobody polls for the event; one that has ended is refused."""

    async def test(hub: AnyHub) -> None:
        calls: list[str] = []

        def noted(call: str, _number: int) -> Fault:
            calls.append(call)
            return Fault.NONE

        process = hub.process(app(Broken()), plan=noted)
        client = process.client
        client.local = Here(process)
        await client.start("order", instance_id="x")
        await client.wait_for_start("x", _SOON)
        await hub.clock.sleep(0.1)
        calls.clear()
        await client.raise_event("x", "packed")
        assert (await client.wait_for_completion("x", _SOON)).runtime_status is RuntimeStatus.FAILED
        await hub.clock.sleep(0.1)
        # The activity and the end of the instance are commits of their own.
        assert sorted(calls) == ["append"] * 2 + ["complete", "reserve", "update_row"]
        with pytest.raises(InstanceStateError, match="has ended"):
            await client.raise_event("x", "packed")
        with pytest.raises(InstanceNotFoundError):
            await client.raise_event("nobody", "packed")

    run_on(store, test)


@on_both
def test_what_rested_here_for_long_is_looked_up_before_an_event_is_sent(store: str) -> None:
    """Another process may have ended it meanwhile."""

    async def test(hub: AnyHub) -> None:
        process, other = hub.process(app(Broken())), hub.process(app(Broken()))
        process.client.local, other.client.local = Here(process), Here(other)
        await process.client.start("order", instance_id="x")
        await process.client.wait_for_start("x", _SOON)
        await hub.clock.sleep(120)
        await other.client.raise_event("x", "packed")
        await other.client.wait_for_completion("x", _SOON)
        with pytest.raises(InstanceStateError, match="has ended"):
            await process.client.raise_event("x", "packed")

    run_on(store, test)


@on_both
def test_a_row_that_comes_while_nobody_listens_is_kept_for_who_follows_the_changes(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app(Broken()))
        process.client.local = Here(process)
        process.start()
        await process.client.start("order", instance_id="x")
        changes = process.client.changes("x")
        assert (await anext(changes)).custom_status == "packing"
        await process.client.raise_event("x", "packed")
        await hub.clock.sleep(0.5)
        before = hub.clock()
        assert (await anext(changes)).runtime_status is RuntimeStatus.FAILED
        assert hub.clock() - before < timedelta(seconds=0.05)
        await changes.aclose()

    run_on(store, test)


@on_both
def test_the_end_ends_every_wait(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("order", instance_id="x")
        await client.wait_for_start("x", _SOON)
        waiting = asyncio.create_task(client.wait_for_event("x", "packed", _LONG))
        saying = asyncio.create_task(client.wait_for_custom_status("x", lambda status: status == "never", _LONG))
        await hub.clock.sleep(10)
        await client.terminate("x", "enough")
        assert (await saying).output == "enough"
        with pytest.raises(InstanceStateError, match="no event 'packed'"):
            await waiting

    run_on(store, test)


@on_both
def test_an_event_is_seen_that_another_execution_has_taken(store: str) -> None:
    """Between two looks the instance continues as new, more than once."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        client = hub.process(app()).client
        await client.start("eternal", 0, instance_id="x")
        await hub.settle(process)
        other = asyncio.create_task(client.wait_for_event("x", "other", _LONG))
        ticking = asyncio.create_task(client.wait_for_event("x", "tick", _LONG))
        await hub.clock.sleep(1)
        for name, data in (("tick", "a"), ("other", "b"), ("tick", "c"), ("tick", "d")):
            await client.raise_event("x", name, data)
            await hub.settle(process)
        assert (await hub.row("x")).execution.generation == 3
        assert [await ticking, await other] == ["a", "b"]
        assert await client.wait_for_event("x", "other", _SOON) == "b", "handed on, it comes again"
        with pytest.raises(TimeoutError):
            await client.wait_for_event("x", "tick", _SOON)

    run_on(store, test)


@on_both
def test_what_a_rewind_keeps_has_come(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        broken = Broken()
        process = hub.process(app(broken))
        process.start()
        client = process.client
        await client.start("order", instance_id="x")
        await client.raise_event("x", "packed", 1)
        await client.wait_for_completion("x", _LONG)
        broken.now = False
        await client.rewind("x")
        await client.wait_for_start("x", _SOON)
        assert await client.wait_for_event("x", "packed", _SOON) == 1

    run_on(store, test)


def test_wrong_waits() -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("order", instance_id="x")
        await client.raise_event("x", "packed", "text")
        with pytest.raises(PayloadError):
            await client.wait_for_event("x", "packed", _SOON, int)
        with pytest.raises(InvalidInputError):
            await client.wait_for_event("x", "", _SOON)

    run_on("sqlite", test)
