"""Mends what a crash left behind and no message will: starts that were not sent, rows that lag, old tombstones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from durable_ext.errors import StorageError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.failures import reason_of
from durable_ext.records.ids import check_tag
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.limits import MAX_DELIVERY_AGE, TOMBSTONE_AGE
from durable_ext.worker.client import start_message
from durable_ext.worker.entities.tidying import EntityTidying
from durable_ext.worker.looks import AT_REST, Looks
from durable_ext.worker.outstanding import Outstanding
from durable_ext.worker.reminders import Reminders
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent, SessionState
from durable_ext.worker.telemetry import Level, Reading

logger = logging.getLogger("durable_ext.janitor")

# A start this old that nobody has begun was probably never sent; one in a long queue is only sent once more.
_PENDING_AGE = timedelta(seconds=15)
# An entity's row this old may lag behind its history.
_STALE_AGE = timedelta(minutes=5)
# Rows of a page; also the histories read in one round, give or take a page, and the pages of a round: a round has a
# bound whatever the hub holds.
_MOST_PER_ROUND = 200
_MOST_PAGES = 10
# A storage that has refused so many calls of a chore is asked no more for now, then once more after a pause.
_MOST_REFUSED = 3
_PAUSE = timedelta(seconds=5)
_SWEEP_INTERVAL = timedelta(hours=1)
_PRUNE_INTERVAL = timedelta(days=1)


Chore: TypeAlias = Callable[[datetime], Awaitable[None]]


class Janitor:
    """One round at a time; where a round stopped, the next goes on."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._catalog = services.catalog
        self._starts = Reminders(_PENDING_AGE)
        self._looks = Looks()
        self._read = 0
        self._outstanding = Outstanding(services)
        self._pending_place: str | None = None
        self._running_place: str | None = None
        self._entities = EntityTidying(services)
        self._entities_place: str | None = None
        self._pruned: dict[str, datetime] = {}
        self._swept_at: datetime | None = None
        self._oldest_work: dict[str, datetime] = {}

    async def tidy(self) -> None:
        """Dead processes (F2), starts (P9), rows (P8), debts (P6), tombstones and logs without a start (P3, P10).

        What storage refuses keeps nothing else from being done, and is tried once more before the next round.
        Raises StorageError.
        """
        # Last: what only a gauge wants must not keep the round from anything.
        watch, starts, rows, entities = self._watch, self._send_starts, self._refresh_rows, self._refresh_entities
        refused = await self._do((watch, starts, rows, entities, self._sweep, self._look))
        if refused:
            await asyncio.sleep(_PAUSE.total_seconds())
            refused = await self._do(tuple(refused))
        for error in refused.values():
            raise error

    async def _do(self, chores: Sequence[Chore]) -> dict[Chore, StorageError]:
        """One after the other; those that storage refused, and may do later."""
        refused: dict[Chore, StorageError] = {}
        for chore in chores:
            try:
                await chore(self._services.clock())
            except StorageError as error:
                if error.retryable:
                    refused[chore] = error
                else:
                    logger.error("a part of this round failed: %s", error)
            except Exception as error:  # noqa: BLE001 - what fails in one of them each time must not silence the others
                self._services.mishaps.met("janitor", error)
        return refused

    def readings(self) -> Iterable[Reading]:
        """How long the oldest work item of each queue served here waits, as of the last round."""
        now = self._services.clock()
        for tag, since in list(self._oldest_work.items()):
            yield Reading(Level.OLDEST_WORK, max((now - since).total_seconds(), 0.0), {"durable.work.tag": tag})

    async def _watch(self, _now: datetime) -> None:
        await self._services.heartbeat.watch()

    async def _sweep(self, now: datetime) -> None:
        if self._swept_at is not None and now - self._swept_at <= _SWEEP_INTERVAL:
            return
        removed = await self._catalog.sweep(now - TOMBSTONE_AGE)
        self._swept_at = now
        if removed:
            logger.info("removed %d tombstones and logs without a start", removed)

    async def _look(self, _now: datetime) -> None:
        """How long the work items of each queue wait."""
        if not self._services.settings.telemetry.measures:
            return
        found = {
            tag: await self._services.provider.oldest_work(check_tag(tag)) for tag in self._services.settings.work_tags
        }
        self._oldest_work = {tag: since for tag, since in found.items() if since is not None}

    async def _send_starts(self, now: datetime) -> None:
        where = InstanceFilter(statuses=frozenset({RuntimeStatus.PENDING}), created_to=now - _PENDING_AGE)
        page = await self._catalog.query(where, limit=_MOST_PER_ROUND, continuation=self._pending_place)
        self._pending_place = page.continuation
        await self._each(page.rows, lambda row: self._send_start(row, now))

    async def _send_start(self, row: InstanceRow, now: datetime) -> None:
        if row.scheduled_start is not None and row.scheduled_start > now - _PENDING_AGE:
            return
        if not self._starts.is_due(row.execution.execution_id, now) or self._is_for_others(row):
            return
        stored = await self._services.provider.read_row(row.instance_id)
        if stored is None or stored.row.status is not RuntimeStatus.PENDING:
            return
        start = start_message(stored.row, stored.etag, resent=True)
        if not await self._services.heartbeat.holds([start.id]):
            found = await self._services.loader.load(row.instance_id)
            if not isinstance(found, Absent) and found.row_lags:
                await self._services.projector.write(found.row, found.etag)
            # Also when history has begun: the session that should have written the row is gone, and the start, which
            # comes as a repeat, sends what is owed (P6).
            await self._services.provider.send([start])
            logger.info("instance %s: its start was sent again", row.instance_id)
        self._starts.sent(row.execution.execution_id, now)

    def _is_for_others(self, row: InstanceRow) -> bool:
        """Whether the janitor of another version sees to a start: each copy sent from here would only be put off."""
        acceptance = self._services.acceptance
        return acceptance.puts_off and acceptance.refusal_of(row.name, row.version) is not None

    async def _refresh_rows(self, now: datetime) -> None:
        statuses = frozenset({RuntimeStatus.RUNNING, RuntimeStatus.SUSPENDED})
        where = InstanceFilter(statuses=statuses, entities=False)
        self._pruned = {key: at for key, at in self._pruned.items() if now - at < _PRUNE_INTERVAL}
        self._read = 0
        try:
            for _ in range(_MOST_PAGES):
                page = await self._catalog.query(where, limit=_MOST_PER_ROUND, continuation=self._running_place)
                self._running_place = page.continuation
                await self._each(page.rows, lambda row: self._refresh_row(row, now))
                if page.continuation is None or self._read >= _MOST_PER_ROUND:
                    break
        finally:
            await self._outstanding.send()

    async def _refresh_entities(self, now: datetime) -> None:
        where = InstanceFilter(statuses=frozenset({RuntimeStatus.RUNNING}), updated_to=now - _STALE_AGE, entities=True)
        page = await self._catalog.query(where, limit=_MOST_PER_ROUND, continuation=self._entities_place)
        self._entities_place = page.continuation
        await self._each(page.rows, lambda row: self._refresh_entity(row, now))

    async def _refresh_entity(self, row: InstanceRow, now: datetime) -> None:
        await self._prune(row, now)
        await self._entities.tidy(row, now)

    async def _refresh_row(self, row: InstanceRow, now: datetime) -> None:
        await self._prune(row, now)
        if not self._looks.is_due(row, now):
            return
        self._read += 1
        found = await self._services.loader.load(row.instance_id)
        again = None if isinstance(found, Absent) else await self._see_to(found, now)
        self._looks.looked(row, now, again)

    async def _see_to(self, found: SessionState, now: datetime) -> datetime | None:
        """Mend a row that lags, and see what the instance waits for; when to look again at the latest."""
        last = found.ledger.last_turn
        if found.row_lags and last is not None and now - last.time < AT_REST:
            return last.time + AT_REST
        if found.row_lags:
            await self._services.projector.write(found.row, found.etag)
            logger.info("instance %s: its row lagged behind history", found.execution.instance_id)
        # Of one that is stuck what is missing lies in quarantine: its activities would run again for nothing.
        return None if found.row.stuck is not None else await self._outstanding.look(found)

    async def _prune(self, row: InstanceRow, now: datetime) -> None:
        """Executions that continued as new go when no delivery can refer to them any more (P7)."""
        if row.execution.generation == 0 or row.instance_id in self._pruned:
            return
        await self._catalog.prune(
            row.instance_id, below_generation=row.execution.generation, older_than=now - MAX_DELIVERY_AGE
        )
        self._pruned[row.instance_id] = now

    async def _each(self, rows: Sequence[InstanceRow], tidy: Callable[[InstanceRow], Awaitable[None]]) -> None:
        """One after the other; an instance that cannot be read does not keep the others waiting (P11)."""
        refused: list[StorageError] = []
        for row in rows:
            try:
                await tidy(row)
            except StorageError as error:
                if not error.retryable:
                    logger.error("instance %s cannot be tidied: %s", row.instance_id, error)
                    continue
                refused.append(error)
                if len(refused) >= _MOST_REFUSED:
                    break
            except Exception as error:  # noqa: BLE001 - as above, whatever it was
                logger.error("instance %s cannot be tidied: %s", row.instance_id, reason_of(error))
                self._services.mishaps.met("janitor", error)
        if refused:
            raise refused[0]
