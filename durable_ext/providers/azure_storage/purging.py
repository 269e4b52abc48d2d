"""What takes history away: purge, prune and sweep (P3, P7, P10). Each stops anywhere and goes on when repeated.

A purge leaves tombstones of every execution, rows without contents under their own keys: the last one, so that a
stalled process still loses that turn, and the first, so that a late start does. A row under `^tombstones` says which
instance has some, so that a sweep need not search.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from durable_ext.providers.azure_storage import turn_rows
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.claims import Claims
from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.history import KEYS, History, Log
from durable_ext.providers.azure_storage.instances import Instances
from durable_ext.providers.azure_storage.names import AFTER_TURNS, TOMBSTONES_KEY, digest, escape, generation_key
from durable_ext.providers.azure_storage.odata import time_text
from durable_ext.providers.azure_storage.rows import time_of
from durable_ext.records.instance import InstanceRow

_SELECT = (*KEYS, "EventTypes", "IsTerminal", "Time", turn_rows.BLOB)


class Purging:
    """Deletes history, and what belongs to it, of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History, blobs: Blobs, claims: Claims) -> None:
        self._client = client
        self._table = table
        self._history = history
        self._blobs = blobs
        self._claims = claims

    async def purge(self, row: InstanceRow, instances: Instances, now: datetime) -> None:
        """Payloads, then history, then the row (P10). An instance that was started anew meanwhile is left alone."""
        # Listed before the row is read: none of them belongs to a start that comes later.
        payloads = await self._blobs.in_folder(row.instance_id)
        claims = await self._claims.of(row.instance_id)
        stored = await instances.read(row.instance_id)
        if stored is not None and stored.row.execution != row.execution:
            return
        logs = await self._logs(row.instance_id, generation_key(row.execution.generation + 1))
        await self._bury(row.instance_id, [log for log in logs if log.is_history], now)
        await self._blobs.delete_all(payloads)
        await self._delete(entity for log in logs for entity in _superfluous(log))
        await self._claims.remove(claims)
        if stored is not None:
            await instances.delete(row.instance_id, stored.etag)

    async def _bury(self, instance_id: str, logs: list[Log], now: datetime) -> None:
        if logs:
            # First the note, then the tombstones it tells of: a note too many is harmless, one too few is not.
            await self._client.put_entity(self._table, _note(instance_id, now))
        for log in logs:
            # From the first put on nobody loads this execution, so that its payloads may go.
            for entity in _ends(log):
                tombstone = turn_rows.tombstone_of(entity) | {turn_rows.BURIED: now, "Time": now}
                await self._client.put_entity(self._table, tombstone)

    async def prune(self, instance_id: str, below_generation: int, older_than: datetime) -> None:
        """Delete executions below a generation that ended before a time, the row that says so last, and claims made
        before that time (P7)."""
        logs = await self._logs(instance_id, generation_key(below_generation))
        for log in logs:
            last = log.entities[-1]
            if log.is_buried or not last["IsTerminal"] or time_of(last["Time"]) >= older_than:
                continue
            blobs = [str(entity[turn_rows.BLOB]) for entity in log.entities if turn_rows.BLOB in entity]
            await self._delete(log.entities[:-1])
            await self._delete([last])
            await self._blobs.delete_all(blobs)
        await self._claims.remove(await self._claims.of(instance_id, older_than))

    async def sweep(self, older_than: datetime) -> int:
        """Delete tombstones, and logs without a start, of purges before a time; how many (P3, P10)."""
        notes = Query(
            (
                Condition("PartitionKey", "eq", TOMBSTONES_KEY),
                Condition("RowKey", "lt", time_text(older_than)),
            )
        )
        removed = 0
        async for note in self._history.scan(notes):
            removed += await self._sweep_instance(str(note["InstanceId"]), older_than)
            await self._client.delete_entity(self._table, TOMBSTONES_KEY, str(note["RowKey"]))
        return removed

    async def _sweep_instance(self, instance_id: str, older_than: datetime) -> int:
        logs = await self._logs(instance_id)
        old = [log for log in logs if not log.is_history and time_of(log.entities[-1]["Time"]) < older_than]
        await self._delete(entity for log in old for entity in log.entities)
        if not any(log.is_history for log in logs):
            # Made by a process that did not know of the purge.
            await self._claims.remove(await self._claims.of(instance_id, older_than))
        return len(old)

    async def _logs(self, instance_id: str, below: str = AFTER_TURNS) -> list[Log]:
        where = Condition("PartitionKey", "eq", escape(instance_id)), Condition("RowKey", "lt", below)
        query = Query(where, _SELECT)
        return await self._history.logs(query)

    async def _delete(self, entities: Iterable[Entity]) -> None:
        async def delete(entity: Entity) -> None:
            await self._client.delete_entity(self._table, str(entity["PartitionKey"]), str(entity["RowKey"]))

        await each(entities, delete)


def _ends(log: Log) -> list[Entity]:
    """The last row and the first, once if they are one."""
    return [log.entities[-1], log.entities[0]][: len(log.entities)]


def _superfluous(log: Log) -> list[Entity]:
    """All but the tombstones; a log without a start has no session that could still win, and goes whole."""
    if log.is_history:
        return log.entities[1:-1]
    return [entity for entity in log.entities if turn_rows.BURIED not in entity] if log.is_buried else log.entities


def _note(instance_id: str, now: datetime) -> Entity:
    return {
        "PartitionKey": TOMBSTONES_KEY,
        "RowKey": f"{time_text(now)}-{digest(instance_id)}",
        "InstanceId": instance_id,
    }
