"""Changes of one partition, as many together as storage takes; more than that in several calls."""

from __future__ import annotations

from collections.abc import Sequence

from durable_ext.providers.azure_storage.client import Change, Entity, Key, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.transactions import MOST_CHANGES


def key_of(entity: Entity) -> Key:
    """What names an entity."""
    return Key(str(entity["PartitionKey"]), str(entity["RowKey"]))


async def make(client: StorageClient, table: str, changes: Sequence[Change]) -> None:
    """Put, then delete: what is put stands before what is deleted. Doing it again does the same (P13)."""
    parts = [changes[start : start + MOST_CHANGES] for start in range(0, len(changes), MOST_CHANGES)]
    putting = [part for part in parts if not all(isinstance(change, Key) for change in part)]
    for part in putting:
        await _together(client, table, part)

    async def delete(part: Sequence[Change]) -> None:
        await _together(client, table, part)

    await each(parts[len(putting) :], delete)


async def _together(client: StorageClient, table: str, part: Sequence[Change]) -> None:
    if len(part) > 1:
        try:
            await client.change_entities(table, part)
        except StorageRefusedError as refused:
            if refused.status != 404:
                raise
        else:
            return
    # Alone, or with one among them that is gone: taken by others, or by our own call, made again after a lost answer.
    for change in part:
        if not isinstance(change, Key):
            await client.put_entity(table, change)

    async def delete(key: Key) -> None:
        await client.delete_entity(table, *key)

    await each([change for change in part if isinstance(change, Key)], delete)
