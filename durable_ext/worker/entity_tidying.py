"""What the janitor does for an entity at rest: a row that lags is written again (P8), and a lock is released whose
holder is gone."""

from __future__ import annotations

import logging
import uuid

from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import Message, ReleaseLock
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent

logger = logging.getLogger("durable_ext.janitor")


class EntityTidying:
    """One per janitor."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def tidy(self, row: InstanceRow) -> None:
        """See to one entity at rest. Raises StorageError."""
        summary = EntitySummary.of(row.custom_status)
        if summary.lock and await self._is_over(summary.locked_by):
            await self._release(row.instance_id, summary.lock)
        found = await self._services.loader.load(row.instance_id)
        if not isinstance(found, Absent) and found.row_lags:
            await self._services.projector.write(found.row, found.etag)
            logger.info("entity %s: its row lagged behind history", row.instance_id)

    async def _is_over(self, instance_id: str) -> bool:
        holder = await self._services.provider.read_row(instance_id)
        return holder is None or holder.row.status.is_terminal

    async def _release(self, entity_id: str, lock: str) -> None:
        """The holder's last turn says so too; this is for one that was purged, or whose message is gone."""
        message = Message(
            id=uuid.uuid4().hex, instance_id=entity_id, body=ReleaseLock(lock=lock), sent_at=self._services.clock()
        )
        await self._services.provider.send([message])
        logger.warning("entity %s: its lock was released, because its holder is over", entity_id)
