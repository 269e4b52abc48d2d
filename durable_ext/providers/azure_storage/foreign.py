"""What other engines left where our hub is to be: a hub of DurableTask's own, and single rows in our tables.

DurableTask.AzureStorage, and Durable Functions with it, name tables and queues as we do. It cannot read what we write,
nor we what it wrote, so a hub belongs to one of the two.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from durable_ext.errors import HubMismatchError
from durable_ext.providers.azure_storage.client import Entity, Query, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.names import HubNames

logger = logging.getLogger("durable_ext.storage")

# Of how many rows it is remembered that they were told of.
_MOST_TOLD = 1000


async def refuse_foreign_hub(client: StorageClient, names: HubNames) -> None:
    """Raise HubMismatchError when there are signs of another engine in a hub that has no record of ours."""
    lower = names.hub.lower()
    for table in (names.history, names.instances):
        if await _has_row(client, table):
            raise HubMismatchError(_refusal(names, f"rows in the table {table}"))
    if await _has_row(client, f"{names.hub}Partitions") is not None:
        raise HubMismatchError(_refusal(names, f"the table {names.hub}Partitions"))
    for container in (f"{lower}-applease", f"{lower}-leases"):
        if await _has_container(client, container):
            raise HubMismatchError(_refusal(names, f"the container {container}"))


def _refusal(names: HubNames, sign: str) -> str:
    return (
        f"the task hub {names.hub!r} belongs to Durable Functions or DurableTask (there is {sign}); this engine can "
        "neither read nor continue it: set DURABLE_HUB (or --hub) to a name that is not in use, and let the old app "
        "finish its instances (docs/migration.md)"
    )


async def _has_row(client: StorageClient, table: str) -> bool | None:
    """Whether a table has rows; None when there is no such table."""
    try:
        page = await client.query_entities(table, Query((), ("PartitionKey",), top=1))
    except StorageRefusedError as refused:
        if refused.status != 404:
            raise
        return None
    return bool(page.entities) or page.continuation is not None


async def _has_container(client: StorageClient, container: str) -> bool:
    try:
        await client.list_blobs(container, "")
    except StorageRefusedError as refused:
        if refused.status != 404:
            raise
        return False
    return True


class ForeignRows:
    """Steps over the rows of one table that something else wrote, and names each of them once in the log."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._told: set[tuple[str, str]] = set()

    def without(self, entities: Iterable[Entity], column: str) -> Iterator[Entity]:
        """The rows that have a column which all of ours have."""
        for entity in entities:
            if column in entity:
                yield entity
            else:
                self.tell(entity, f"it has no column {column}")

    def tell(self, entity: Entity, why: str) -> None:
        """Log that a row is stepped over, the first time."""
        key = str(entity.get("PartitionKey")), str(entity.get("RowKey"))
        if key in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add(key)
        logger.warning("row %r of the table %s is stepped over: %s", key, self._table, why)
