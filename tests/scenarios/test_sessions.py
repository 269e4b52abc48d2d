"""Sessions: what they hold, whom they tell of a failure, and that they end (S1 to S7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_ext.errors import NonDeterminismError, StorageUnavailableError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Delivery, RunActivity, StartExecution
from durable_ext.records.turns import Turn
from durable_ext.worker.settings import WorkerSettings

from .engine import Process
from .hub import Gate, Hub, run
from .meetings import App


def test_continue_as_new_does_not_wait_for_its_child() -> None:
    """Hole 5: the child's session waits for the parent to take the report, the parent's not for the child."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("racing", False, instance_id="x")
        await process.client.wait_for_completion("x", timedelta(minutes=1))
        await process.client.wait_for_completion("kid", timedelta(minutes=1))
        await hub.clock.sleep(5)
        assert process.worker.open_sessions == 0
        assert await hub.output("x") == "done"
        await hub.check("x")
        await hub.check("kid")

    run(test)


@pytest.mark.parametrize("grace", [0, 5])
def test_drain_ends_with_children_handed_over_in_memory(grace: int) -> None:
    """Hole 5: a draining process gives back what it holds, and both go on elsewhere (S5)."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"kid": Gate(), "mother": Gate()}
        first = hub.process(app.registry)
        first.start()
        await first.client.start("mother", instance_id="x")
        await hub.until(lambda: set(app.ran) == {"mother", "kid"})
        began = hub.clock()
        await first.worker.drain(timedelta(seconds=grace))
        assert hub.clock() - began < timedelta(seconds=2 * grace + 2)
        assert first.worker.open_sessions == 0
        app.gates.clear()
        await first.kill()
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == ["mother", 1]
        await hub.check("x")
        await hub.check("kid")

    run(test)


@pytest.mark.parametrize("error", [StorageUnavailableError("no"), NonDeterminismError("no"), LookupError("no")])
def test_failure_of_a_child_is_not_the_failure_of_its_parent(error: Exception) -> None:
    """Holes 12, 22: a neighbour that cannot go on gets its message by queue; the sender's trigger does not suffer."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"mother": Gate()}
        first = hub.process(app.registry)
        _refuse_turns(first, "kid", error)
        await first.client.start("mother", instance_id="x")
        first.begin(*await hub.take())
        await hub.clock.sleep(0.5)
        app.gates["mother"].open()
        await hub.clock.sleep(0.1)
        await first.kill()
        assert app.ran.count("mother") == 1
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == ["mother", 1]
        assert app.ran.count("mother") == 1

    run(test)


def _refuse_turns(process: Process, instance_id: str, error: Exception) -> None:
    """Later turns of this instance cannot be written."""
    append = process.provider.append

    async def refuse(turn: Turn) -> None:
        if turn.execution.instance_id == instance_id and turn.number:
            raise error
        await append(turn)

    setattr(process.provider, "append", refuse)  # noqa: B010 - a verb of this very object


def test_activity_of_the_queue_does_not_run_again_for_a_session_that_failed() -> None:
    """Hole 23: its outcome goes by queue when the session here cannot take it."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("one_queued", instance_id="x")
        await process.handle(await hub.take_one(StartExecution))
        _refuse_turns(process, "x", StorageUnavailableError("no"))
        await process.handle(await hub.take_one(RunActivity))
        assert app.ran == ["queued"]
        await process.kill()
        await hub.settle(hub.process(app.registry))
        assert app.ran == ["queued"]
        assert await hub.output("x") == "queued"

    run(test)


@pytest.mark.parametrize("error", [StorageUnavailableError("no"), NonDeterminismError("no"), LookupError("no")])
def test_messages_of_one_delivery_fail_each_on_its_own(error: Exception) -> None:
    """Hole 24, S7: one message of several fails; its neighbours do not run again."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("fan_out", instance_id="x")
        await process.handle(await hub.take_one(StartExecution))
        await process.client.start("at_rest", instance_id="other")
        await hub.settle_control(process)
        items = await hub.take()
        await process.client.raise_event("other", "go", 1)
        (event,) = await hub.take()
        messages = (*event.messages, *(message for item in items for message in item.messages))
        gathered = Delivery(queue=event.queue, id=event.id, receipt=event.receipt, dequeue_count=1, messages=messages)
        for item in items:
            await hub.store.complete(item)
        _refuse_turns(process, "other", error)
        await process.worker.process(gathered)
        await hub.store.complete(event)
        assert sorted(app.ran) == [0, 1, 2, 3]
        await process.kill()
        await hub.clock.sleep(5)
        await hub.settle(hub.process(app.registry))
        assert sorted(app.ran) == [0, 1, 2, 3]
        assert await hub.output("other") == 1
        assert await hub.output("x") == [0, 1, 2, 3]

    run(test)


def test_row_of_a_busy_session_is_brought_up_to_date() -> None:
    """Hole 26: every half second, however often the session wakes up meanwhile."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("busy", instance_id="x")
        await hub.clock.sleep(1.5)
        row = await hub.row("x")
        assert row.status is RuntimeStatus.RUNNING
        assert row.custom_status is not None
        first = row.turn
        await hub.clock.sleep(1.5)
        assert (await hub.row("x")).turn > first

    run(test)


def test_row_is_written_without_sessions_too() -> None:
    """Hole 27: what is thrown away is the code, not the row that lags."""

    async def test(hub: Hub) -> None:
        process = hub.process(App().registry, settings=WorkerSettings(sessions=False))
        await process.client.start("at_rest", instance_id="x")
        await hub.settle(process)
        row = await hub.row("x")
        assert row.status is RuntimeStatus.RUNNING
        assert row.custom_status is not None
        await hub.check("x")

    run(test)


def test_trigger_is_let_go_although_events_keep_coming() -> None:
    """Hole 30: a session whose inbox is never empty between two turns settles its trigger all the same."""

    async def test(hub: Hub) -> None:
        app = App()
        process = hub.process(app.registry)
        provider, append = process.provider, process.provider.append
        await process.client.start("ten_events", instance_id="x")

        async def append_while_another_comes(turn: Turn) -> None:
            await append(turn)
            if turn.number < 10:
                await process.client.raise_event("x", "go", turn.number)
                process.begin(*await hub.take())
                await asyncio.sleep(0)

        setattr(provider, "append", append_while_another_comes)  # noqa: B010 - a verb of this very object
        process.begin(*await hub.take())
        await hub.clock.sleep(1)
        assert await hub.output("x") == list(range(10))
        assert len({turn.trigger_id for turn in await hub.store.history("x")}) > 1
        assert await hub.left() == []

    run(test)
