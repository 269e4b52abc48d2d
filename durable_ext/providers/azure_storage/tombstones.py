"""Notes of which instances have tombstones, under `^tombstones` by time, so that a sweep need not search (P10).

Purges at the same time share a call: whoever writes takes along what waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import islice

from durable_ext.providers.azure_storage.changes import key_of, make
from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.names import TOMBSTONES_KEY, digest
from durable_ext.providers.azure_storage.odata import time_text
from durable_ext.providers.azure_storage.transactions import MOST_CHANGES


class Tombstones:
    """The notes of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History) -> None:
        self._client = client
        self._table = table
        self._history = history
        self._waiting: dict[str, Entity] = {}
        self._writing = asyncio.Lock()

    async def note(self, instance_id: str, now: datetime) -> None:
        """Note an instance whose tombstones follow: a note too many is harmless, one too few is not (P13)."""
        note: Entity = {
            "PartitionKey": TOMBSTONES_KEY,
            "RowKey": f"{time_text(now)}-{digest(instance_id)}",
            "InstanceId": instance_id,
        }
        key = str(note["RowKey"])
        self._waiting[key] = note
        try:
            async with self._writing:
                while key in self._waiting:
                    await self._write()
        finally:
            self._waiting.pop(key, None)

    async def _write(self) -> None:
        """Write what has waited longest."""
        together = dict(islice(self._waiting.items(), MOST_CHANGES))
        await make(self._client, self._table, list(together.values()))
        for key in together:
            self._waiting.pop(key, None)

    async def older_than(self, time: datetime) -> AsyncIterator[list[Entity]]:
        """The notes of purges before a time, in portions."""
        where = Condition("PartitionKey", "eq", TOMBSTONES_KEY), Condition("RowKey", "lt", time_text(time))
        portion: list[Entity] = []
        async for note in self._history.scan(Query(where)):
            portion.append(note)
            if len(portion) == MOST_CHANGES:
                yield portion
                portion = []
        if portion:
            yield portion

    async def forget(self, notes: Sequence[Entity]) -> None:
        """Delete notes. Gone already is done (P13)."""
        await make(self._client, self._table, [key_of(note) for note in notes])
