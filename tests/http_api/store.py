"""A hub in memory: as much of a store as the client asks for, and short ways to put instances and turns there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceExistsError, RowChangedError
from durable_ext.providers.contract import Catalog, InstanceFilter, Loaded, Page, Provider, VersionedRow
from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.events import Event
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Message, Quarantined
from durable_ext.records.payloads import Payload, inline, stored
from durable_ext.records.progress import Report
from durable_ext.records.turns import Turn
from durable_ext.worker.client import Client

NOW = datetime(2025, 3, 1, 12, 0, 0, 123456, UTC)


def json_payload(value: Any) -> Payload:
    return inline(msgspec.json.encode(value))


class MemoryStore:
    """The verbs that a client calls. Nothing works on what it sends."""

    inline_limit = 1024
    partitions = 1

    def __init__(self) -> None:
        self.rows: dict[str, VersionedRow] = {}
        self.turns: list[Turn] = []
        self.blobs: dict[str, bytes] = {}
        self.sent: list[Message] = []
        self.reports: list[Report] = []
        self.quarantined: dict[str, Quarantined] = {}
        self._etags = map(str, itertools.count())

    async def create_row(self, row: InstanceRow, *, replacing: str | None = None) -> str:
        there = self.rows.get(row.instance_id)
        if replacing is None and there is not None:
            raise InstanceExistsError(row.instance_id)
        if replacing is not None and (there is None or there.etag != replacing):
            raise RowChangedError(row.instance_id)
        return self.put(row)

    def put(self, row: InstanceRow) -> str:
        etag = next(self._etags)
        self.rows[row.instance_id] = VersionedRow(row, etag)
        return etag

    async def read_row(self, instance_id: str) -> VersionedRow | None:
        return self.rows.get(instance_id)

    async def send(self, messages: Sequence[Message]) -> None:
        self.sent += messages

    async def progress(self, instance_id: str) -> Sequence[Report]:
        return [report for report in self.reports if report.instance_id == instance_id]

    async def put_payload(self, instance_id: str, data: bytes, *, owner: str = "") -> Payload:
        name = f"{instance_id}/{len(self.blobs)}"
        self.blobs[name] = data
        return stored(name, len(data))

    async def get_payload(self, payload: Payload) -> bytes:
        return self.blobs[payload.blob or ""]

    async def query(self, where: InstanceFilter, *, limit: int = 100, continuation: str | None = None) -> Page:
        rows = [self.rows[key].row for key in sorted(self.rows) if _matches(self.rows[key].row, where)]
        rows = [row for row in rows if continuation is None or row.instance_id > continuation]
        return Page(tuple(rows[:limit]), rows[limit - 1].instance_id if len(rows) > limit else None)

    async def load(self, instance_id: str) -> Loaded:
        return Loaded(self.rows.get(instance_id), tuple(await self.history(instance_id)))

    async def history(self, instance_id: str, execution_id: str | None = None) -> Sequence[Turn]:
        return [turn for turn in self.turns if turn.execution.instance_id == instance_id]

    async def purge(self, row: InstanceRow, *, etag: str | None = None) -> None:
        del self.rows[row.instance_id]

    async def list_quarantined(self, *, limit: int = 100) -> Sequence[Quarantined]:
        return list(self.quarantined.values())[:limit]

    async def read_quarantined(self, message_id: str) -> Quarantined | None:
        return self.quarantined.get(message_id)

    async def release_quarantined(self, message_id: str, *, replay: bool) -> bool:
        return self.quarantined.pop(message_id, None) is not None


def _matches(row: InstanceRow, where: InstanceFilter) -> bool:
    return (
        (not where.statuses or row.status in where.statuses)
        and (where.created_from is None or row.created_at >= where.created_from)
        and (where.created_to is None or row.created_at <= where.created_to)
        and row.instance_id.startswith(where.id_prefix)
        and (where.updated_from is None or row.updated_at >= where.updated_from)
        and (where.updated_to is None or row.updated_at <= where.updated_to)
        and (where.entities is None or row.instance_id.startswith("@") == where.entities)
    )


def turn_of(instance_id: str, *events: Event, number: int = 0, time: datetime = NOW) -> Turn:
    return Turn(
        execution=Execution(instance_id=instance_id, execution_id=f"e-{instance_id}"),
        number=number,
        events=events,
        message_ids=(),
        trigger_id="t",
        time=time,
        commit_id=f"c{number}",
    )


def _nothing(_: Any) -> None: ...


class Hub:
    """A store, its client, and instances made to order.

    It has the orchestrators `greet` and `other`, and the entity `counter`.
    """

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.client = Client(cast("Provider", self.store), cast("Catalog", self.store), clock=lambda: NOW)
        registry = Registry()
        for name in ("greet", "other"):
            registry.add_orchestrator(_nothing, name)
        registry.add_entity(_nothing, "counter")
        self.client.check_orchestrator, self.client.check_entity = registry.check_orchestrator, registry.check_entity

    def row(self, instance_id: str) -> InstanceRow | None:
        found = self.store.rows.get(instance_id)
        return None if found is None else found.row

    @property
    def ids(self) -> list[str]:
        return sorted(self.store.rows)

    def add(self, instance_id: str, status: RuntimeStatus = RuntimeStatus.RUNNING, **fields: Any) -> InstanceRow:
        row = InstanceRow(
            execution=Execution(instance_id=instance_id, execution_id=f"e-{instance_id}"),
            name="greet",
            status=status,
            created_at=NOW,
            updated_at=NOW,
        )
        row = msgspec.structs.replace(row, **{"input": json_payload({"who": "you"}), **fields})
        self.store.put(row)
        return row

    def add_entity(self, instance_id: str, state: Any, time: datetime = NOW) -> None:
        summary = EntitySummary(exists=state is not None)
        payload = None if state is None else json_payload(state)
        self.add(instance_id, input=payload, custom_status=summary.to_payload(), updated_at=time)

    def add_failed(self, instance_id: str) -> None:
        failure = Failure(type="builtins.ValueError", message="no luck", traceback="Traceback: deep inside")
        self.add(instance_id, RuntimeStatus.FAILED, failure=failure)

    def add_turn(self, instance_id: str, *events: Event, number: int = 0, time: datetime = NOW) -> None:
        self.store.turns.append(turn_of(instance_id, *events, number=number, time=time))

    def add_quarantined(self, message_id: str) -> None:
        self.store.quarantined[message_id] = Quarantined(
            id=message_id,
            queue="hub-control-00",
            body="{}",
            reason="no JSON",
            instance_id="i",
            dequeue_count=6,
            time=NOW,
            stack="Traceback: here",
        )
