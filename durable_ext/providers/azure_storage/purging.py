"""What takes history away: purge, prune and sweep (P3, P7, P10). Each stops anywhere and goes on when repeated.

A purge leaves tombstones of every execution, rows without contents under their own keys: the last one, so that a
stalled process still loses that turn, and the first, so that a late start does.

Whatever a purge finds was there before it looks at the Instances row. While that names the execution to purge, nothing
of a later one can be among it: an execution begins with its row (P9), and what is stored for it before that stands
under its own name. Generations say nothing here: an id that was purged begins at 0 again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage import turn_rows
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.changes import key_of, make
from durable_ext.providers.azure_storage.client import Change, Condition, Entity, Key, ListedBlob, Query, StorageClient
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.history import KEYS, History, Log
from durable_ext.providers.azure_storage.instances import Instances
from durable_ext.providers.azure_storage.names import AFTER_TURNS, escape, folder
from durable_ext.providers.azure_storage.rows import time_of
from durable_ext.providers.azure_storage.tombstones import Tombstones
from durable_ext.records.instance import Execution, InstanceRow

_SELECT = (*KEYS, "EventTypes", "IsTerminal", "Time", turn_rows.BLOB, turn_rows.NAMES_BLOBS)
# How often a row may change while it is deleted; only the projection of its own end writes it then (P8).
_TRIES = 5


class _Kept(msgspec.Struct, frozen=True):
    """What the History table holds of an instance: its logs, and the claims and reports behind them."""

    logs: list[Log]
    rest: list[Entity]

    @property
    def is_gone(self) -> bool:
        """Whether there is no history in it."""
        return not any(log.is_history for log in self.logs)

    def is_only(self, execution: Execution) -> bool:
        """Whether all of it names this execution."""
        return not self.rest and all(log.execution == execution for log in self.logs)

    def names_blobs(self) -> bool:
        """Whether blobs may be named in it: an interrupted purge may have taken the rows that did."""
        if not self.logs or any(log.is_buried for log in self.logs):
            return True
        return any(entity.get(turn_rows.NAMES_BLOBS, True) for log in self.logs for entity in log.entities)


class Purging:
    """Deletes history, and what belongs to it, of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History, blobs: Blobs, instances: Instances) -> None:
        self._client = client
        self._table = table
        self._history = history
        self._blobs = blobs
        self._instances = instances
        self._tombstones = Tombstones(client, table, history)

    async def purge(self, row: InstanceRow, etag: str | None, now: datetime) -> None:
        """History, then payloads, then the row (P10). An instance that was started anew meanwhile is left alone."""
        kept = await self._kept(row.instance_id)
        blobs: list[ListedBlob] = []
        if kept.names_blobs() or self._instances.names_blobs(row):
            blobs = await self._blobs.in_folder(row.instance_id)
        if etag is None or blobs or not kept.is_only(row.execution):
            current = await self._instances.current(row.instance_id)
            if current is not None and current.execution != row.execution:
                return
            etag = None if current is None else current.etag
        await self._bury(row.execution, kept, now)
        await self._blobs.delete_unchanged(_of_executions(row.execution, kept.logs, blobs))
        if etag is not None:
            await self._delete_row(row.execution, etag)

    async def _bury(self, execution: Execution, kept: _Kept, now: datetime) -> None:
        """Put the tombstones, and delete all else."""
        # The newest first: behind it nobody loads the instance any more.
        ends = [entity for log in reversed(kept.logs) if log.is_history for entity in _ends(log)]
        known = any(log.execution == execution and (log.is_history or log.is_buried) for log in kept.logs)
        tombstones = [turn_rows.tombstone_of(entity) for entity in ends]
        tombstones += [] if known else [turn_rows.first_tombstone(execution)]
        if tombstones:
            await self._tombstones.note(execution.instance_id, now)
        changes: list[Change] = [entity | {turn_rows.BURIED: now, "Time": now} for entity in tombstones]
        left = {key_of(entity) for entity in tombstones}
        changes += [key for log in kept.logs for key in _superfluous(log) if key not in left]
        await make(self._client, self._table, [*changes, *map(key_of, kept.rest)])

    async def _delete_row(self, execution: Execution, etag: str) -> None:
        for _ in range(_TRIES):
            if await self._instances.delete(execution.instance_id, etag):
                return
            current = await self._instances.current(execution.instance_id)
            if current is None or current.execution != execution:
                return
            etag = current.etag
        raise StorageUnavailableError(
            f"the row of instance {execution.instance_id!r} kept changing while it was purged"
        )

    async def prune(self, instance_id: str, below_generation: int, older_than: datetime) -> None:
        """Delete executions below a generation that ended before a time, the row that says so last, and claims made
        before that time (P7). The current execution stays, whatever generation it has."""
        kept = await self._kept(instance_id)
        current = await self._instances.current(instance_id)
        newest = max((log.execution.generation for log in kept.logs if log.is_history), default=0)
        below = min(below_generation, newest if current is None else current.execution.generation)
        for log in kept.logs:
            last = log.entities[-1]
            if log.execution.generation >= below or log.is_buried:
                continue
            if not last["IsTerminal"] or time_of(last["Time"]) >= older_than:
                continue
            await make(self._client, self._table, [key_of(entity) for entity in log.entities[:-1]])
            await make(self._client, self._table, [key_of(last)])
            await self._blobs.delete_all(
                str(entity[turn_rows.BLOB]) for entity in log.entities if turn_rows.BLOB in entity
            )
        await make(self._client, self._table, _older(kept.rest, older_than))

    async def sweep(self, older_than: datetime) -> int:
        """Delete tombstones, and logs without a start, of purges before a time; how many (P3, P10)."""
        removed = 0
        async for notes in self._tombstones.older_than(older_than):
            instance_ids = dict.fromkeys(str(note["InstanceId"]) for note in notes)
            removed += sum(await each(instance_ids, lambda instance_id: self._sweep(instance_id, older_than)))
            await self._tombstones.forget(notes)
        return removed

    async def _sweep(self, instance_id: str, older_than: datetime) -> int:
        kept = await self._kept(instance_id)
        old = [log for log in kept.logs if not log.is_history and time_of(log.entities[-1]["Time"]) < older_than]
        keys: list[Change] = [key_of(entity) for log in old for entity in log.entities]
        if kept.is_gone:
            # Claims made, and blobs written, by a process that did not know of the purge, or that no history named.
            await self._sweep_blobs(instance_id, older_than)
            keys += _older(kept.rest, older_than)
        await make(self._client, self._table, keys)
        return len(old)

    async def _sweep_blobs(self, instance_id: str, older_than: datetime) -> None:
        old = [blob for blob in await self._blobs.in_folder(instance_id) if blob.written < older_than]
        if old and await self._instances.current(instance_id) is None:
            await self._blobs.delete_unchanged(old)

    async def _kept(self, instance_id: str) -> _Kept:
        query = Query((Condition("PartitionKey", "eq", escape(instance_id)),), _SELECT)
        entities = [entity async for entity in self._history.scan(query)]
        turns = [entity for entity in entities if str(entity["RowKey"]) < AFTER_TURNS]
        rest = [entity for entity in entities if str(entity["RowKey"]).startswith(AFTER_TURNS)]
        return _Kept(self._history.logs_of(turns), rest)


def _ends(log: Log) -> list[Entity]:
    """The last row and the first, once if they are one."""
    return [log.entities[-1], log.entities[0]][: len(log.entities)]


def _superfluous(log: Log) -> list[Key]:
    """All but the tombstones; a log without a start has no session that could still win, and goes whole."""
    if log.is_history:
        return [key_of(entity) for entity in log.entities[1:-1]]
    return [key_of(entity) for entity in log.entities if turn_rows.BURIED not in entity]


def _older(entities: Iterable[Entity], than: datetime) -> list[Change]:
    return [key_of(entity) for entity in entities if time_of(entity["Time"]) < than]


def _of_executions(execution: Execution, logs: Iterable[Log], blobs: Iterable[ListedBlob]) -> list[ListedBlob]:
    """The blobs without an owner, and those of these executions: others belong to a start, or a message, under way."""
    instance_id = execution.instance_id
    executions = {execution.execution_id, *(log.execution.execution_id for log in logs)}
    owned = {folder(instance_id, owner) for owner in executions}
    own = len(folder(instance_id))
    return [blob for blob in blobs if "/" not in blob.name[own:] or blob.name[: blob.name.rindex("/") + 1] in owned]
