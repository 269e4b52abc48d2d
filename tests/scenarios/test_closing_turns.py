"""A trigger that came back is settled behind a closing turn: who had it before commits no more under it (P2, P6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.messages import Delivery, RaiseEvent, StartExecution
from durable_ext.testing.injection import Fault
from durable_ext.testing.processes import Process

from .hub import Hub, run


def chain() -> Registry:
    made = Registry()

    async def act(value: int) -> int:
        return value + 1

    async def three(ctx: OrchestrationContext) -> int:
        return await ctx.call_activity("act", await ctx.call_activity("act", await ctx.call_activity("act", 0)))

    async def waits(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")

    made.add_activity(act, name="act")
    made.add_orchestrator(waits, name="waits")
    made.add_orchestrator(three, name="chain")
    return made


class Sleepy:
    """A process that falls asleep in a commit, and another one that gets its trigger meanwhile and settles it."""

    def __init__(self, hub: Hub, append: int) -> None:
        self.appends = 0
        self._hub = hub
        self._append = append
        self.sleepy = hub.process(chain(), plan=self._plan)
        self.other = hub.process(chain())

    def _plan(self, call: str, _number: int) -> Fault:
        self.appends += call == "append"
        if call == "append" and self.appends == self._append:
            self.sleepy.gate.stall()
        return Fault.NONE

    async def falls_asleep(self) -> Delivery:
        """Until the process sleeps; the trigger, as another one has it by then."""
        await self.sleepy.client.start("chain", instance_id="it")
        start = await self._hub.take_one(StartExecution)
        self.sleepy.begin(start)
        await self._hub.until(lambda: self.appends == self._append)
        taken_over = await self._hub.store.extend(start, timedelta(minutes=10))
        await self._hub.clock.sleep(20)
        return taken_over

    async def settles(self, taken_over: Delivery, attempt: int) -> None:
        """The other process deals with the trigger, as one that came so often."""
        await self.other.worker.process(msgspec.structs.replace(taken_over, dequeue_count=attempt))
        await self._hub.store.complete(taken_over)

    async def ends(self, *processes: Process) -> timedelta:
        """How long it takes from now on."""
        for process in processes:
            process.start()
        began = self._hub.clock()
        status = await self.other.client.wait_for_completion("it", timedelta(hours=1))
        assert status.output == 3
        await self._hub.check("it")
        return self._hub.clock() - began


def _sleeps_in(append: int, test: Callable[[Hub, Sleepy], Awaitable[None]]) -> None:
    run(lambda hub: test(hub, Sleepy(hub, append)))  # pyright: ignore[reportArgumentType] - a coroutine


@pytest.mark.parametrize("attempt", [2, 3])
@pytest.mark.parametrize("append", [1, 2, 3, 4])
@pytest.mark.parametrize("dies", [False, True])
def test_a_commit_after_its_trigger_was_settled_leaves_nothing_unsent(append: int, attempt: int, dies: bool) -> None:
    """The commit comes through once another process has settled the trigger; nobody waits for the janitor then."""

    async def test(hub: Hub, both: Sleepy) -> None:
        await both.settles(await both.falls_asleep(), attempt)
        both.sleepy.gate.resume()
        await hub.clock.sleep(1)
        assert both.appends == append, "it finds its trigger closed, and commits no more"
        if dies:
            await both.sleepy.kill()
        assert await both.ends(both.other, *(() if dies else (both.sleepy,))) < timedelta(minutes=2)

    _sleeps_in(append, test)


def test_a_commit_that_comes_through_before_the_trigger_is_settled_is_paid_for() -> None:
    """It is there before the closing turn, which loses to it: the new holder sends what it owes."""

    async def test(hub: Hub, both: Sleepy) -> None:
        taken_over = await both.falls_asleep()
        appends = 0

        def plan(call: str, _number: int) -> Fault:
            nonlocal appends
            appends += call == "append"
            if appends == 1 and call == "append":
                both.other.gate.stall()
                both.sleepy.gate.resume()
                asyncio.get_running_loop().call_later(0.1, both.other.gate.resume)
            return Fault.NONE

        both.other = hub.process(chain(), plan=plan)
        settling = asyncio.create_task(both.settles(taken_over, 3))
        await hub.until(lambda: appends == 1)
        await hub.clock.sleep(1)
        await both.sleepy.kill()
        await settling
        assert appends == 2, "the first closing turn loses, and the second one follows what came in between"
        assert await both.ends(both.other) < timedelta(minutes=2)

    _sleeps_in(2, test)


def test_a_trigger_that_comes_back_beside_another_is_closed_too() -> None:
    async def test(hub: Hub, both: Sleepy) -> None:
        taken_over = await both.falls_asleep()
        await both.other.client.raise_event("it", "whatever")
        event = await hub.take_one(RaiseEvent)
        await asyncio.gather(both.other.worker.process(event), both.settles(taken_over, 2))
        await hub.store.complete(event)
        turns = (await hub.store.load("it")).turns
        assert [turn.trigger_id for turn in turns if turn.closes_trigger] == [taken_over.messages[0].id]
        both.sleepy.gate.resume()
        await hub.clock.sleep(1)
        assert both.appends == 2, "it finds its trigger closed, and commits no more"
        assert await both.ends(both.other) < timedelta(minutes=2)

    _sleeps_in(2, test)


def test_triggers_that_came_once_are_settled_without_closing_turns() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(chain())
        await process.client.start("waits", instance_id="it")
        await hub.settle(process)
        assert [turn.closes_trigger for turn in (await hub.store.load("it")).turns] == [False]
        await process.client.raise_event("it", "go")
        await hub.settle(process)
        assert [turn.closes_trigger for turn in (await hub.store.load("it")).turns] == [False, False]

    run(test)
