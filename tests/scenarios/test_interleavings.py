"""Interleavings: two deliveries, two processes, lost leases and lost turns over one instance (P2, P5, P7, S6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from durable_ext.errors import LeaseLostError
from durable_ext.providers.contract import Loaded
from durable_ext.records.events import EventRaised
from durable_ext.records.messages import Message, RaiseEvent, StartExecution
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn
from durable_ext.testing.virtual_time import START
from durable_ext.worker.items import Item

from .engine import pause
from .hub import Gate, Hub, failing, run
from .meetings import App


def test_message_whose_lease_is_gone_is_not_taken_from_the_inbox() -> None:
    """Hole 32: its delivery is in other hands; it may not become a trigger here."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        process = hub.process(app.registry)
        await process.client.start("waits", instance_id="x")
        process.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: app.ran == ["held"])
        await process.client.raise_event("x", "go", 1)
        (event,) = await hub.take()
        handling = asyncio.create_task(process.worker.process(event))
        await asyncio.sleep(0)
        handling.cancel()
        await hub.clock.sleep(1)
        assert not [e for turn in await hub.store.history("x") for e in turn.events if isinstance(e, EventRaised)]
        app.gates["held"].open()
        await hub.leases_run_out()
        await hub.settle(process)
        assert await hub.output("x") == [1, "held"]
        await hub.check("x")

    run(test)


def test_lost_lease_of_the_trigger_stops_the_session() -> None:
    """S6: what it guards is cancelled, nothing more is committed, the new holder repairs."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        first = hub.process(app.registry)
        await first.client.start("waits", instance_id="x")
        start = await hub.take_one(StartExecution)
        handling = asyncio.create_task(first.worker.process(start))
        await hub.until(lambda: app.ran == ["held"])
        handling.cancel()
        await hub.clock.sleep(0.1)
        assert first.worker.open_sessions == 0
        app.gates.clear()
        await hub.leases_run_out()
        second = hub.process(app.registry)
        await second.client.raise_event("x", "go", 1)
        await hub.settle(second)
        assert app.ran == ["held", "held"]
        assert await hub.output("x") == [1, "held"]
        await hub.check("x")

    run(test)


def test_child_is_guarded_again_after_the_session_of_its_parent_failed() -> None:
    """Holes 12, 32: the hand-over was the child's trigger, and went with the parent's session."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"kid": Gate(), "mother": Gate()}
        first = hub.process(app.registry, plan=failing("append", after=2))
        await first.client.start("mother", instance_id="x")
        first.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: sorted(app.ran) == ["kid", "mother"])
        app.gates["mother"].open()
        await hub.clock.sleep(2)
        first.begin(*await hub.take())
        await hub.clock.sleep(2)
        assert [app.ran.count("mother"), app.ran.count("kid")] == [2, 2]
        await first.kill()
        app.gates.clear()
        await hub.leases_run_out()
        survivor = hub.process(app.registry)
        survivor.start()
        await hub.clock.sleep(60)
        assert await hub.output("x") == ["mother", 1]
        assert await hub.left() == []
        await hub.check("x")
        await hub.check("kid")

    run(test)


def test_outcome_that_no_turn_has_recorded_holds_the_trigger() -> None:
    """P5: local work ends while another turn is being written; a crash before the next turn loses nothing."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        first = hub.process(app.registry)
        append, stuck = first.provider.append, Gate()

        async def slow(turn: Turn) -> None:
            if turn.number == 1:
                app.gates["held"].open()
                await pause(0.1)
            if turn.number == 2:
                await stuck.wait()
            await append(turn)

        setattr(first.provider, "append", slow)  # noqa: B010 - a verb of this very object
        await first.client.start("waits", instance_id="x")
        first.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: app.ran == ["held"])
        await first.client.raise_event("x", "go", 1)
        first.begin(*await hub.take())
        await hub.until(lambda: stuck.entered == 1)
        await first.kill()
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == [1, "held"]
        await hub.check("x")

    run(test)


def test_lease_that_is_lost_while_history_is_read_opens_no_session() -> None:
    """Hole 32: the message left the inbox in time, and would become a trigger that nobody holds."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("two_events", instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go", 1)
        event = await hub.take_one(RaiseEvent)
        load = second.provider.load

        async def lose(instance_id: str) -> Loaded:
            handling.cancel()
            await pause(0.1)
            return await load(instance_id)

        setattr(second.provider, "load", lose)  # noqa: B010 - a verb of this very object
        handling = asyncio.create_task(second.worker.process(event))
        await hub.clock.sleep(1)
        assert len(await hub.store.history("x")) == 1
        assert second.worker.open_sessions == 0

    run(test)


