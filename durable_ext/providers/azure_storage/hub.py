"""Creates and deletes the artefacts of a hub, and holds callers to how it was created.

The record is a row of the History table that no instance can have: partition count and format version, written once.
"""

from __future__ import annotations

from durable_ext.errors import ConfigurationError, HubMismatchError, HubNotFoundError
from durable_ext.providers.azure_storage.client import (
    Condition,
    Continuation,
    Entity,
    Query,
    StorageClient,
    StorageRefusedError,
)
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.foreign import refuse_foreign_hub
from durable_ext.providers.azure_storage.names import HUB_KEY, POISON_SUFFIX, TAG_PREFIX, HubNames
from durable_ext.providers.contract import Clock
from durable_ext.records.codec import FORMAT_VERSION

_ROW_KEY = ""


async def create_hub(client: StorageClient, names: HubNames, clock: Clock) -> None:
    """Create what is missing, the record before the queues that depend on it. Repeatable.

    Raises HubMismatchError, ConfigurationError when the credentials are refused, and StorageUnavailableError.
    """
    found = await _record(client, names)
    if found is None:
        await refuse_foreign_hub(client, names)
        await client.create_table(names.history)
        found = await _write_record(client, names, clock)
    _check(found, names)
    await each((names.instances, names.quarantine), client.create_table)
    await each((*names.control, names.work), client.create_queue)
    await client.create_container(names.blobs)


async def check_hub(client: StorageClient, names: HubNames) -> None:
    """See that the hub is there and was made alike. Raises HubNotFoundError, and as create_hub does."""
    found = await _record(client, names)
    if found is None:
        await refuse_foreign_hub(client, names)
        raise HubNotFoundError(
            f"there is no task hub {names.hub!r} in this storage account: check its name (DURABLE_HUB, --hub), "
            "start its host, or create it by `durable hub create`"
        )
    _check(found, names)


async def delete_hub(client: StorageClient, names: HubNames) -> None:
    """Delete all artefacts, those of the Functions host for this hub too, the record last. Repeatable."""
    queues = (*names.control, names.work, *await _queues_of_tags(client, names))
    await each((*queues, *(queue + POISON_SUFFIX for queue in queues)), client.delete_queue)
    await client.delete_container(names.blobs)
    await each((names.instances, names.quarantine), client.delete_table)
    await client.delete_table(names.history)


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


async def _record(client: StorageClient, names: HubNames) -> Entity | None:
    try:
        found = await client.read_entity(names.history, HUB_KEY, _ROW_KEY)
    except StorageRefusedError as refused:
        if refused.status in (401, 403):
            raise ConfigurationError(
                f"storage refuses the credentials of the connection: {refused.status} {refused.code}"
            ) from refused
        if refused.status != 404:
            raise
        return None
    return None if found is None else found.entity


async def _write_record(client: StorageClient, names: HubNames, clock: Clock) -> Entity:
    """The record: ours, or that of whoever was quicker."""
    record: Entity = {
        "PartitionKey": HUB_KEY,
        "RowKey": _ROW_KEY,
        "TaskHubName": names.hub,
        "PartitionCount": names.partitions,
        "FormatVersion": FORMAT_VERSION,
        "CreatedTime": clock(),
    }
    try:
        await client.insert_entity(names.history, record)
    except StorageRefusedError as refused:
        if refused.status == 404:  # storage that has a table of that name, and tells names apart by their case
            raise HubMismatchError(_other_case(names, "a name in other case")) from refused
        if refused.status != 409:
            raise
        return await _record(client, names) or record
    return record


def _check(found: Entity, names: HubNames) -> None:
    if found.get("TaskHubName") != names.hub:
        raise HubMismatchError(_other_case(names, repr(found.get("TaskHubName"))))
    wanted = (("PartitionCount", "partitions", names.partitions), ("FormatVersion", "format version", FORMAT_VERSION))
    for column, what, value in wanted:
        if found.get(column) != value:
            raise HubMismatchError(
                f"the task hub {names.hub!r} was created with {what} {found.get(column)}, "
                f"but this app has {value}; use the same, or another hub"
            )


def _other_case(names: HubNames, other: str) -> str:
    return (
        f"the task hub {names.hub!r} is in this storage account as {other}, and names of tables ignore case: "
        "write the name of the hub as it was written first, or use another one"
    )
