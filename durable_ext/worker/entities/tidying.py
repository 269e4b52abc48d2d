"""What the janitor does for an entity at rest: a row that lags is written again (P8), and a lock is released whose
holder is gone."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import Message, ReleaseLock
from durable_ext.worker.entities.locks import is_orphaned
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent

logger = logging.getLogger("durable_ext.janitor")

# A row is looked at again once it has rested an eighth longer, so that entities at rest cost less and less.
_REST_PER_LOOK = 8
_LONGEST_UNSEEN = timedelta(hours=1)
# Of more entities than that the janitor forgets when it saw them, and looks early.
_MOST_REMEMBERED = 10_000


class EntityTidying:
    """One per janitor."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._seen: dict[str, datetime] = {}

    async def tidy(self, row: InstanceRow, now: datetime) -> None:
        """See to one entity at rest. Raises StorageError."""
        summary = EntitySummary.of(row.custom_status)
        if summary.lock and await is_orphaned(self._services.provider, self._services.catalog, summary):
            await self._release(row.instance_id, summary.lock)
        seen = self._seen.get(row.instance_id)
        if seen is None or now - seen >= min((now - row.updated_at) / _REST_PER_LOOK, _LONGEST_UNSEEN):
            await self._mend(row)
            self._remember(row.instance_id, now)

    async def _mend(self, row: InstanceRow) -> None:
        found = await self._services.loader.load(row.instance_id)
        if not isinstance(found, Absent) and found.row_lags:
            await self._services.projector.write(found.row, found.etag)
            logger.info("entity %s: its row lagged behind history", row.instance_id)

    def _remember(self, entity_id: str, now: datetime) -> None:
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen[entity_id] = now

    async def _release(self, entity_id: str, lock: str) -> None:
        """The holder's last turn says so too; this is for one that was purged, or whose message is gone."""
        message = Message(
            id=uuid.uuid4().hex, instance_id=entity_id, body=ReleaseLock(lock=lock), sent_at=self._services.clock()
        )
        await self._services.provider.send([message])
        logger.warning("entity %s: its lock was released, because its holder is over", entity_id)
