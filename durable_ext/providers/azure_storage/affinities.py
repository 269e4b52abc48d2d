"""Which process holds an affinity: a row each, replaced under its etag, by the clock of who asks."""

from __future__ import annotations

from datetime import datetime, timedelta

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.names import AFFINITIES_KEY, digest
from durable_ext.providers.azure_storage.rows import time_of
from durable_ext.providers.contract import Clock

# Another process was there between the read and the write, or the row is gone: look again.
_OVERTAKEN = frozenset({404, 409, 412})
_MOST_LOOKS = 5


class Affinities:
    """The affinities of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._history = history
        self._clock = clock

    async def hold(self, name: str, holder: str, lease: timedelta) -> str:
        """Who holds it then. After a lost answer the next look finds the row as our own (P13)."""
        for _ in range(_MOST_LOOKS):
            now = self._clock()
            entity: Entity = {
                "PartitionKey": AFFINITIES_KEY,
                "RowKey": digest(name),
                "Name": name,
                "Holder": holder,
                "Until": now + lease,
            }
            found = await self._client.read_entity(self._table, AFFINITIES_KEY, digest(name))
            if found is not None and found.entity["Holder"] != holder and time_of(found.entity["Until"]) > now:
                return str(found.entity["Holder"])
            try:
                if found is None:
                    await self._client.insert_entity(self._table, entity)
                else:
                    await self._client.replace_entity(self._table, entity, found.etag)
            except StorageRefusedError as refused:
                if refused.status not in _OVERTAKEN:
                    raise
            else:
                return holder
        raise StorageUnavailableError(f"affinity {name!r} is asked for by too many processes at once; try again")

    async def release(self, name: str, holder: str) -> None:
        """Delete the row if it is the holder's. Gone or taken over is no error (P13)."""
        found = await self._client.read_entity(self._table, AFFINITIES_KEY, digest(name))
        if found is None or found.entity["Holder"] != holder:
            return
        try:
            await self._client.delete_entity(self._table, AFFINITIES_KEY, digest(name), found.etag)
        except StorageRefusedError as refused:
            if refused.status not in _OVERTAKEN:
                raise

    async def sweep(self, before: datetime) -> None:
        """Delete what nobody holds since a time. Gone already is done (P13)."""
        old = Query((Condition("PartitionKey", "eq", AFFINITIES_KEY), Condition("Until", "lt", before)), ("RowKey",))
        keys = [str(row["RowKey"]) async for row in self._history.scan(old)]

        async def delete(key: str) -> None:
            await self._client.delete_entity(self._table, AFFINITIES_KEY, key)

        await each(keys, delete)
