"""Claims of at-most-once work items: rows in the instance's own History partition, behind all turns.

One insert decides, as for a turn (P2). A claim goes when nothing can ask for it any more: with its instance, or when it
is older than any delivery.
"""

from __future__ import annotations

from durable_ext.providers.azure_storage.client import Entity, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.names import CLAIM_PREFIX, digest, escape
from durable_ext.providers.contract import Clock


class Claims:
    """The claims of one hub."""

    def __init__(self, client: StorageClient, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
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
