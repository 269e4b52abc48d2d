"""The provider over Azure Storage: hands each verb to the room that knows it. No behaviour of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from durable_ext.providers.azure_storage.affinities import Affinities
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.catalog import Queries
from durable_ext.providers.azure_storage.claims import Claims
from durable_ext.providers.azure_storage.client import StorageClient
from durable_ext.providers.azure_storage.connection import Connection, parse_connection_string
from durable_ext.providers.azure_storage.feed import StorageFeed
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.hub import check_hub, create_hub, delete_hub
from durable_ext.providers.azure_storage.instances import Instances
from durable_ext.providers.azure_storage.journals import Journals
from durable_ext.providers.azure_storage.names import HubNames
from durable_ext.providers.azure_storage.progress import Reports
from durable_ext.providers.azure_storage.purging import Purging
from durable_ext.providers.azure_storage.quarantine import Quarantine
from durable_ext.providers.azure_storage.queues import Queues
from durable_ext.providers.azure_storage.withdrawals import Withdrawals
from durable_ext.providers.contract import Catalog, Clock, Feed, InstanceFilter, Loaded, Page, Provider, VersionedRow
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.limits import DEFAULT_PARTITIONS, MAX_DELIVERY_AGE, MAX_INLINE_PAYLOAD
from durable_ext.records.messages import Delivery, Message, Quarantined
from durable_ext.records.payloads import Payload, stored
from durable_ext.records.progress import Report
from durable_ext.records.turns import Turn


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class AzureStorageProvider(Provider, Feed, Catalog):
    """Provider, feed and catalog of one hub in one storage account. Use it in one event loop only.

    `connection` is a connection string or what `connection_from_settings` made; `client` replaces the lean client.
    `feed` has the pauses between polls.
    Raises ConfigurationError for a connection, a hub name or a partition count that cannot be.
    """

    inline_limit = MAX_INLINE_PAYLOAD

    def __init__(
        self,
        connection: Connection | str,
        hub: str,
        partitions: int = DEFAULT_PARTITIONS,
        *,
        clock: Clock = utc_now,
        client: StorageClient | None = None,
    ) -> None:
        self.names = HubNames(hub, partitions)
        self.partitions = partitions
        self._clock = clock
        self._client = client or _http_client(connection)
        self._blobs = Blobs(self._client, self.names.blobs)
        self._instances = Instances(self._client, self.names, self._blobs)
        self._history = History(self._client, self.names.history, self._blobs)
        self._queues = Queues(self._client, self.names, self._blobs, clock)
        self.feed = StorageFeed(self._queues, self.names)
        self._queries = Queries(self._client, self.names.instances, self._instances)
        self._journals = Journals(self._client, self.names.history, self._history, self._blobs)
        self._withdrawals = Withdrawals(self._client, self.names.history, self._history)
        self._claims = Claims(self._client, self.names.history, clock)
        self._affinities = Affinities(self._client, self.names.history, self._history, clock)
        self._progress = Reports(self._client, self.names.history, self._history)
        self._purging = Purging(self._client, self.names.history, self._history, self._blobs, self._instances)
        self._quarantine = Quarantine(self._client, self.names.quarantine, self._blobs, self._queues)

    # Provider

    async def create_hub(self) -> None:
        await create_hub(self._client, self.names, self._clock)

    async def check_hub(self) -> None:
        await check_hub(self._client, self.names)

    async def delete_hub(self) -> None:
        await delete_hub(self._client, self.names)

    async def close(self) -> None:
        await self._queues.close()
        await self._client.close()

    async def create_row(self, row: InstanceRow, *, replacing: str | None = None) -> str:
        if replacing is None:
            return await self._instances.insert(row)
        return await self._instances.take_over(row, replacing)

    async def update_row(self, row: InstanceRow, etag: str) -> str:
        return await self._instances.replace(row, etag)

    async def read_row(self, instance_id: str) -> VersionedRow | None:
        return await self._instances.read(instance_id)

    async def load(self, instance_id: str) -> Loaded:
        found = await self._instances.read(instance_id)
        turns, buried = await self._history.current(instance_id, None if found is None else found.row.execution)
        return Loaded(found, turns, buried)

    async def consumed(self, instance_id: str) -> frozenset[str]:
        return await self._history.consumed(instance_id)

    async def append(self, turn: Turn) -> None:
        await self._history.append(turn)

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
        return await self._queues.open(queue, message_id, None, body, dequeue_count=dequeue_count)

    async def put_payload(self, instance_id: str, data: bytes, *, owner: str = "") -> Payload:
        return stored(await self._blobs.put_content(instance_id, data, owner), len(data))

    async def get_payload(self, payload: Payload) -> bytes:
        return payload.data if payload.blob is None else await self._blobs.get(payload.blob, payload.size or None)

    async def quarantine(self, message: Quarantined) -> None:
        await self._quarantine.keep(message)

    async def write_journal(self, journal: Journal, *, replacing: str | None = None) -> bool:
        return await self._journals.write(journal, replacing)

    async def delete_journal(self, process_id: str) -> None:
        await self._journals.delete(process_id)

    async def journals(self) -> Sequence[KeptJournal]:
        return await self._journals.all()

    async def withdraw(self, work_items: Sequence[str], time: datetime) -> None:
        await self._withdrawals.note(work_items, time)

    async def withdrawn(self, since: datetime) -> frozenset[str]:
        return await self._withdrawals.since(since)

    async def claim(self, instance_id: str, work_item: str, claimant: str) -> bool:
        return await self._claims.claim(instance_id, work_item, claimant)

    async def write_progress(self, report: Report) -> None:
        await self._progress.write(report)

    async def progress(self, instance_id: str) -> Sequence[Report]:
        return await self._progress.of(instance_id)

    async def delete_progress(self, instance_id: str, work_item: str) -> None:
        await self._progress.delete(instance_id, work_item)

    async def hold_affinity(self, name: str, holder: str, lease: timedelta) -> str:
        return await self._affinities.hold(name, holder, lease)

    async def release_affinity(self, name: str, holder: str) -> None:
        await self._affinities.release(name, holder)

    async def oldest_work(self, tag: str = "") -> datetime | None:
        return await self._queues.oldest(await self._queues.open_tag(tag))

    async def oldest_control(self, partition: int) -> datetime | None:
        return await self._queues.oldest(self.names.control[partition])

    # Feed

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        return await self.feed.receive_control(partition, limit=limit, lease=lease, wait=wait)

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        return await self.feed.receive_work(limit=limit, lease=lease, wait=wait, tag=tag)

    # Catalog

    async def query(self, where: InstanceFilter, *, limit: int = 100, continuation: str | None = None) -> Page:
        return await self._queries.query(where, limit, continuation)

    async def count(self, where: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        return await self._queries.count(where)

    async def history(
        self, instance_id: str, execution_id: str | None = None, *, generation: int | None = None
    ) -> Sequence[Turn]:
        if execution_id is None:
            return (await self.load(instance_id)).turns
        return await self._history.execution(instance_id, execution_id, generation)

    async def purge(self, row: InstanceRow, *, etag: str | None = None) -> None:
        await self._purging.purge(row, etag, self._clock())

    async def prune(self, instance_id: str, *, below_generation: int, older_than: datetime) -> None:
        await self._purging.prune(instance_id, below_generation, older_than)

    async def sweep(self, older_than: datetime) -> int:
        await self._withdrawals.sweep(older_than - MAX_DELIVERY_AGE)
        await self._affinities.sweep(older_than)
        return await self._purging.sweep(older_than)

    async def list_quarantined(self, *, limit: int = 100) -> Sequence[Quarantined]:
        return await self._quarantine.list(limit)

    async def read_quarantined(self, message_id: str) -> Quarantined | None:
        return await self._quarantine.find(message_id)

    async def release_quarantined(self, message_id: str, *, replay: bool) -> bool:
        return await self._quarantine.release(message_id, replay=replay)


def _http_client(connection: Connection | str) -> StorageClient:
    # Late: a provider that is given its client needs no HTTP library.
    from durable_ext.providers.azure_storage.http_client import HttpClient

    return HttpClient(parse_connection_string(connection) if isinstance(connection, str) else connection)
