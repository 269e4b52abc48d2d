"""Mends what a crash left behind and no message will: starts that were not sent, rows that lag, old tombstones."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from durable_ext.providers.contract import Catalog, InstanceFilter
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.limits import TOMBSTONE_AGE
from durable_ext.worker.client import start_message
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent

logger = logging.getLogger("durable_ext.janitor")

# A start this old that nobody has begun was probably never sent; one in a long queue is only sent once more.
_PENDING_AGE = timedelta(minutes=1)
# A row this old may lag behind its history.
_STALE_AGE = timedelta(minutes=5)
# Instances looked at in one round, so that a round has a bound whatever the hub holds.
_MOST_PER_ROUND = 200
_SWEEP_INTERVAL = timedelta(hours=1)
_LONGEST_GAP = timedelta(hours=1)


class Janitor:
    """One round at a time; where a round stopped, the next goes on."""

    def __init__(self, services: Services, catalog: Catalog) -> None:
        self._services = services
        self._catalog = catalog
        self._resent: dict[str, tuple[datetime, timedelta]] = {}
        self._continuation: str | None = None
        self._swept_at: datetime | None = None

    async def tidy(self) -> None:
        """Starts (P9), rows (P8), tombstones and logs without a start (P3, P10). Raises StorageError."""
        now = self._services.clock()
        await self._send_starts(now)
        await self._refresh_rows(now)
        if self._swept_at is None or now - self._swept_at > _SWEEP_INTERVAL:
            removed = await self._catalog.sweep(now - TOMBSTONE_AGE)
            self._swept_at = now
            if removed:
                logger.info("removed %d tombstones and logs without a start", removed)

    async def _send_starts(self, now: datetime) -> None:
        where = InstanceFilter(statuses=frozenset({RuntimeStatus.PENDING}), created_to=now - _PENDING_AGE)
        page = await self._catalog.query(where, limit=_MOST_PER_ROUND)
        waiting = {row.execution.execution_id for row in page.rows}
        self._resent = {key: value for key, value in self._resent.items() if key in waiting}
        for row in page.rows:
            await self._send_start(row, now)

    async def _send_start(self, row: InstanceRow, now: datetime) -> None:
        if row.scheduled_start is not None and row.scheduled_start > now - _PENDING_AGE:
            return
        last, gap = self._resent.get(row.execution.execution_id, (None, _PENDING_AGE))
        if last is not None and now - last < gap:
            return
        stored = await self._services.provider.read_row(row.instance_id)
        if stored is None or stored.row.status is not RuntimeStatus.PENDING:
            return
        if isinstance(found := await self._services.loader.load(row.instance_id), Absent):
            await self._services.provider.send([start_message(stored.row, stored.etag, resent=True)])
            logger.info("instance %s: its start was sent again", row.instance_id)
        elif found.row_lags:
            await self._services.projector.write(found.row, found.etag)
        self._resent[row.execution.execution_id] = now, min(gap * 2, _LONGEST_GAP)

    async def _refresh_rows(self, now: datetime) -> None:
        statuses = frozenset({RuntimeStatus.RUNNING, RuntimeStatus.SUSPENDED})
        where = InstanceFilter(statuses=statuses, updated_to=now - _STALE_AGE)
        page = await self._catalog.query(where, limit=_MOST_PER_ROUND, continuation=self._continuation)
        self._continuation = page.continuation
        for row in page.rows:
            found = await self._services.loader.load(row.instance_id)
            if isinstance(found, Absent) or not found.row_lags:
                continue
            await self._services.projector.write(found.row, found.etag)
            logger.info("instance %s: its row lagged behind history", row.instance_id)
