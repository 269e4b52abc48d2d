"""Processes that end with work in their hands again and again, and work items that come back (P6, P11)."""

from __future__ import annotations

import asyncio

import msgspec

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RunActivity

from .debtors import App
from .hub import Gate, Hub, dies_with, run
from .two_stores import AnyHub, on_both, run_on


def test_trigger_with_which_processes_ended_lets_go_what_it_asked_for() -> None:
    """Its own turn is in history, so nothing is wrong with it: its activity gets a message and attempts of its own."""

    async def test(hub: Hub) -> None:
        app = App()
        app.gate = Gate()
        first = hub.process(app.registry)
        await first.client.start("ask_on_go", instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go")
        first.begin(*await hub.take())
        await hub.until(lambda: bool(app.ran))
        await first.kill()
        app.gate = None
        await hub.leases_run_out()
        (trigger,) = await hub.take()
        trigger = msgspec.structs.replace(trigger, dequeue_count=3)
        await dies_with(hub, app.registry, trigger)
        second = hub.process(app.registry, most_attempts=1)
        await second.handle(trigger)
        assert await hub.store.list_quarantined() == []
        (work,) = await hub.take()
        assert work.messages[0].is_work_item
        await hub.leases_run_out()
        await hub.settle(hub.process(app.registry))
        assert await hub.output("x") == "asked"
        assert await hub.left() == []

    run(test)


def test_activity_that_ends_its_process_each_time_fails_its_task() -> None:
    """P11: under the trigger it has no attempts of its own; by queue it has, and then it fails."""

    async def test(hub: Hub) -> None:
        app = App()
        first = hub.process(app.registry)
        await first.client.start("ask_on_go", instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go")
        for _ in range(12):
            app.gate = Gate()
            process = hub.process(app.registry, most_attempts=3)
            deliveries = await hub.take()
            if not deliveries:
                break
            process.begin(*deliveries)
            await hub.clock.sleep(0.1)
            await process.kill()
            await hub.leases_run_out()
        app.gate = None
        await hub.settle(hub.process(app.registry))
        # Twice beside its orchestration, twice by queue as it is, and three times noted.
        assert len(app.ran) == 7
        assert await hub.store.list_quarantined() == []
        assert await hub.status("x") is RuntimeStatus.FAILED
        assert await hub.left() == []
        await hub.check("x")

    run(test)


def test_work_item_whose_outcome_is_known_repairs_what_its_outcome_led_to() -> None:
    """P6: the turn that the outcome led to names it as its trigger, and only the work item returns."""

    async def test(hub: Hub) -> None:
        ran: list[str] = []
        gate = Gate()
        registry = Registry()

        async def step(name: str) -> str:
            ran.append(name)
            if name == "second" and len(ran) == 2:
                await gate.wait()
            return name

        async def two_steps(ctx: OrchestrationContext) -> str:
            await ctx.call_activity("step", "first", placement="queue")
            return await ctx.call_activity("step", "second", placement="local", result_type=str)

        registry.add_activity(step)
        registry.add_orchestrator(two_steps)
        first = hub.process(registry)
        await first.client.start("two_steps", instance_id="x")
        await first.handle(*await hub.take())
        first.begin(await hub.take_one(RunActivity))
        await hub.until(lambda: ran == ["first", "second"])
        await first.kill()
        await hub.leases_run_out()
        await hub.settle(hub.process(registry))
        assert await hub.output("x") == "second"
        assert ran == ["first", "second", "second"]
        await hub.check("x")

    run(test)


class Deadly:
    """An app of which some activities end their process: `deaths` are those that did."""

    def __init__(self, hub: Hub) -> None:
        self.registry = Registry()
        self._hub = hub
        self.deaths: list[str] = []
        self.ended = asyncio.Event()
        self.registry.add_activity(self.work, name="work")
        self.registry.add_orchestrator(self.order, name="order")

    async def work(self, name: str) -> str:
        if name.startswith("deadly"):
            await self._die(name)
        await self._hub.clock.sleep(2)  # so that it is at work whenever its process ends
        return name

    async def order(self, ctx: OrchestrationContext) -> str:
        return await ctx.call_activity("work", ctx.instance_id, placement="queue", result_type=str)

    async def _die(self, name: str) -> None:
        await self._hub.clock.sleep(1)
        self.deaths.append(name)
        self.ended.set()
        await asyncio.Event().wait()

    async def run_until_rest(self, *, most_attempts: int = 5) -> int:
        """Processes, one after the other, each until it ends or has nothing left to do; how many."""
        hub = self._hub
        for number in range(1, 60):
            self.ended.clear()
            process = hub.process(self.registry, most_attempts=most_attempts)
            deliveries = await hub.take()
            if not deliveries:
                return number
            process.begin(*deliveries)
            await hub.clock.sleep(0.1)
            await hub.until(lambda process=process: self.ended.is_set() or process.is_idle)
            await process.kill()
            await hub.leases_run_out()
        raise AssertionError("processes end with it for ever")


def test_a_bystander_is_not_given_up_with_what_ends_its_process() -> None:
    """Both are at work each time. With few chances left they are tried one by one, and only one of them does it."""

    async def test(hub: Hub) -> None:
        app = Deadly(hub)
        first = hub.process(app.registry)
        for name in ("deadly", "good", "better"):
            await first.client.start("order", instance_id=name)
        await hub.settle_control(first)
        assert await app.run_until_rest() < 15
        assert await hub.status("deadly") is RuntimeStatus.FAILED
        assert await hub.output("good") == "good"
        assert await hub.output("better") == "better"
        assert await hub.store.list_quarantined() == []

    run(test)


def test_the_reason_says_that_processes_ended() -> None:
    async def test(hub: Hub) -> None:
        app = Deadly(hub)
        first = hub.process(app.registry)
        await first.client.start("order", instance_id="deadly")
        await hub.settle_control(first)
        assert await app.run_until_rest(most_attempts=3) < 12
        failure = (await hub.row("deadly")).failure
        assert failure is not None
        assert "in 3 attempts: in 3 of them its process ended before it could say why" in failure.message
        # Two as it is and three under a note; once more, because the last to die was still taken for alive.
        assert app.deaths == ["deadly"] * 6
        assert await hub.store.progress("deadly") == [], "notes go with the message"

    run(test)


@on_both
def test_an_orchestrator_that_ends_its_process_each_time_is_isolated(store: str) -> None:
    """No journal has named it, it died too soon; another instance is not harmed."""

    async def test(hub: AnyHub) -> None:
        app = Deadly(hub)
        first = hub.process(app.registry)
        for name in ("bad", "good"):
            await first.client.start("order", instance_id=name)
        deaths = 0
        while not await hub.store.list_quarantined():
            bad = [one for one in await hub.take() if one.messages[0].instance_id == "bad"]
            await dies_with(hub, app.registry, *bad, at="append", most_attempts=3)
            await hub.leases_run_out()
            deaths += 1
            assert deaths < 10
        assert deaths == 2 + 3 + 1, "the sixth process gave it up"
        (kept,) = await hub.store.list_quarantined()
        assert kept.instance_id == "bad"
        assert kept.dequeue_count == 3
        assert "its process ended before it could say why" in kept.reason
        await hub.settle(first)
        assert await hub.output("good") == "good"
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.settle(first)
        assert await hub.output("bad") == "bad"

    run_on(store, test)
