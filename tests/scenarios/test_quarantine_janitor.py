"""The janitor and what cannot be read: it passes over it and does its work for all others (P8, P9)."""

from __future__ import annotations

from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import StartExecution

from .hub import failing
from .two_stores import AnyHub, on_both, run_on


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


def _registry() -> Registry:
    registry = Registry()
    registry.add_orchestrator(listen)
    return registry


@on_both
def test_janitor_passes_over_an_instance_it_cannot_read(store: str) -> None:
    """Rows of instances behind the damaged one are brought up to date all the same."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(_registry())
        await process.client.start("listen", instance_id="a-damaged")
        await hub.settle(process)
        late = hub.process(_registry(), plan=failing("update_row", after=1))
        await process.client.start("listen", instance_id="b-stale")
        await late.handle(await hub.take_one(StartExecution))
        await process.client.raise_event("b-stale", "go", 1)
        await late.handle(*await hub.take())
        await late.kill()
        await hub.spoil("a-damaged", 0)
        assert await hub.status("b-stale") is RuntimeStatus.RUNNING
        await hub.clock.sleep(301)
        await hub.process(_registry()).worker.tidy()
        assert await hub.status("b-stale") is RuntimeStatus.COMPLETED

    run_on(store, test)
