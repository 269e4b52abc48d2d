"""Everything that the engine writes to Azure Storage in its scenarios, taken down at the storage double."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from durable_ext.providers.azure_storage.client import Change, Entity, Receipt
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution, FirstEvent, InstanceRow, Rewinding, RuntimeStatus, Stuck
from durable_ext.records.messages import Message, Quarantined, RaiseEvent
from durable_ext.records.payloads import inline
from durable_ext.records.trace import TraceContext
from durable_ext.testing import memory_hub, virtual_time
from durable_ext.testing.crash_run import Setting, play
from durable_ext.testing.processes import LEASE
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.virtual_time import START, VirtualClock
from tests.scenarios.workloads import LONG, SCENARIOS

from . import filled
from .stores import AzureStore

HUB = "Shop"
LONG_TEXT = "x" * 40_000


class Written(msgspec.Struct):
    """Rows with the table they are in; names of queues and blobs; the bodies of queue messages, decoded."""

    rows: list[tuple[str, Entity]] = []
    queues: set[str] = set()
    blobs: set[str] = set()
    bodies: list[tuple[str, dict[str, Any]]] = []

    @property
    def items(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """Each message, and the queue it went to."""
        return ((queue, item) for queue, body in self.bodies for item in body["durable"].get("items", ()))


def everything() -> Written:
    """All that the scenarios write, and what they leave out: rows and messages that take an accident or long texts."""
    found = Written()

    class Noting(StorageDouble):
        async def insert_entity(self, table: str, entity: Entity) -> str:
            found.rows.append((table, dict(entity)))
            return await super().insert_entity(table, entity)

        async def put_entity(self, table: str, entity: Entity) -> None:
            found.rows.append((table, dict(entity)))
            await super().put_entity(table, entity)

        async def replace_entity(self, table: str, entity: Entity, etag: str) -> str:
            found.rows.append((table, dict(entity)))
            return await super().replace_entity(table, entity, etag)

        async def change_entities(self, table: str, changes: Sequence[Change]) -> None:
            found.rows.extend((table, dict(change)) for change in changes if isinstance(change, dict))
            await super().change_entities(table, changes)

        async def create_queue(self, queue: str) -> None:
            found.queues.add(queue)
            await super().create_queue(queue)

        async def put_message(self, queue: str, text: str, hidden: int = 0) -> Receipt:
            found.bodies.append((queue, json.loads(base64.b64decode(text))))
            return await super().put_message(queue, text, hidden)

        async def put_blob(self, container: str, name: str, data: bytes) -> None:
            found.blobs.add(name)
            await super().put_blob(container, name, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_hub, "StorageDouble", Noting)
        for scenario in (SCENARIOS | LONG).values():
            play(scenario, Setting(store="azure", world="cached"))

    async def rare(clock: VirtualClock) -> None:
        await _write_rare(AzureStore("", HUB, 1, clock=clock, client=Noting(clock)), clock)

    virtual_time.run(rare)
    return found


async def _write_rare(store: AzureStore, clock: VirtualClock) -> None:
    await store.create_hub()
    await filled.note(store, clock())
    await store.create_row(_rich())
    await store.put_payload("i", msgspec.json.encode(LONG_TEXT), owner="e1")
    await store.send([_message("long", LONG_TEXT + LONG_TEXT), _message("traced", "", TraceContext(parent="p"))])
    await store.reserve(_message("reserved", ""), LEASE)
    for body in ("{}", LONG_TEXT):
        await store.quarantine(
            Quarantined(
                id=body[:1], queue="q", body=body, reason="r", instance_id="i", dequeue_count=5, time=clock(), stack="s"
            )
        )
    await store.close()


def _message(name: str, text: str, trace: TraceContext | None = None) -> Message:
    event = RaiseEvent(name=name, input=inline(msgspec.json.encode(text)))
    return Message(id=name, instance_id="i", body=event, sent_at=START, trace=trace)


def _rich() -> InstanceRow:
    """A row with everything in it, however unlikely together."""
    return InstanceRow(
        execution=Execution(instance_id="rich", execution_id="e1"),
        name="order",
        status=RuntimeStatus.PENDING,
        created_at=START,
        updated_at=START,
        completed_at=START,
        scheduled_start=START,
        version="1.0",
        failure=Failure(type="ValueError", message=LONG_TEXT),
        tags={"note": LONG_TEXT},
        first_event=FirstEvent(name="hello", input=inline(msgspec.json.encode(LONG_TEXT))),
        rewinds=Rewinding(execution_id="e0", time=START),
        trace=TraceContext(parent="p"),
        stuck=Stuck(since=START, reason="it parts from its history", message_id="m"),
    )
