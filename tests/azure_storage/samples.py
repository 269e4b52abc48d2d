"""Records to store, and a hub of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from durable_ext.providers.azure_storage.provider import AzureStorageProvider, utc_now
from durable_ext.providers.contract import Clock
from durable_ext.records.events import Event, EventRaised, ExecutionCompleted, ExecutionStarted
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Delivery, Message, RaiseEvent, RunActivity
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.turns import Turn

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
LEASE = timedelta(seconds=30)
AT_ONCE = timedelta(0)

ODD_IDS = [
    *(
        "Order",
        "order",
        "ORDER",
        "it's",
        "''",
        "50%",
        "a%2Fb",
        "a+b",
        "two words",
        "^x",
        "^^0",
        "..",
        ".",
        "a..",
        "a.b.",
    ),
    *("héllo wörld", "日本", "🎈 balloon", "a&b=c;d,e", "a(b)'$", '~!`|{}[]<>"', "a:b", "\ud7ff\ue000", "x" * 256),
]


def a_hub_name() -> str:
    """One that nobody else has."""
    return f"T{uuid.uuid4().hex[:20]}"


def execution(instance_id: str = "order-1", execution_id: str = "e1", generation: int = 0) -> Execution:
    return Execution(instance_id=instance_id, execution_id=execution_id, generation=generation)


def row(instance_id: str = "order-1", **changes: Any) -> InstanceRow:
    fields: dict[str, Any] = {
        "execution": execution(instance_id),
        "name": "checkout",
        "status": RuntimeStatus.PENDING,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return InstanceRow(**(fields | changes))


def started() -> ExecutionStarted:
    return ExecutionStarted(name="checkout", input=inline(b'{"total":3}'), created_at=NOW)


def completed() -> ExecutionCompleted:
    return ExecutionCompleted(result=inline(b"true"))


def turn(number: int = 0, *events: Event, of: Execution | None = None, **changes: Any) -> Turn:
    fields: dict[str, Any] = {
        "execution": of or execution(),
        "number": number,
        "events": events or ((started(),) if number == 0 else (EventRaised(name="tick", input=inline(b"1")),)),
        "message_ids": (f"m-{number}",),
        "trigger_id": f"m-{number}",
        "time": NOW,
        "commit_id": f"commit-{number}",
    }
    return Turn(**(fields | changes))


def message(instance_id: str = "order-1", message_id: str = "m1", **changes: Any) -> Message:
    body = RaiseEvent(name="paid", input=changes.pop("input", inline(b'{"amount":12}')))
    fields: dict[str, Any] = {"id": message_id, "instance_id": instance_id, "sent_at": NOW, "body": body}
    return Message(**(fields | changes))


def work_item(message_id: str = "w1", data: Payload | None = None) -> Message:
    body = RunActivity(task_id=0, name="charge", input=data or inline(b"1"))
    return Message(id=message_id, instance_id="order-1", sent_at=NOW, body=body)


@asynccontextmanager
async def opened(connection: str, clock: Clock = utc_now, partitions: int = 1) -> AsyncGenerator[AzureStorageProvider]:
    """A provider with a new hub, deleted afterwards."""
    provider = AzureStorageProvider(connection, a_hub_name(), partitions, clock=clock)
    await provider.create_hub()
    try:
        yield provider
    finally:
        await provider.delete_hub()
        await provider.close()


async def received(provider: AzureStorageProvider, wait: timedelta = AT_ONCE) -> list[Delivery]:
    """What the first control queue has now."""
    return list(await provider.receive_control(0, limit=32, lease=LEASE, wait=wait))
