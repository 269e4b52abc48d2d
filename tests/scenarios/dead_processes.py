"""Processes that die with messages in their hands, for tests of what others make of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.options import Placement
from durable_ext.authoring.registry import Registry
from durable_ext.records.messages import Delivery
from durable_ext.testing.faults import Plan

from .engine import Process, no_faults
from .hub import Hub

# As the Functions host leases messages.
HIDDEN = timedelta(minutes=10)


class App:
    """An orchestration of one activity that takes `seconds`; `runs` counts how often it was begun, by instance."""

    def __init__(self, hub: Hub, *, seconds: float = 5, placement: Placement = "local") -> None:
        self.registry = Registry()
        self.runs: dict[str, int] = {}
        self._hub = hub
        self._seconds = seconds
        self.placement: Placement = placement
        self.registry.add_activity(self.work, name="work")
        self.registry.add_orchestrator(self.order, name="order")

    async def work(self, name: str) -> str:
        self.runs[name] = self.runs.get(name, 0) + 1
        await self._hub.clock.sleep(self._seconds)
        return name

    async def order(self, ctx: OrchestrationContext) -> Any:
        return await ctx.call_activity("work", ctx.instance_id, placement=self.placement)


async def hide(hub: Hub) -> list[Delivery]:
    """Receive all that is visible, as the host does."""
    control = await hub.store.receive_control(0, limit=1000, lease=HIDDEN, wait=timedelta(0))
    work = await hub.store.receive_work(limit=1000, lease=HIDDEN, wait=timedelta(0))
    return [*control, *work]


async def start(process: Process, count: int) -> list[str]:
    names = [f"order-{number}" for number in range(count)]
    for name in names:
        await process.client.start("order", instance_id=name)
    return names


def calls(process: Process, *verbs: str) -> list[str]:
    return [verb for verb in process.provider.calls if verb in verbs]


async def dead(hub: Hub, app: App, count: int = 3, *, plan: Plan = no_faults) -> list[str]:
    """A process dies a few seconds after it received the starts of some instances."""
    process = hub.process(app.registry, plan=plan)
    names = await start(process, count)
    process.begin(*await hide(hub))
    await hub.clock.sleep(3)
    await process.kill()
    return names