def test_twin_of_a_message_that_was_lost_comes_back() -> None:
    """P5: its delivery fails, it is neither completed nor taken for cancelled."""

    async def test(_hub: Hub) -> None:
        message = Message(id="m", instance_id="x", body=RaiseEvent(name="go", input=inline(b"1")), sent_at=START)
        first, twin = Item(message), Item(message)
        first.share_fate(twin)
        first.done.cancel()
        with pytest.raises(LeaseLostError):
            await twin.done

    run(test)


def test_twins_of_one_message_share_their_fate() -> None:
    """P5: the second delivery of the trigger is not completed before the session's work is done."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        process = hub.process(app.registry)
        await process.client.start("waits", instance_id="x")
        start = await hub.take_one(StartExecution)
        await hub.store.send(start.messages)
        process.begin(start)
        await hub.until(lambda: app.ran == ["held"])
        (twin,) = await hub.take()
        process.begin(twin)
        await hub.clock.sleep(1)
        assert process.provider.calls.count("complete") == 0
        await process.kill()
        app.gates.clear()
        await hub.leases_run_out()
        second = hub.process(app.registry)
        await second.client.raise_event("x", "go", 1)
        await hub.settle(second)
        assert await hub.output("x") == [1, "held"]

    run(test)


def test_joined_messages_come_back_when_the_session_fails() -> None:
    """Holes 12, 13: each is abandoned, none hangs until its lease ends."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        process = hub.process(app.registry, plan=failing("append", after=1))
        await process.client.start("waits", instance_id="x")
        process.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: app.ran == ["held"])
        await process.client.raise_event("x", "go", 1)
        began = hub.clock()
        await process.handle(*await hub.take())
        assert hub.clock() - began < timedelta(seconds=1)
        assert process.worker.open_sessions == 0
        app.gates.clear()
        await hub.clock.sleep(2)
        await hub.settle(process)
        assert await hub.output("x") == [1, "held"]
        await hub.check("x")

    run(test)


def test_lost_turn_does_not_hand_out_an_event_twice() -> None:
    """Hole 15: the successor's turn 0 is lost after the event was consumed by the execution before."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("eternal", [], instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "tick", "a")
        (tick,) = await hub.take()
        provider, append = first.provider, first.provider.append

        async def append_after_another(turn: Turn) -> None:
            if turn.execution.generation == 1 and turn.number == 0:
                setattr(provider, "append", append)  # noqa: B010 - a verb of this very object
                # The lease of the event ran out: another process repairs, and begins generation 1 first.
                await second.worker.process(msgspec.structs.replace(tick, dequeue_count=2))
            await append(turn)

        setattr(provider, "append", append_after_another)  # noqa: B010 - a verb of this very object
        await first.handle(tick)
        await second.client.raise_event("x", "tick", "end")
        await hub.settle(second)
        assert await hub.output("x") == ["a", "end"]
        await hub.check("x")

    run(test)


def test_lost_turn_does_not_repair_twice() -> None:
    """Hole 35: a repeated message with debts and news in one batch, and the turn for the news is lost."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gates = {"held": Gate()}
        first = hub.process(app.registry)
        await first.client.start("waits", instance_id="x")
        first.begin(await hub.take_one(StartExecution))
        await hub.until(lambda: app.ran == ["held"])
        await first.kill()
        app.ran.clear()
        app.gates.clear()
        await hub.leases_run_out()
        second, third = hub.process(app.registry), hub.process(app.registry)
        (start,) = await hub.take()
        await second.client.raise_event("x", "other", 0)
        (noise,) = await hub.take()
        await second.client.raise_event("x", "go", 1)
        (event,) = await hub.take()
        provider, append = second.provider, second.provider.append

        async def late(turn: Turn) -> None:
            setattr(provider, "append", append)  # noqa: B010 - a verb of this very object
            await third.handle(event)
            await append(turn)

        setattr(provider, "append", late)  # noqa: B010 - a verb of this very object
        await second.handle(start, noise)
        await hub.settle(second)
        assert app.ran == ["held"]
        assert await hub.output("x") == [1, "held"]
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_two_processes_alternate_on_one_instance() -> None:
    """P2, S2: each keeps the instance in memory, each loses a turn and goes on."""

    async def test(hub: Hub) -> None:
        app = App()
        first, second = hub.process(app.registry), hub.process(app.registry)
        await first.client.start("eternal", [], instance_id="x")
        await first.handle(*await hub.take())
        for tick in range(6):
            await first.client.raise_event("x", "tick", tick)
            await (second if tick % 2 else first).handle(*await hub.take())
        await first.client.start("two_events", instance_id="y")
        await first.handle(*await hub.take())
        for tick in range(2):
            await first.client.raise_event("y", "go", tick)
            await (first if tick else second).handle(*await hub.take())
        await first.client.raise_event("x", "tick", "end")
        await hub.settle(second)
        assert await hub.output("x") == [0, 1, 2, 3, 4, 5, "end"]
        assert await hub.output("y") == [0, 1]
        assert await hub.left() == []
        await hub.check("x")
        await hub.check("y")

    run(test)
