"""What a round of the janitor costs, and what it does when storage refuses calls."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageError
from durable_ext.records.instance import Stuck
from durable_ext.testing.faults import Fault
from durable_ext.worker.settings import WorkerSettings

from .engine import Process
from .hub import Hub, failing, run


def _app() -> Registry:
    registry = Registry()
    registry.add_orchestrator(_listen, name="listen")
    registry.add_orchestrator(_asks, name="asks")
    return registry


async def _listen(ctx: OrchestrationContext) -> str:
    await ctx.wait_for_external_event("go")
    return "heard"


async def _asks(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("elsewhere", placement="queue")


async def _waiting(hub: Hub, count: int) -> Process:
    process = hub.process(_app(), settings=WorkerSettings(cached_instances=0))
    for number in range(count):
        await process.client.start("listen", instance_id=f"x{number}")
    await hub.settle(process)
    return process


async def _round(process: Process) -> list[str]:
    before = len(process.provider.calls)
    await process.worker.tidy()
    return process.provider.calls[before:]


def test_an_instance_that_waits_is_read_less_and_less() -> None:
    async def test(hub: Hub) -> None:
        process = await _waiting(hub, 1)
        read = [0] * 3
        for minute in range(24 * 60):
            await hub.clock.sleep(60)
            read[0 if minute < 60 else 1 if minute < 120 else 2] += (await _round(process)).count("load")
        assert 5 <= read[0] <= 8
        assert read[1] <= 2
        assert 20 <= read[2] <= 23

    run(test)


def test_a_row_that_changes_is_looked_at_soon_again() -> None:
    async def test(hub: Hub) -> None:
        process = await _waiting(hub, 1)
        for _ in range(120):
            await hub.clock.sleep(60)
            await process.worker.tidy()
        await process.client.suspend("x0")
        await hub.settle(process)
        reads = 0
        for _ in range(3):
            await hub.clock.sleep(60)
            reads += (await _round(process)).count("load")
        assert reads == 2

    run(test)


def test_a_round_over_many_that_wait_reads_a_bounded_number_of_histories() -> None:
    async def test(hub: Hub) -> None:
        process = await _waiting(hub, 700)
        await hub.clock.sleep(90)
        rounds = [(await _round(process)).count("load") for _ in range(5)]
        assert rounds == [200, 200, 200, 100, 0]

    run(test)


def test_a_refused_call_costs_a_start_seconds_not_a_round() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(_app(), plan=failing("read_row"))
        lost = hub.process(_app(), plan=failing("send"))
        with pytest.raises(StorageError):
            await lost.client.start("listen", instance_id="x")
        await hub.clock.sleep(20)
        began = hub.clock()
        await process.worker.tidy()
        assert hub.clock() - began < timedelta(seconds=10)
        await hub.settle(process)
        assert await hub.store.history("x")

    run(test)


@pytest.mark.parametrize("refused", ["journals", "read_row"])
def test_a_storage_that_refuses_everything_is_asked_few_things(refused: str) -> None:
    async def test(hub: Hub) -> None:
        def plan(verb: str, _number: int) -> Fault:
            return Fault.BEFORE if verb == refused else Fault.NONE

        process = hub.process(_app(), plan=plan)
        lost = hub.process(_app(), plan=lambda verb, _: Fault.BEFORE if verb == "send" else Fault.NONE)
        for number in range(10):
            with pytest.raises(StorageError):
                await lost.client.start("listen", instance_id=f"x{number}")
        await hub.clock.sleep(20)
        with pytest.raises(StorageError):
            await process.worker.tidy()
        assert process.provider.calls.count(refused) <= 8

    run(test)


def test_what_a_stuck_instance_misses_is_not_sent_again() -> None:
    """Its message lies in quarantine: its activity would run again for nothing. Once it goes on it is seen to."""

    async def test(hub: Hub) -> None:
        process = hub.process(_app())
        await process.client.start("asks", instance_id="x")
        await hub.settle_control(process)
        (work,) = await hub.take()
        await hub.store.complete(work)
        await _mark(hub, Stuck(since=hub.clock(), reason="does not fit", message_id="m"))
        for _ in range(5):
            await hub.clock.sleep(60)
            await process.worker.tidy()
        assert await hub.take() == []
        await _mark(hub, None)
        await process.worker.tidy()
        assert len(await hub.take()) == 1

    run(test)


async def _mark(hub: Hub, stuck: Stuck | None) -> None:
    stored = await hub.store.read_row("x")
    assert stored is not None
    await hub.store.update_row(msgspec.structs.replace(stored.row, stuck=stuck), stored.etag)
