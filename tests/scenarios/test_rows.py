"""The Instances row: behind history, never over a newer one, mended when it lags; and what purge takes (P8, P10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.messages import RaiseEvent, StartExecution
from durable_ext.worker.client import StartOptions
from durable_ext.worker.settings import WorkerSettings

from .engine import Process
from .hub import Hub, failing, run

_ANY = StartOptions(replace=frozenset(RuntimeStatus))


def app() -> Registry:
    registry = Registry()
    for orchestrator in (listen, collect, eternal):
        registry.add_orchestrator(orchestrator)
    return registry


async def listen(ctx: OrchestrationContext) -> Any:
    ctx.set_custom_status("listening")
    return await ctx.wait_for_external_event("go")


async def collect(ctx: OrchestrationContext, count: int) -> list[Any]:
    return [await ctx.wait_for_external_event("go") for _ in range(count)]


async def eternal(ctx: OrchestrationContext, round_: int) -> Any:
    await ctx.wait_for_external_event("tick")
    ctx.continue_as_new(round_ + 1)


def test_superseded_session_does_not_write_over_the_new_instance() -> None:
    """Hole 25: an instance replaced while it ran; its old session writes its row later, twice."""

    async def test(hub: Hub) -> None:
        old, new = hub.process(app()), hub.process(app())
        await old.client.start("collect", 5, instance_id="x")
        await old.handle(await hub.take_one(StartExecution))
        await old.client.raise_event("x", "go", 0)
        await old.client.raise_event("x", "go", 1)
        first, second = await hub.take()
        await new.client.start("listen", instance_id="x", options=_ANY)
        await hub.settle(new)
        fresh = await hub.row("x")
        assert fresh.name == "listen"
        await old.handle(first)
        await old.handle(second)
        assert await hub.row("x") == fresh
        await new.client.raise_event("x", "go", "new")
        await hub.settle(new)
        assert await hub.output("x") == "new"
        await hub.check("x")

    run(test)


def test_slow_writer_does_not_write_over_a_newer_turn() -> None:
    """P8: between its turn and its row another process took the next turn and wrote the row."""

    async def test(hub: Hub) -> None:
        slow, quick = hub.process(app()), hub.process(app())
        await slow.client.start("collect", 2, instance_id="x")
        await slow.handle(await hub.take_one(StartExecution))
        await slow.client.raise_event("x", "go", 0)
        (event,) = await hub.take()
        _before_row(slow, hub, quick)
        await slow.handle(event)
        assert await hub.output("x") == [0, 1]
        await hub.check("x")

    run(test)


def _before_row(slow: Process, hub: Hub, quick: Process) -> None:
    """Let another process finish the instance just before the slow one writes its row."""
    update = slow.provider.update_row

    async def late(row: InstanceRow, etag: str) -> str:
        setattr(slow.provider, "update_row", update)  # noqa: B010 - a verb of this very object
        await quick.client.raise_event("x", "go", 1)
        await hub.settle(quick)
        return await update(row, etag)

    setattr(slow.provider, "update_row", late)  # noqa: B010 - a verb of this very object


def test_row_that_lags_is_written_when_the_trigger_comes_back() -> None:
    async def test(hub: Hub) -> None:
        first = hub.process(app(), plan=failing("update_row"))
        await first.client.start("listen", instance_id="x")
        await first.handle(await hub.take_one(StartExecution))
        await first.kill()
        assert await hub.status("x") is RuntimeStatus.PENDING
        await hub.clock.sleep(2)
        await hub.settle(hub.process(app()))
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await hub.check("x")

    run(test)


def test_row_that_lags_is_written_by_the_janitor() -> None:
    """P8: the trigger is in nobody's hands for a long time."""

    async def test(hub: Hub) -> None:
        first = hub.process(app(), plan=failing("update_row", after=1))
        await first.client.start("collect", 2, instance_id="x")
        await first.handle(await hub.take_one(StartExecution))
        await first.client.raise_event("x", "go", 0)
        await first.handle(await hub.take_one(RaiseEvent))
        await first.kill()
        assert (await hub.row("x")).turn == 0
        await hub.clock.sleep(301)
        await hub.process(app()).worker.tidy()
        assert (await hub.row("x")).turn == 1
        await hub.check("x")

    run(test)


def test_status_interval_is_kept() -> None:
    """Hole 26: a session without news writes its row when the interval is over, not at its end."""

    async def test(hub: Hub) -> None:
        registry = app()

        async def pause(ctx: OrchestrationContext) -> None:
            ctx.set_custom_status("pausing")
            await ctx.create_timer(timedelta(seconds=2))

        registry.add_orchestrator(pause)
        process = hub.process(registry, settings=WorkerSettings(status_interval=timedelta(seconds=1)))
        process.start()
        await process.client.start("pause", instance_id="x")
        await hub.clock.sleep(0.9)
        assert await hub.status("x") is RuntimeStatus.PENDING
        await hub.clock.sleep(0.3)
        assert await hub.status("x") is RuntimeStatus.RUNNING
        assert (await hub.row("x")).custom_status is not None

    run(test)


def test_old_executions_are_pruned() -> None:
    """Hole 31: when no delivery can refer to them any more."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("eternal", 0, instance_id="x")
        await hub.settle(process)
        old = (await hub.row("x")).execution.execution_id
        for _ in range(2):
            await process.client.raise_event("x", "tick")
            await hub.settle(process)
        await process.worker.tidy()
        assert await hub.store.history("x", old)
        await hub.clock.sleep(timedelta(days=16).total_seconds())
        await process.worker.tidy()
        assert await hub.store.history("x", old) == ()
        assert await hub.store.history("x")

    run(test)


def test_purge_does_not_take_an_instance_that_was_created_anew() -> None:
    """Hole 29: it decides on a row that was read earlier."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("listen", instance_id="x")
        await process.client.terminate("x")
        await hub.settle(process)
        read_earlier = await hub.row("x")
        await process.client.start("listen", instance_id="x")
        await hub.settle(process)
        await hub.store.purge(read_earlier)
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await process.client.raise_event("x", "go", 1)
        await hub.settle(process)
        assert await hub.output("x") == 1

    run(test)


def test_purged_process_that_slept_loses_its_turn() -> None:
    """P10: it finds nothing, drops what it has, and makes nothing of it."""

    async def test(hub: Hub) -> None:
        sleeper, other = hub.process(app()), hub.process(app())
        await sleeper.client.start("collect", 3, instance_id="x")
        await hub.settle(sleeper)
        await sleeper.client.raise_event("x", "go", 0)
        event = await hub.take_one(RaiseEvent)
        await other.client.terminate("x")
        await hub.settle(other)
        assert await other.client.purge("x")
        await sleeper.handle(event)
        assert await hub.store.read_row("x") is None
        assert await hub.store.history("x") == ()
        assert await hub.left() == []

    run(test)
