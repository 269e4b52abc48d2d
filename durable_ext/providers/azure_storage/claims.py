"""Claims of at-most-once work items: rows in the instance's own History partition, behind all turns.

One insert decides, as for a turn (P2). A claim goes when nothing can ask for it any more: with its instance, or when it
is older than any delivery.
"""

from __future__ import annotations

from datetime import datetime

from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.names import CLAIM_PREFIX, digest, escape
from durable_ext.providers.contract import Clock

_SELECT = ("PartitionKey", "RowKey")


class Claims:
    """The claims of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._history = history
        self._clock = clock

    async def claim(self, instance_id: str, work_item: str, claimant: str) -> bool:
        """Insert the claim; False when another claimant's is there.

        A conflict may be our own insert, tried again after its answer was lost: the claimant tells (P13). One that is
        gone when it is read back was removed with its instance: not begun twice is what counts.
        """
        entity: Entity = {
            "PartitionKey": escape(instance_id),
            "RowKey": CLAIM_PREFIX + digest(work_item),
            "WorkItemId": work_item,
            "Claimant": claimant,
            "Time": self._clock(),
        }
        try:
            await self._client.insert_entity(self._table, entity)
        except StorageRefusedError as refused:
            if refused.status != 409:
                raise
            found = await self._client.read_entity(self._table, str(entity["PartitionKey"]), str(entity["RowKey"]))
            return found is not None and found.entity["Claimant"] == claimant
        return True

    async def of(self, instance_id: str, older_than: datetime | None = None) -> list[Entity]:
        """The keys of an instance's claims, or of those made before a time."""
        where = (
            Condition("PartitionKey", "eq", escape(instance_id)),
            Condition("RowKey", "ge", CLAIM_PREFIX),
        )
        if older_than is not None:
            where = (*where, Condition("Time", "lt", older_than))
        return [entity async for entity in self._history.scan(Query(where, _SELECT))]

    async def remove(self, claims: list[Entity]) -> None:
        """Delete claims. Gone already is done (P13)."""

        async def delete(entity: Entity) -> None:
            await self._client.delete_entity(self._table, str(entity["PartitionKey"]), str(entity["RowKey"]))

        await each(claims, delete)
