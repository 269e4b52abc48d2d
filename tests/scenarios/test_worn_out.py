"""Processes that end with work in their hands again and again, and work items that come back (P6, P11)."""

from __future__ import annotations

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RunActivity

from .debtors import App
from .hub import Gate, Hub, run


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
        second = hub.process(app.registry)
        second.most_attempts = 1
        await second.handle(*await hub.take())
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
            process = hub.process(app.registry)
            process.most_attempts = 3
            deliveries = await hub.take()
            if not deliveries:
                break
            process.begin(*deliveries)
            await hub.clock.sleep(0.1)
            await process.kill()
            await hub.leases_run_out()
        app.gate = None
        await hub.settle(hub.process(app.registry))
        assert len(app.ran) == 5
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
