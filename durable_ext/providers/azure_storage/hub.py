"""Creates and deletes the artefacts of a hub, and holds callers to how it was created.

The record is a row of the History table that no instance can have: partition count and format version, written once.
"""

from __future__ import annotations

from durable_ext.errors import ConfigurationError, HubMismatchError
from durable_ext.providers.azure_storage.client import (
    Condition,
    Continuation,
    Entity,
    Query,
    StorageClient,
    StorageRefusedError,
)
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.names import HUB_KEY, POISON_SUFFIX, TAG_PREFIX, HubNames
from durable_ext.providers.contract import Clock
from durable_ext.records.codec import FORMAT_VERSION

_ROW_KEY = ""


async def create_hub(client: StorageClient, names: HubNames, clock: Clock) -> None:
    """Create what is missing, the record before the queues that depend on it. Repeatable.

    Raises HubMismatchError, ConfigurationError when the credentials are refused, and StorageUnavailableError.
    """
    try:
        await client.create_table(names.history)
    except StorageRefusedError as refused:
        if refused.status not in (401, 403):
            raise
        raise ConfigurationError(
            f"storage refuses the credentials of the connection: {refused.status} {refused.code}"
        ) from refused
    await _check_record(client, names, clock)
    await each((names.instances, names.quarantine), client.create_table)
    await each((*names.control, names.work), client.create_queue)
    await client.create_container(names.blobs)


async def delete_hub(client: StorageClient, names: HubNames) -> None:
    """Delete all artefacts, those of the Functions host for this hub too, the record last. Repeatable."""
    queues = (*names.control, names.work, *await _queues_of_tags(client, names))
    await each((*queues, *(queue + POISON_SUFFIX for queue in queues)), client.delete_queue)
    await client.delete_container(names.blobs)
    await each((names.instances, names.quarantine, names.history), client.delete_table)


async def _queues_of_tags(client: StorageClient, names: HubNames) -> list[str]:
    of_hub = Query((Condition("PartitionKey", "eq", HUB_KEY), Condition("RowKey", "ge", TAG_PREFIX)))
    queues: list[str] = []
    continuation: Continuation | None = None
    while True:
        try:
            page = await client.query_entities(names.history, of_hub, continuation)
        except StorageRefusedError as refused:
            if refused.status != 404:
                raise
            return queues  # the table is gone, and the record with it
        queues += [str(entity["Queue"]) for entity in page.entities]
        continuation = page.continuation
        if continuation is None:
            return queues


async def _check_record(client: StorageClient, names: HubNames, clock: Clock) -> None:
    record: Entity = {
        "PartitionKey": HUB_KEY,
        "RowKey": _ROW_KEY,
        "TaskHubName": names.hub,
        "PartitionCount": names.partitions,
        "FormatVersion": FORMAT_VERSION,
        "CreatedTime": clock(),
    }
    found = await client.read_entity(names.history, HUB_KEY, _ROW_KEY)
    if found is None:
        try:
            await client.insert_entity(names.history, record)
        except StorageRefusedError as refused:
            if refused.status != 409:
                raise
            found = await client.read_entity(names.history, HUB_KEY, _ROW_KEY)
    if found is None:
        return
    for column, what in (("PartitionCount", "partitions"), ("FormatVersion", "format version")):
        if found.entity.get(column) != record[column]:
            raise HubMismatchError(
                f"the task hub {names.hub!r} was created with {what} {found.entity.get(column)}, "
                f"but this app has {record[column]}; use the same, or another hub"
            )
