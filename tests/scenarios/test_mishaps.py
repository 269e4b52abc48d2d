"""Errors that no provider may raise: what the engine does by itself goes on, logs and counts them (T3)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.messages import RunActivity, StartExecution
from durable_ext.worker.settings import WorkerSettings

from .dead_processes import App as Order
from .dead_processes import dead, hide, start
from .hub import Gate, Hub, run
from .meetings import App

_MINUTE = timedelta(minutes=1)


def _any(_: Any) -> bool:
    return True


def mistaken(hub: Hub, verb: str, times: int, *, wrong: Callable[[Any], bool] = _any) -> list[str]:
    """The store's verb raises what is no StorageError, so often, for some first arguments; the calls that did."""
    right: Callable[..., Awaitable[Any]] = getattr(hub.store, verb)
    made: list[str] = []

    async def call(*args: Any, **options: Any) -> Any:
        if len(made) < times and wrong(args[0] if args else None):
            made.append(verb)
            raise KeyError("Turn")
        return await right(*args, **options)

    setattr(hub.store, verb, call)
    return made


@pytest.mark.parametrize("verb", ["write_journal", "journals"])
def test_a_heartbeat_goes_on(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: Hub) -> None:
        app = Order(hub, seconds=100)
        wrong = mistaken(hub, verb, 3)
        process = hub.process(app.registry)
        await start(process, 1)
        process.begin(*await hide(hub))
        await hub.clock.sleep(60)
        assert len(wrong) == 3
        (kept,) = await hub.store.journals()
        assert hub.clock() - kept.journal.time < timedelta(seconds=30)
        assert isinstance(kept.journal.messages[0].body, StartExecution)

    run(test)
    said = [record for record in caplog.records if "no provider may raise" in record.getMessage()]
    assert len(said) == 1, "once a minute"
    assert said[0].levelno == logging.ERROR
    assert said[0].exc_info


def test_a_journal_that_cannot_be_recovered_keeps_no_other_waiting() -> None:
    async def test(hub: Hub) -> None:
        app = Order(hub)
        first = await dead(hub, app, 1)
        second = hub.process(app.registry)
        await second.client.start("order", instance_id="other")
        second.begin(*await hide(hub))
        await hub.clock.sleep(3)
        await second.kill()
        wrong = mistaken(hub, "send", 1000, wrong=lambda messages: any(one.instance_id == first[0] for one in messages))
        journals = hub.store.journals

        async def bad_ones_first() -> Any:
            return sorted(await journals(), key=lambda kept: kept.journal.messages[0].instance_id == "other")

        hub.store.journals = bad_ones_first
        hub.process(app.registry).start()
        await hub.clock.sleep(120)
        assert wrong
        assert await hub.output("other") == "other"

    run(test)


def test_withdrawn_work_is_looked_up_again() -> None:
    async def test(hub: Hub) -> None:
        registry = Registry()
        gate = Gate()

        async def work(_: int) -> None:
            await gate.wait()

        async def order(ctx: OrchestrationContext) -> str:
            task = ctx.call_activity("work", 1, placement="queue")
            await ctx.wait_for_external_event("stop")
            task.cancel()
            return "stopped"

        registry.add_activity(work)
        registry.add_orchestrator(order)
        here, there = hub.process(registry), hub.process(registry)
        await here.client.start("order", instance_id="x")
        await hub.settle_control(here)
        there.begin(await hub.take_one(RunActivity))
        await hub.until(lambda: gate.entered == 1)
        wrong = mistaken(hub, "withdrawn", 2)
        await here.client.raise_event("x", "stop")
        await hub.settle_control(here)
        await hub.clock.sleep(60)
        assert len(wrong) == 2
        assert there.is_idle, "it was told to stop all the same"

    run(test)


def test_the_own_delivery_of_slow_work_is_kept() -> None:
    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"queued": Gate()}
        first = hub.process(app.registry, settings=WorkerSettings(slow_message=timedelta(seconds=1)))
        for name in ("x", "y"):
            await first.client.start("one_queued", instance_id=name)
        await hub.settle_control(first)
        items = await hub.take()
        shared = msgspec.structs.replace(items[0], messages=(*items[0].messages, *items[1].messages))
        wrong = mistaken(hub, "extend", 1)
        await first.worker.process(shared)
        for item in items:
            await hub.store.complete(item)
        await hub.clock.sleep(25)
        assert wrong
        app.gates["queued"].open()
        await hub.clock.sleep(5)
        await hub.settle(first)
        assert app.ran == ["queued"] * 2, "the work was not stopped"
        assert await hub.output("x") == "queued"

    run(test)


def test_a_part_of_the_janitors_round_silences_no_other() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        mistaken(hub, "query", 1000)
        swept = mistaken(hub, "sweep", 1)
        await process.worker.tidy()
        assert swept, "it comes after the queries"

    run(test)


def test_an_instance_that_fails_the_janitor_keeps_no_other_waiting() -> None:
    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        for name in ("a", "b", "c"):
            await process.client.start("one_queued", instance_id=name)
        for lost in await hub.take():
            await hub.store.complete(lost)
        wrong = mistaken(hub, "read_row", 1000, wrong=lambda instance_id: instance_id == "a")
        process.start()
        await hub.clock.sleep(180)
        assert wrong
        assert [await hub.output(name) for name in ("b", "c")] == ["queued"] * 2

    run(test)
