"""Progress of running activities: rows in the instance's own History partition, behind its claims.

Whoever lists an instance's claims finds these too, so that they go with their instance.
"""

from __future__ import annotations

from collections.abc import Sequence

from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.names import PROGRESS_PREFIX, digest, escape
from durable_ext.providers.azure_storage.rows import time_of
from durable_ext.records.payloads import inline
from durable_ext.records.progress import Report

_SELECT = ("PartitionKey", "RowKey", "WorkItemId", "TaskId", "Name", "Value", "Time")


class Reports:
    """The progress reports of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History) -> None:
        self._client = client
        self._table = table
        self._history = history

    async def write(self, report: Report) -> None:
        """Put the row of the work item. The newest content wins, so doing it twice is harmless (P13)."""
        entity: Entity = {
            "PartitionKey": escape(report.instance_id),
            "RowKey": _key(report.work_item),
            "WorkItemId": report.work_item,
            "TaskId": report.task_id,
            "Name": report.name,
            "Value": report.value.data.decode(),
            "Time": report.time,
        }
        await self._client.put_entity(self._table, entity)

    async def of(self, instance_id: str) -> Sequence[Report]:
        """The reports of an instance's activities."""
        where = Condition("PartitionKey", "eq", escape(instance_id)), Condition("RowKey", "ge", PROGRESS_PREFIX)
        return [_report(instance_id, entity) async for entity in self._history.scan(Query(where, _SELECT))]

    async def delete(self, instance_id: str, work_item: str) -> None:
        """Delete the row of a work item. Gone already is done (P13)."""
        await self._client.delete_entity(self._table, escape(instance_id), _key(work_item))


def _key(work_item: str) -> str:
    return PROGRESS_PREFIX + digest(work_item)


def _report(instance_id: str, entity: Entity) -> Report:
    return Report(
        instance_id=instance_id,
        work_item=str(entity["WorkItemId"]),
        task_id=int(str(entity["TaskId"])),
        name=str(entity["Name"]),
        time=time_of(entity["Time"]),
        value=inline(str(entity["Value"]).encode()),
    )
