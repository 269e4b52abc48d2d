"""Failures: what cannot be run, read or replayed becomes data or is kept, and nothing hangs (P11, R3, R4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import TaskFailedError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Defect, Delivery, RunActivity, StartExecution
from durable_ext.records.payloads import inline, stored

from .hub import Hub, run


def app(*activities: tuple[str, Callable[..., Any]]) -> Registry:
    """An app whose orchestrators tell how their activity failed."""
    registry = Registry()
    for name, function in activities:
        registry.add_activity(function, name=name)
    for orchestrator in (ask, ask_queue, odd, confused):
        registry.add_orchestrator(orchestrator)
    return registry


async def ask(ctx: OrchestrationContext, name: str) -> Any:
    try:
        return await ctx.call_activity(name)
    except TaskFailedError as error:
        return f"{error.failure.type}: {error.failure.message}"


async def ask_queue(ctx: OrchestrationContext, name: str) -> Any:
    try:
        return await ctx.call_activity(name, placement="queue")
    except TaskFailedError as error:
        return f"{error.failure.type}: {error.failure.message}"


async def odd(ctx: OrchestrationContext) -> Any:
    return object()


async def confused(ctx: OrchestrationContext) -> Any:
    first = await ctx.call_activity("one", placement="queue")
    return [first, await ctx.wait_for_external_event("go")]


def stops(_value: Any) -> Any:
    return next(iter([]))


def exits(_value: Any) -> Any:
    raise SystemExit(3)


def unserialisable(_value: Any) -> Any:
    return object()


@pytest.mark.parametrize("orchestrator", ["ask", "ask_queue"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [("stops", "StopIteration"), ("exits", "SystemExit"), ("odd", "PayloadError"), ("unknown", "no activity")],
)
def test_activity_that_cannot_answer_is_a_failed_task(orchestrator: str, name: str, expected: str) -> None:
    """Hole 6: a StopIteration in a thread; an unknown name; a result that is not data."""

    async def test(hub: Hub) -> None:
        process = hub.process(app(("stops", stops), ("exits", exits), ("odd", unserialisable)))
        await process.client.start(orchestrator, name, instance_id="x")
        await hub.settle(process)
        assert expected in await hub.output("x")
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_orchestrator_whose_output_is_not_data_fails() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("odd", instance_id="x")
        await hub.settle(process)
        row = await hub.row("x")
        assert row.status is RuntimeStatus.FAILED
        assert row.failure is not None
        assert row.failure.type.endswith("PayloadError")
        await hub.check("x")

    run(test)


@pytest.mark.parametrize("error", [GeneratorExit, SystemExit, StopAsyncIteration])
def test_orchestrator_that_raises_what_nobody_expects_fails_and_frees_its_session(error: type[BaseException]) -> None:
    """Hole 36: whatever ends the code, the inbox of the instance is read again afterwards."""

    async def test(hub: Hub) -> None:
        registry = app()

        async def leaves(ctx: OrchestrationContext) -> None:
            await ctx.create_timer(timedelta(seconds=1))
            raise error

        registry.add_orchestrator(leaves)
        process = hub.process(registry)
        process.start()
        await process.client.start("leaves", instance_id="x")
        await hub.clock.sleep(5)
        assert await hub.status("x") is RuntimeStatus.FAILED
        assert process.worker.open_sessions == 0
        await hub.check("x")

    run(test)


def test_orchestrator_this_app_has_not_fails() -> None:
    """A start by an app that has it, taken by one that has not."""

    async def test(hub: Hub) -> None:
        await hub.process(app()).client.start("ask", "x", instance_id="x")
        await hub.settle(hub.process(Registry()))
        row = await hub.row("x")
        assert row.status is RuntimeStatus.FAILED
        assert row.failure is not None
        assert "'ask'" in row.failure.message

    run(test)


def test_a_work_item_that_was_only_handed_out_often_runs() -> None:
    """P11: its count says that leases and answers were lost, and not that anybody failed at it."""

    async def test(hub: Hub) -> None:
        async def one(_value: Any) -> int:
            return 1

        process = hub.process(app(("one", one)), most_attempts=3)
        await process.client.start("ask_queue", "one", instance_id="x")
        await hub.settle_control(process)
        item = await hub.take_one(RunActivity)
        await process.handle(msgspec.structs.replace(item, dequeue_count=40))
        await hub.settle(process)
        assert await hub.output("x") == 1
        assert await hub.left() == []

    run(test)


def test_work_item_that_fails_among_others_is_a_failed_task() -> None:
    """P11, S7: gathered with others each time, it is not tried a hundred times and never lost."""

    async def test(hub: Hub) -> None:
        async def one(_value: Any) -> int:
            return 1

        process = hub.process(app(("one", one)), most_attempts=5)
        for instance_id in ("x", "y"):
            await process.client.start("ask_queue", "one", instance_id=instance_id)
        await hub.settle_control(process)
        items = await hub.take()
        for item in items:
            await hub.store.complete(item)
        bad, good = (item.messages[0] for item in items)
        assert isinstance(bad.body, RunActivity)
        bad = msgspec.structs.replace(bad, body=msgspec.structs.replace(bad.body, input=stored("nowhere", 9)))
        tries = 0
        while not (await hub.status(bad.instance_id)).is_terminal:
            gathered = Delivery(queue="workitems", id="1", receipt="1", dequeue_count=1, messages=(bad, good))
            await process.worker.process(gathered)
            tries += 1
            assert tries <= 5
            await hub.clock.sleep(60)
            for delivery in await hub.take():
                if isinstance(delivery.messages[0].body, RunActivity):
                    bad = delivery.messages[0]
                    await hub.store.complete(delivery)
                else:
                    await process.handle(delivery)
        assert tries == 5
        output = await hub.output(bad.instance_id)
        assert output.startswith("Poison")
        assert "5 attempts" in output
        assert "'nowhere'" in output
        assert await hub.output(good.instance_id) == 1

    run(test)


def test_undecodable_delivery_is_kept_with_its_reason() -> None:
    """P11: it is quarantined at once, not after five attempts, and completed."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        bad = Delivery(
            queue="control-00",
            id="7",
            receipt="1",
            dequeue_count=1,
            messages=(),
            defect=Defect(reason="the message cannot be decoded: no JSON", body="{"),
        )
        await process.worker.process(bad)
        (kept,) = await hub.store.list_quarantined()
        assert (kept.id, kept.queue, kept.body) == ("7", "control-00", "{")
        assert "no JSON" in kept.reason

    run(test)


