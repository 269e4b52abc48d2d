"""The Instances table: one row an instance, replaced under its etag (P8, P9)."""

from __future__ import annotations

from typing import NamedTuple

from durable_ext.errors import InstanceExistsError, RowChangedError, UnreadableRowError
from durable_ext.providers.azure_storage import rows
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.client import Entity, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.names import HubNames, escape, unescape
from durable_ext.providers.contract import VersionedRow
from durable_ext.records.instance import Execution, InstanceRow


class Current(NamedTuple):
    """The execution that an Instances row names, and the row's etag."""

    execution: Execution
    etag: str


class Instances:
    """Reads and writes the rows of one hub."""

    def __init__(self, client: StorageClient, names: HubNames, blobs: Blobs) -> None:
        self._client = client
        self._names = names
        self._blobs = blobs

    async def insert(self, row: InstanceRow) -> str:
        """Insert and return the etag. Raises InstanceExistsError; a row with our execution id is our own (P13)."""
        entity = await self._entity(row)
        try:
            return await self._client.insert_entity(self._names.instances, entity)
        except StorageRefusedError as refused:
            if refused.status != 409:
                raise
        own = await self._own_etag(row)
        if own is None:
            raise InstanceExistsError(f"instance {row.instance_id!r} already exists")
        return own

    async def take_over(self, row: InstanceRow, etag: str) -> str:
        """Replace the row of an instance that starts anew. Raises RowChangedError; own repeats count as done (P13)."""
        try:
            return await self.replace(row, etag)
        except RowChangedError:
            own = await self._own_etag(row)
            if own is None:
                raise
            return own

    async def replace(self, row: InstanceRow, etag: str) -> str:
        """Replace and return the new etag. Raises RowChangedError, after a lost answer too (P13)."""
        entity = await self._entity(row)
        try:
            return await self._client.replace_entity(self._names.instances, entity, etag)
        except StorageRefusedError as refused:
            if refused.status not in (404, 412):
                raise
            raise RowChangedError(f"the row of instance {row.instance_id!r} changed since it was read") from refused

    async def read(self, instance_id: str) -> VersionedRow | None:
        """The row, or None."""
        found = await self._client.read_entity(self._names.instances, escape(instance_id), rows.INSTANCE_ROW_KEY)
        return None if found is None else VersionedRow(await self.row_of(found.entity), found.etag)

    async def current(self, instance_id: str) -> Current | None:
        """Which execution the row names, without the rest of it; None when there is no row."""
        found = await self._client.read_entity(self._names.instances, escape(instance_id), rows.INSTANCE_ROW_KEY)
        if found is None:
            return None
        try:
            return Current(rows.execution_of(found.entity), found.etag)
        except (KeyError, ValueError) as error:
            raise self._unreadable(found.entity, error) from error

    def names_blobs(self, row: InstanceRow) -> bool:
        """Whether the entity of a row names a blob."""
        entity = rows.entity_of(row, self._names.hub, self._blobs.url_of)
        return bool(rows.long_columns(entity)) or any(rows.is_address(entity.get(name)) for name in rows.LONG_COLUMNS)

    async def delete(self, instance_id: str, etag: str) -> bool:
        """Delete the row unless it changed since; False then. Gone already is done (P13)."""
        try:
            await self._client.delete_entity(self._names.instances, escape(instance_id), rows.INSTANCE_ROW_KEY, etag)
        except StorageRefusedError as refused:
            if refused.status != 412:
                raise
            return False
        return True

    async def row_of(self, entity: Entity) -> InstanceRow:
        """The record of an entity. Payloads stay where they are; what else was moved is fetched."""
        for name in rows.FETCHED_COLUMNS:
            if rows.is_address(entity.get(name)):
                blob = rows.blob_of(str(entity[name]), self._blobs.container)
                entity = entity | {name: (await self._blobs.get(blob)).decode()}
        try:
            return rows.row_of(entity, self._blobs.container)
        except (KeyError, ValueError) as error:
            raise self._unreadable(entity, error) from error

    def _unreadable(self, entity: Entity, error: Exception) -> UnreadableRowError:
        what = f"it has no column {error}" if isinstance(error, KeyError) else str(error)
        return UnreadableRowError(
            f"the row of instance {unescape(str(entity['PartitionKey']))!r} in the table {self._names.instances} "
            f"cannot be read, so something else wrote it, or it is damaged: {what}"
        )

    async def _entity(self, row: InstanceRow) -> Entity:
        entity = rows.entity_of(row, self._names.hub, self._blobs.url_of)
        for name in rows.long_columns(entity):
            data = str(entity[name]).encode()
            blob = await self._blobs.put_content(row.instance_id, data)
            rows.move_column(entity, name, self._blobs.url_of(blob), len(data))
        return entity

    async def _own_etag(self, row: InstanceRow) -> str | None:
        found = await self.read(row.instance_id)
        return found.etag if found is not None and found.row.execution == row.execution else None
