"""The provider over SQLite: hands each verb to the room that knows it. No behaviour of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from durable_ext.errors import ConfigurationError, HubNotFoundError, StorageError
from durable_ext.providers.contract import Catalog, Clock, Feed, InstanceFilter, Loaded, Page, Provider, VersionedRow
from durable_ext.providers.sqlite import (
    affinities,
    catalog,
    claims,
    history,
    instances,
    journals,
    progress,
    purging,
    quarantine,
    schema,
    withdrawals,
)
from durable_ext.providers.sqlite.database import Database, Synchronous
from durable_ext.providers.sqlite.feed import QueueFeed
from durable_ext.providers.sqlite.queues import Queues, control, delivery_of, work
from durable_ext.providers.sqlite.times import time_text
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.limits import DEFAULT_PARTITIONS, MAX_DELIVERY_AGE, MAX_PARTITIONS
from durable_ext.records.messages import Delivery, Message, Quarantined
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.progress import Report
from durable_ext.records.turns import Turn

T = TypeVar("T")

# A file takes any payload in place; this is less than its own limit for one text, a billion bytes.
_INLINE_LIMIT = 2**31 - 1


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class SqliteProvider(Provider, Feed, Catalog):
    """Provider, feed and catalog of the one hub in a SQLite file, or in `:memory:`. Use it in one event loop only.

    Other processes may use the file at the same time. `synchronous` NORMAL (the default) survives the death of the
    process; FULL survives a power cut too, and each commit waits for the disk. Raises ConfigurationError for a
    partition count that cannot be.
    """

    inline_limit = _INLINE_LIMIT

    def __init__(
        self,
        path: str | Path,
        *,
        hub: str = "DurableHub",
        partitions: int = DEFAULT_PARTITIONS,
        clock: Clock = utc_now,
        synchronous: Synchronous = Synchronous.NORMAL,
    ) -> None:
        if not 1 <= partitions <= MAX_PARTITIONS:
            raise ConfigurationError(f"a task hub has 1 to {MAX_PARTITIONS} partitions, not {partitions}")
        self.hub = hub
        self.partitions = partitions
        self._clock = clock
        self._database = Database(path, synchronous)
        self._queues = Queues(self._database, partitions, clock)
        self._feed = QueueFeed(self._queues, clock, polls=not self._database.in_memory)

    # Provider

    async def create_hub(self) -> None:
        self._database.create()
        await self._database.write(partial(schema.create, hub=self.hub, partitions=self.partitions))

    async def check_hub(self) -> None:
        if not self._database.exists() or not await self._database.read(schema.is_there):
            raise HubNotFoundError(
                f"there is no task hub in {self._database.where}: name another one, start its host, "
                "or create it by `durable hub create`"
            )
        await self.create_hub()  # checks, and adds the columns that an earlier build did not have

    async def delete_hub(self) -> None:
        if self._database.exists():
            await self._database.write(schema.empty)

    async def close(self) -> None:
        await self._database.close()

    async def create_row(self, row: InstanceRow, *, replacing: str | None = None) -> str:
        columns = instances.columns_of(row)
        if replacing is None:
            return await self._database.write(lambda db: instances.insert(db, columns))
        return await self._database.write(lambda db: instances.take_over(db, columns, replacing))

    async def update_row(self, row: InstanceRow, etag: str) -> str:
        columns = instances.columns_of(row)
        return await self._database.write(lambda db: instances.replace(db, columns, etag))

    async def read_row(self, instance_id: str) -> VersionedRow | None:
        return await self._database.read(lambda db: instances.read(db, instance_id))

    async def load(self, instance_id: str) -> Loaded:
        return await self._database.read(lambda db: history.load(db, instance_id))

    async def consumed(self, instance_id: str) -> frozenset[str]:
        return await self._database.read(lambda db: history.consumed(db, instance_id))

    async def append(self, turn: Turn) -> None:
        columns = history.columns_of(turn)
        await self._database.write(lambda db: history.append(db, columns))

    async def send(self, messages: Sequence[Message]) -> None:
        await self._queues.send(messages)

    async def reserve(self, message: Message, lease: timedelta) -> Delivery:
        return await self._queues.reserve(message, lease)

    async def complete(self, delivery: Delivery) -> None:
        await self._queues.complete(delivery)

    async def abandon(self, delivery: Delivery, delay: timedelta = timedelta(0)) -> None:
        await self._queues.abandon(delivery, delay)

    async def extend(self, delivery: Delivery, lease: timedelta) -> Delivery:
        return await self._queues.extend(delivery, lease)

    async def open_delivery(self, queue: str, message_id: str, body: str, dequeue_count: int) -> Delivery:
        return delivery_of(queue, message_id, None, body, dequeue_count)

    async def put_payload(self, instance_id: str, data: bytes, *, owner: str = "") -> Payload:
        return inline(data)

    async def get_payload(self, payload: Payload) -> bytes:
        if payload.blob is not None:
            raise StorageError(f"the payload names blob {payload.blob!r}, and this store has none")
        return payload.data

    async def quarantine(self, message: Quarantined) -> None:
        await self._database.write(lambda db: quarantine.keep(db, message))

    async def write_journal(self, journal: Journal, *, replacing: str | None = None) -> bool:
        columns = journals.columns_of(journal)
        return await self._database.write(lambda db: journals.write(db, columns, replacing))

    async def delete_journal(self, process_id: str) -> None:
        await self._database.write(lambda db: journals.delete(db, process_id))

    async def journals(self) -> Sequence[KeptJournal]:
        return await self._database.scan(journals.everyone)

    async def withdraw(self, work_items: Sequence[str], time: datetime) -> None:
        noted = time_text(time)
        await self._database.write(lambda db: withdrawals.note(db, work_items, noted))

    async def withdrawn(self, since: datetime) -> frozenset[str]:
        return await self._database.read(lambda db: withdrawals.since(db, time_text(since)))

    async def claim(self, instance_id: str, work_item: str, claimant: str) -> bool:
        now = time_text(self._clock())
        return await self._database.write(lambda db: claims.claim(db, instance_id, work_item, claimant, now))

    async def write_progress(self, report: Report) -> None:
        await self._database.write(lambda db: progress.write(db, report, time_text(report.time)))

    async def progress(self, instance_id: str) -> Sequence[Report]:
        return await self._database.read(lambda db: progress.of(db, instance_id))

    async def delete_progress(self, instance_id: str, work_item: str) -> None:
        await self._database.write(lambda db: progress.delete(db, instance_id, work_item))

    async def hold_affinity(self, name: str, holder: str, lease: timedelta) -> str:
        now = self._clock()
        times = time_text(now), time_text(now + lease)
        return await self._database.write(lambda db: affinities.hold(db, name, holder, *times))

    async def release_affinity(self, name: str, holder: str) -> None:
        await self._database.write(lambda db: affinities.release(db, name, holder))

    async def oldest_work(self, tag: str = "") -> datetime | None:
        return await self._queues.oldest(work(tag))

    async def oldest_control(self, partition: int) -> datetime | None:
        return await self._queues.oldest(control(partition))

    # Feed

    async def next_visible(self) -> datetime | None:
        """When the first message of all queues is visible, or was; None when there is no message at all."""
        return await self._queues.next_visible_of_all()

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        return await self._feed.receive(control(partition), limit=limit, lease=lease, wait=wait)

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        return await self._feed.receive(work(tag), limit=limit, lease=lease, wait=wait)

    # Catalog

    async def query(self, where: InstanceFilter, *, limit: int = 100, continuation: str | None = None) -> Page:
        catalog.check_limit(limit)
        after = catalog.decode_place(continuation)
        return await self._database.scan(lambda db: catalog.query(db, where, limit, after))

    async def count(self, where: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        return await self._database.scan(lambda db: catalog.count(db, where))

    async def history(
        self, instance_id: str, execution_id: str | None = None, *, generation: int | None = None
    ) -> Sequence[Turn]:
        if execution_id is None:
            return (await self.load(instance_id)).turns
        return await self._database.read(lambda db: history.find(db, instance_id, execution_id, generation))

    async def purge(self, row: InstanceRow, *, etag: str | None = None) -> None:
        now = time_text(self._clock())
        await self._shrinking(lambda db: purging.purge(db, row.execution, now))

    async def prune(self, instance_id: str, *, below_generation: int, older_than: datetime) -> None:
        time = time_text(older_than)
        await self._database.write(lambda db: purging.prune(db, instance_id, below_generation, time))

    async def sweep(self, older_than: datetime) -> int:
        time = time_text(older_than)
        outlived = time_text(older_than - MAX_DELIVERY_AGE)
        await self._database.write(lambda db: withdrawals.sweep(db, outlived))
        await self._database.write(lambda db: affinities.sweep(db, time))
        logs = await self._database.scan(lambda db: purging.headless(db, time))
        return await self._shrinking(lambda db: purging.sweep(db, time, logs))

    async def _shrinking(self, operation: Callable[[Connection], T]) -> T:
        """Do it, and give the room it freed back to the disk, a little in each transaction."""
        result, goes_on = await self._database.write(lambda db: (operation(db), purging.shrink(db)))
        while goes_on:
            goes_on = await self._database.write(purging.shrink)
        return result

    async def list_quarantined(self, *, limit: int = 100) -> Sequence[Quarantined]:
        return await self._database.read(lambda db: quarantine.oldest(db, limit))

    async def read_quarantined(self, message_id: str) -> Quarantined | None:
        return await self._database.read(lambda db: quarantine.find(db, message_id))

    async def release_quarantined(self, message_id: str, *, replay: bool) -> bool:
        visible_at = time_text(self._clock()) if replay else None
        queue = await self._queues.write_to_any(
            lambda db: quarantine.release(db, message_id, visible_at, self._queues.home_of)
        )
        return queue is not None
