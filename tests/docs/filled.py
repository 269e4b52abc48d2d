"""A hub with a few instances whose fate is known, for the queries of docs/storage-layout.md."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from durable_ext import Client, EntityContext, EntityId, OrchestrationContext, Registry, RuntimeStatus, Worker
from durable_ext.records.events import EventRaised, ExecutionStarted
from durable_ext.records.instance import Execution
from durable_ext.records.journal import Journal
from durable_ext.records.messages import Message, RaiseEvent
from durable_ext.records.payloads import inline
from durable_ext.records.progress import Report
from durable_ext.records.turns import Turn
from tests.scenarios.engine import pause

from .hub import Store, running

BIG = "x" * 50_000
# Fits in place as a payload, and with what stands around it in no column.
WIDE = "x" * 32_700
PROCESS = "host-1"
COMPLETED, LARGE, FAILED, WAITING = "order-1", "large-1", "broken-1", "waiting-1"
COUNTER = EntityId("counter", "one")
# One turn without a row of its own, too long for a column.
LONELY = "lonely-1"
_PATIENCE = timedelta(seconds=30)

# What the history of the completed instance has to show, turn by turn.
COMPLETED_HISTORY = [
    (0, "ExecutionStarted"),
    (0, "TaskScheduled"),
    (1, "TaskCompleted"),
    (1, "ExecutionCompleted"),
]
# Over all of them.
EVENT_TYPES = {
    "ExecutionStarted": 6,
    "EventRaised": 1,
    "OperationRequested": 1,
    "OperationEnded": 1,
    "EntityUpdated": 1,
    "TaskScheduled": 3,
    "TaskCompleted": 2,
    "TaskFailed": 1,
    "ExecutionCompleted": 2,
    "ExecutionFailed": 1,
    "CustomStatusSet": 1,
}
REASON = "the warehouse is closed"


async def echo(value: Any) -> Any:
    return value


async def refuse(value: Any) -> Any:
    raise ValueError(REASON)


async def order(ctx: OrchestrationContext, value: Any) -> Any:
    return await ctx.call_activity("echo", value)


async def broken(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("refuse")


async def waiting(ctx: OrchestrationContext) -> Any:
    ctx.set_custom_status("waits")
    return await ctx.wait_for_external_event("go")


def counter(context: EntityContext) -> None:
    context.set_state(context.get_state(lambda: 0) + 1)


def registry() -> Registry:
    made = Registry()
    made.add_entity(counter)
    for activity in (echo, refuse):
        made.add_activity(activity)
    for orchestrator in (order, broken, waiting):
        made.add_orchestrator(orchestrator)
    return made


async def fill(store: Store) -> None:
    """Create the hub and run the instances in it."""
    await store.create_hub()
    async with running(store, registry()) as worker:
        await _run(worker, worker.client)
    await note(store, datetime.now(UTC))


async def _run(worker: Worker, client: Client) -> None:
    await client.start("order", "tea", instance_id=COMPLETED)
    await client.start("order", BIG, instance_id=LARGE)
    await client.start("broken", instance_id=FAILED)
    await client.start("waiting", instance_id=WAITING)
    for instance_id in (COMPLETED, LARGE, FAILED):
        await client.wait_for_completion(instance_id, _PATIENCE)
    await client.wait_until(WAITING, lambda row: row.status is RuntimeStatus.RUNNING, _PATIENCE)
    await client.signal_entity(COUNTER, "add")
    async with asyncio.timeout(_PATIENCE.total_seconds()):
        # Its row is not there before its first operation has run.
        while not [entity async for entity in client.list_entities(COUNTER.name) if entity.exists]:
            await pause(0.02)
    await worker.tidy()


async def note(store: Store, now: datetime) -> None:
    """Rows of the other kinds, one of each and of a journal both."""
    assert await store.claim(COMPLETED, "e1-0-0", PROCESS)
    await store.withdraw(["e1-0-1"], now)
    await store.write_progress(
        Report(instance_id=WAITING, work_item="e2-0-0", task_id=0, name="render", time=now, value=inline(b"0.5"))
    )
    await store.append(
        Turn(
            execution=Execution(instance_id=LONELY, execution_id="e3"),
            number=0,
            events=(
                ExecutionStarted(name="order", created_at=now),
                EventRaised(name="other", input=inline(b'"' + WIDE.encode() + b'"')),
            ),
            message_ids=("m0",),
            trigger_id="m0",
            time=now,
            commit_id="c1",
        )
    )
    held = [
        Message(id=name, instance_id=WAITING, body=RaiseEvent(name="other", input=inline(data)), sent_at=now)
        for name, data in (("m1", b"1"), ("m2", b'"' + BIG.encode() + b'"'))
    ]
    await store.write_journal(Journal(process_id=PROCESS, time=now, messages=tuple(held[:1])))
    await store.write_journal(Journal(process_id=PROCESS + "-busy", time=now, messages=tuple(held)))
