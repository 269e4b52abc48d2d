"""The known failures of the .NET Azure Storage provider at starts and commits, one named test each, on both stores.

Each docstring names the failure as its users know it and where it lies: 2.1 its starts, 2.2 its dequeueing, 2.3 its
filtering, 2.4 its order of writes, 2.5 its leases and timers, 2.6 its traps, 7 its issues.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.records.events import ContinuedAsNew, ExecutionStarted
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import (
    Delivery,
    StartExecution,
)
from durable_ext.testing.faults import Fault

from .engine import Process
from .hub import failing
from .known_failures import App
from .two_stores import AnyHub, on_both, run_on


async def _start_and_die(hub: AnyHub, process: Process, name: str, value: Any = None) -> None:
    """Start `x`, let a process that will fail deal with it, and kill it."""
    await process.client.start(name, value, instance_id="x")
    await process.handle(*await hub.take())
    await process.kill()
    await hub.leases_run_out()


@on_both
def test_known_activities_twice_after_a_crash_between_send_and_commit(store: str) -> None:
    """2.4: messages leave before history; a crash then sends them again, and activities run twice."""

    async def test(hub: AnyHub) -> None:
        app = App()
        await _start_and_die(hub, hub.process(app.registry, plan=failing("append")), "fan_out")
        assert app.ran == []
        assert [type(m.body) for d in await hub.take() for m in d.messages] == [StartExecution]
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == [0, 1, 2, 3]
        assert sorted(app.ran) == [0, 1, 2, 3]

    run_on(store, test)


@on_both
def test_known_split_brain_loser_has_sent_nothing(store: str) -> None:
    """2.4, 7.2: two workers run one instance; the loser of the race has already emitted its messages."""

    async def test(hub: AnyHub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("act_on_events", instance_id="x")
        await hub.settle(first)
        for value in ("a", "b"):
            await first.client.raise_event("x", "go", value)
        one, other = await hub.take()
        await asyncio.gather(first.handle(one), second.handle(other))
        assert first.provider.calls.count("append") + second.provider.calls.count("append") > 5, "they did not race"
        await hub.settle(first)
        assert sorted(await hub.output("x")) == ["a", "b"]
        assert sorted(app.ran) == ["a", "b"]
        await hub.check("x")
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_known_child_is_started_again_over_its_own_history(store: str) -> None:
    """2.1, 2.4, 7: a re-sent start of a child carries a new execution id and restarts it (ext#1947)."""

    async def test(hub: AnyHub) -> None:
        app = App()
        # It dies when the child is on its way, with the parent's start uncompleted.
        parent = hub.process(app.registry, plan=failing("complete"))
        await parent.client.start("parent", instance_id="x")
        (delivery,) = await hub.take()
        await parent.worker.drain(timedelta(0))
        await parent.handle(delivery)
        await parent.kill()
        await hub.settle(hub.process(app.registry))
        before = await hub.store.history("kid")
        assert before
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == "kid"
        assert (await hub.store.history("kid"))[: len(before)] == before
        assert app.ran == ["kid"]
        assert (await hub.row("kid")).execution.generation == 0
        await hub.check("kid")

    run_on(store, test)


@on_both
@pytest.mark.parametrize("verb", ["update_row", "complete"])
def test_known_external_event_is_delivered_twice(store: str, verb: str) -> None:
    """2.4, 7.13: EventRaised has no id; an event whose message comes back after the commit is handed out again."""

    async def test(hub: AnyHub) -> None:
        app = App()
        first = hub.process(app.registry)
        await first.client.start("two_events", instance_id="x")
        await hub.settle(first)
        second = hub.process(app.registry, plan=failing(verb))
        await second.client.raise_event("x", "go", 1)
        await second.handle(*await hub.take())
        await second.kill()
        await hub.leases_run_out()
        third = hub.process(app.registry)
        await hub.settle(third)
        assert not (await hub.status("x")).is_terminal, "one event was taken for two"
        await third.client.raise_event("x", "go", 2)
        await hub.settle(third)
        assert await hub.output("x") == [1, 2]
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_known_start_lost_between_queue_and_table(store: str) -> None:
    """2.1, 7.1: a crash between message and row loses the start after 17 minutes. Here the row is first."""

    async def test(hub: AnyHub) -> None:
        app = App()
        client = hub.process(app.registry, plan=failing("send"))
        with pytest.raises(Exception, match="send"):
            await client.client.start("act_once", instance_id="x")
        await client.kill()
        assert await hub.take() == []
        assert await hub.status("x") is RuntimeStatus.PENDING
        hub.process(app.registry).start()
        await hub.until(lambda: app.ended == ["once"], seconds=90)
        await hub.clock.sleep(1)
        assert await hub.output("x") == "once"

    run_on(store, test)


@on_both
def test_known_start_is_late_because_the_worker_is_faster_than_the_row(store: str) -> None:
    """2.1: a worker that is faster than the row puts the start off; again and again, up to 17 minutes."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        process.start()
        await asyncio.gather(*[process.client.start("act_once", instance_id=f"x{number}") for number in range(20)])
        await hub.until(lambda: len(app.ran) == 20, seconds=1)

    run_on(store, test)


@on_both
def test_known_two_clients_start_one_id_and_both_messages_are_sent(store: str) -> None:
    """2.1, 7: both clients send; which execution runs is settled later, by dedupe rules (ext#1730)."""

    async def test(hub: AnyHub) -> None:
        app = App()
        clients = [hub.process(app.registry).client for _ in range(4)]
        starts = [client.start("act_once", instance_id="x") for client in clients]
        results = await asyncio.gather(*starts, return_exceptions=True)
        assert sorted(type(one).__name__ for one in results) == ["InstanceExistsError"] * 3 + ["str"]
        assert len(await hub.take()) == 1
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert app.ran == ["once"]

    run_on(store, test)


# More than what the other provider writes in one batch.
_CARRIED = 120


async def _crash_while_carrying(hub: AnyHub, number: int, fault: Fault) -> bool:
    """Continue as new with many events while the process dies at its call with this number; whether there was one."""
    app = App()
    instance_id = f"x{number}-{fault.name}"
    first = hub.process(app.registry)
    await first.client.start("carry", False, instance_id=instance_id)
    await hub.settle(first)
    for value in range(_CARRIED):
        await first.client.raise_event(instance_id, "go", value)
    await first.client.raise_event(instance_id, "renew")
    dying: list[Process] = []

    counted = itertools.count()

    def plan(verb: str, _number: int) -> Fault:
        # When messages are completed, all that matters is written.
        if verb == "complete" or next(counted) < number:
            return Fault.NONE
        dying[0].provider.cut()
        return fault

    dying.append(hub.process(app.registry, plan=plan))
    deliveries = [delivery async for delivery in _all(hub)]
    await dying[0].handle(*deliveries)
    was_reached = dying[0].provider.is_cut
    await dying[0].kill()
    await hub.leases_run_out()
    await hub.settle(hub.process(app.registry))
    assert sorted(await hub.output(instance_id)) == list(range(_CARRIED))
    assert (await hub.row(instance_id)).execution.generation == 1
    await hub.check(instance_id)
    return was_reached


async def _all(hub: AnyHub) -> AsyncIterator[Delivery]:
    while deliveries := await hub.take():
        for delivery in deliveries:
            yield delivery


@on_both
@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_known_partial_checkpoint_at_continue_as_new(store: str, fault: Fault) -> None:
    """2.4: a checkpoint in several batches; after a crash in between, over 97 carried events are stuck (ext#332)."""

    async def test(hub: AnyHub) -> None:
        number = 0
        while await _crash_while_carrying(hub, number, fault):
            number += 1
        assert number > 3

    run_on(store, test)


@on_both
def test_known_continue_as_new_keeps_the_last_generation_only(store: str) -> None:
    """2.5: continue-as-new loops inside one work item; what happened in between is written nowhere."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("renew", 5, instance_id="x")
        await hub.settle(process)
        assert await hub.output("x") == "renewed"
        row = await hub.row("x")
        assert row.execution.generation == 5
        ids = [row.execution.execution_id]
        while len(ids) < 7:
            (started, *_), *_ = [turn.events for turn in await hub.store.history("x", ids[-1])]
            assert isinstance(started, ExecutionStarted)
            if started.previous is None:
                break
            ids.append(started.previous)
        assert len(set(ids)) == 6
        assert isinstance((await hub.store.history("x", ids[1]))[-1].events[-1], ContinuedAsNew)

    run_on(store, test)


@on_both
@pytest.mark.parametrize("says", [RuntimeStatus.PENDING, RuntimeStatus.RUNNING])
def test_known_status_stays_stale_for_ever(store: str, says: RuntimeStatus) -> None:
    """2.4, 7.1: history right, Instances row Pending or Running for ever, no message left to repair it (dt#561)."""

    async def test(hub: AnyHub) -> None:
        app = App()
        first = hub.process(app.registry)
        await first.client.start("two_events", instance_id="x")
        if says is RuntimeStatus.RUNNING:
            await hub.settle(first)
        for value in (1, 2):
            await first.client.raise_event("x", "go", value)
        dying = hub.process(app.registry, plan=lambda verb, _: Fault.BEFORE if verb == "update_row" else Fault.NONE)
        await dying.handle(*await hub.take())
        await dying.kill()
        for delivery in await _again(hub):
            await hub.store.complete(delivery)
        assert await hub.status("x") is says
        process = hub.process(app.registry)
        process.start()
        await hub.clock.sleep(600)
        assert await hub.output("x") == [1, 2]
        await hub.check("x")

    run_on(store, test)


async def _again(hub: AnyHub) -> list[Delivery]:
    await hub.leases_run_out()
    return await hub.take()


@on_both
def test_known_stalled_worker_writes_an_old_status_over_a_newer_one(store: str) -> None:
    """2.4: a loser that slept writes its row without an etag: a finished instance is Running again."""

    async def test(hub: AnyHub) -> None:
        app = App()
        slow, quick = hub.process(app.registry), hub.process(app.registry)
        await slow.client.start("two_events", instance_id="x")
        await hub.settle(slow)
        await slow.client.raise_event("x", "go", 1)
        first = await hub.take()

        def stall(verb: str, _number: int) -> Fault:
            if verb == "update_row" and sleeper.provider.calls.count(verb) == 1:
                sleeper.provider.stall()
            return Fault.NONE

        sleeper = hub.process(app.registry, plan=stall)
        sleeper.begin(*first)
        await hub.until(lambda: "update_row" in sleeper.provider.calls)
        await quick.client.raise_event("x", "go", 2)
        await hub.settle(quick)
        assert await hub.output("x") == [1, 2]
        sleeper.provider.resume()
        await hub.clock.sleep(5)
        assert await hub.output("x") == [1, 2]
        await hub.check("x")

    run_on(store, test)