def _changed(*activities: tuple[str, Callable[..., Any]]) -> Registry:
    """The same app after a change that running instances cannot bear."""
    registry = Registry()
    for name, function in activities:
        registry.add_activity(function, name=name)

    async def confused(ctx: OrchestrationContext) -> Any:
        return await ctx.call_activity("another", placement="queue")

    registry.add_orchestrator(confused)
    return registry


def test_instance_whose_code_changed_goes_on_with_the_code_it_knows() -> None:
    """R3: the replay parts from history, the instance is unharmed, and nothing of it is lost."""

    async def test(hub: Hub) -> None:
        async def one(_value: Any) -> int:
            return 1

        good = hub.process(app(("one", one)))
        await good.client.start("confused", instance_id="x")
        await hub.settle(good)
        before = await hub.store.history("x")
        changed = hub.process(_changed(("one", one)))
        await good.client.raise_event("x", "go", 2)
        await changed.handle(*await hub.take())
        assert await hub.store.history("x") == before
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await hub.clock.sleep(2)
        await hub.settle(hub.process(app(("one", one))))
        assert await hub.output("x") == [1, 2]
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_activity_runs_once_though_the_replay_of_its_instance_parts() -> None:
    """Hole 23, R3: its outcome waits in the queue for the code that can take it."""

    async def test(hub: Hub) -> None:
        ran: list[int] = []

        async def one(_value: Any) -> int:
            ran.append(1)
            return 1

        changed = hub.process(_changed(("one", one)), most_attempts=3)
        good = hub.process(app(("one", one)))
        await good.client.start("confused", instance_id="x")
        await hub.settle_control(good)
        item = await hub.take_one(RunActivity)
        # The instance lives in the process with the changed code: an event is on its way there.
        await good.client.raise_event("x", "go", 2)
        await changed.handle(*await hub.take(), item)
        for _ in range(4):
            await hub.clock.sleep(2)
            await changed.handle(*await hub.take())
        assert ran == [1]
        for kept in await hub.store.list_quarantined():
            await hub.store.release_quarantined(kept.id, replay=True)
        await hub.settle(hub.process(app(("one", one))))
        assert await hub.output("x") == [1, 2]
        assert ran == [1]
        await hub.check("x")

    run(test)


def test_input_that_does_not_fit_fails_the_task_or_the_instance() -> None:
    """R4: a misfit is a failure of its owner, not of the engine."""

    async def test(hub: Hub) -> None:
        async def typed(value: int) -> int:
            return value

        registry = app(("typed", typed))

        async def mismatched(ctx: OrchestrationContext, _value: int) -> Any:
            try:
                return await ctx.call_activity("typed", "text")
            except TaskFailedError as error:
                return error.failure.type

        registry.add_orchestrator(mismatched)
        process = hub.process(registry)
        await process.client.start("mismatched", "no number", instance_id="bad")
        await process.client.start("mismatched", 1, instance_id="good")
        await hub.settle(process)
        assert await hub.status("bad") is RuntimeStatus.FAILED
        assert (await hub.output("good")).endswith("PayloadError")

    run(test)


def test_bytes_that_are_no_json_in_a_start_fail_the_instance() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await process.client.start("ask", "one", instance_id="x")
        start = await hub.take_one(StartExecution)
        message = start.messages[0]
        assert isinstance(message.body, StartExecution)
        spoiled = msgspec.structs.replace(
            message, body=msgspec.structs.replace(message.body, input=inline(b"12")), sent_at=hub.clock()
        )
        await process.worker.process(msgspec.structs.replace(start, messages=(spoiled,)))
        assert await hub.status("x") is RuntimeStatus.FAILED
        await hub.clock.sleep(timedelta(seconds=1).total_seconds())

    run(test)
