"""A terminated entity: its state goes, whoever waits is told, and what comes next makes it anew (P11)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import EntityLockLostError, TaskFailedError
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import stored
from durable_ext.records.versions import VersionFailure
from durable_ext.worker.settings import WorkerSettings

from .entity_orchestrations import COUNTER, counter
from .quarantined import MOST
from .two_stores import AnyHub, on_both, run_on

_COUNTER = "@counter@one"


def app(*, with_entity: bool = True) -> Registry:
    registry = Registry()
    if with_entity:
        registry.add_entity(counter, name="counter")
    for orchestrator in (holding, asking):
        registry.add_orchestrator(orchestrator)
    return registry


async def holding(ctx: OrchestrationContext) -> Any:
    async with ctx.lock_entities([COUNTER]):
        await ctx.wait_for_external_event("go")
        return await _ask(ctx)


async def asking(ctx: OrchestrationContext) -> Any:
    return await _ask(ctx)


async def _ask(ctx: OrchestrationContext) -> Any:
    try:
        return await ctx.call_entity(COUNTER, "add", 1)
    except TaskFailedError as error:
        return "lost" if error.failure.is_caused_by(EntityLockLostError) else error.failure.message


@on_both
def test_whoever_waits_for_an_entity_hears_that_it_was_terminated(store: str) -> None:
    """A caller by a failure; who waits for the lock gets it, and its calls fail, as those of the holder do."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        client = process.client
        await client.signal_entity(_COUNTER, "add", 40)
        for name, instance_id in (("holding", "holder"), ("asking", "caller"), ("holding", "next")):
            await client.start(name, instance_id=instance_id)
            await hub.settle(process)
        found = await client.read_entity(_COUNTER)
        assert found is not None
        assert (found.waiting, found.locked_by) == (2, "holder")
        await client.terminate(_COUNTER, "broken")
        await hub.settle(process)
        assert await hub.output("caller") == "the entity was terminated: broken"
        found = await client.read_entity(_COUNTER)
        assert found is not None
        assert (found.exists, found.waiting, found.locked_by) == (False, 0, "")
        row = await hub.row(_COUNTER)
        assert (row.status, row.execution.generation) == (RuntimeStatus.TERMINATED, 0)
        for waiter in ("holder", "next"):
            await client.raise_event(waiter, "go")
            await hub.settle(process)
            assert await hub.output(waiter) == "lost"
        await client.signal_entity(_COUNTER, "add", 2)
        await hub.settle(process)
        found = await client.read_entity(_COUNTER)
        assert found is not None
        assert found.state == 2
        assert (await hub.row(_COUNTER)).status is RuntimeStatus.RUNNING
        await hub.check("caller")
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_what_comes_behind_a_termination_is_for_the_entity_made_anew(store: str) -> None:
    """In one batch: the signal ahead of it goes with the entity, the one behind it is kept."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.signal_entity(_COUNTER, "add", 40)
        await hub.clock.sleep(5)
        await process.stop()
        again = hub.process(app())
        await again.client.signal_entity(_COUNTER, "add", 1)
        await again.client.terminate(_COUNTER)
        await again.client.signal_entity(_COUNTER, "add", 2)
        await again.handle(*await hub.take())
        await hub.clock.sleep(5)
        await hub.settle(again)
        found = await again.client.read_entity(_COUNTER)
        assert found is not None
        assert found.state == 2
        assert (await hub.row(_COUNTER)).execution.generation == 1

    run_on(store, test)


@on_both
def test_an_entity_whose_snapshot_is_gone_is_terminated(store: str) -> None:
    """Its execution began with a state that is in a blob, and the blob is gone."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(app())
        await first.client.signal_entity(_COUNTER, "add", 1)
        await hub.settle(first)
        await first.stop()
        (turn,) = (await hub.store.load(_COUNTER)).turns
        started, *rest = turn.events
        assert isinstance(started, ExecutionStarted)
        gone = msgspec.structs.replace(started, input=stored(f"{_COUNTER}/gone", 9))
        await hub.mend((msgspec.structs.replace(turn, events=(gone, *rest)),))
        second = hub.process(app(), most_attempts=MOST)
        await second.client.terminate(_COUNTER, "broken")
        await hub.settle(second)
        assert (await hub.row(_COUNTER)).status is RuntimeStatus.TERMINATED
        assert await hub.store.list_quarantined() == []

    run_on(store, test)


@on_both
@pytest.mark.parametrize("why", ["a turn spoiled", "turn 0 missing", "not registered"])
def test_an_entity_that_cannot_be_read_or_run_is_terminated(store: str, why: str) -> None:
    async def test(hub: AnyHub) -> None:
        first = hub.process(app())
        for _ in range(2):
            await first.client.signal_entity(_COUNTER, "add", 1)
            await hub.settle(first)
        await first.stop()
        if why == "a turn spoiled":
            await hub.spoil(_COUNTER, 1)
        elif why == "turn 0 missing":
            await hub.remove(_COUNTER, 0)
        settings = WorkerSettings(version_failure=VersionFailure.REJECT, most_attempts=MOST)
        second = hub.process(app(with_entity=why != "not registered"), settings=settings, most_attempts=MOST)
        second.start()
        await second.client.terminate(_COUNTER, "broken")
        await hub.clock.sleep(30)
        row = await hub.row(_COUNTER)
        assert row.status is RuntimeStatus.TERMINATED
        assert row.execution.generation == (0 if why == "not registered" else 1)
        assert await hub.store.list_quarantined() == []
        await second.stop()
        third = hub.process(app())
        await third.client.signal_entity(_COUNTER, "add", 5)
        await hub.settle(third)
        found = await third.client.read_entity(_COUNTER)
        assert found is not None
        assert found.state == 5

    run_on(store, test)
