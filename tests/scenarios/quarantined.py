"""The app whose messages end in quarantine, and what is to be found there (P11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import TaskFailedError
from durable_ext.records.messages import Quarantined
from durable_ext.worker.settings import WorkerSettings

from .two_stores import AnyHub

MOST = 3
# Nothing in memory, so that history is read.
FROM_SCRATCH = WorkerSettings(sessions=False, activity_slots=8)


async def listen(ctx: OrchestrationContext, count: int) -> list[Any]:
    return [await ctx.wait_for_external_event("go") for _ in range(count)]


async def ask(ctx: OrchestrationContext) -> Any:
    try:
        return await ctx.call_activity("act", "x", placement="queue")
    except TaskFailedError as error:
        failure = error.failure
        return [failure.type, failure.message, failure.properties, failure.cause and failure.cause.message]


async def ask_and_listen(ctx: OrchestrationContext) -> list[Any]:
    result = await ctx.call_activity("act", "x", placement="queue")
    return [result, await ctx.wait_for_external_event("go")]


async def measure(ctx: OrchestrationContext) -> int:
    return len(await ctx.wait_for_external_event("go"))


async def long_turn(ctx: OrchestrationContext) -> Any:
    for _ in range(1000):
        ctx.create_timer(timedelta(days=1))
    return await ctx.wait_for_external_event("go")


async def listen_changed(ctx: OrchestrationContext, count: int) -> Any:
    return await ctx.call_activity("act", count)


class App:
    """An app, and how often its activity ran."""

    def __init__(self, *, changed: bool = False) -> None:
        self.ran = 0
        self.registry = Registry()
        self.registry.add_activity(self.act, name="act")
        self.registry.add_orchestrator(listen_changed if changed else listen, name="listen")
        for orchestrator in (ask, ask_and_listen, measure, long_turn):
            self.registry.add_orchestrator(orchestrator)

    async def act(self, value: Any) -> Any:
        self.ran += 1
        return value


async def kept_by(hub: AnyHub) -> list[Quarantined]:
    """What is in quarantine, each with all that an operator needs."""
    found = list(await hub.store.list_quarantined())
    for one in found:
        assert one.body
        assert one.reason
        assert one.stack.startswith("Traceback"), one.stack
        assert one.time <= hub.clock()
        assert await hub.store.read_quarantined(one.id) == one
    return found
