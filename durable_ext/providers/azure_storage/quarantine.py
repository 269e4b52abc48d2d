"""Messages that cannot be processed, kept with their reason until an operator decides (P11)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import datetime

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.client import Continuation, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.names import POISON_SUFFIX, QUARANTINE_FOLDER, content_name, digest
from durable_ext.providers.azure_storage.queues import Queues
from durable_ext.providers.azure_storage.rows import time_of, too_long
from durable_ext.records.codec import decode_messages
from durable_ext.records.limits import MAX_COLUMN_CHARACTERS, MAX_PAGE_BYTES, MAX_QUEUE_MESSAGE_BYTES
from durable_ext.records.messages import Quarantined

_ROW_KEY = ""


class Quarantine:
    """The quarantine table of one hub: one row a message, keyed by the message's id."""

    def __init__(self, client: StorageClient, table: str, blobs: Blobs, queues: Queues) -> None:
        self._client = client
        self._table = table
        self._blobs = blobs
        self._queues = queues

    async def keep(self, message: Quarantined) -> None:
        """Keep a message; doing it twice writes the same row (P13)."""
        entity: Entity = {
            "PartitionKey": digest(message.id),
            "RowKey": _ROW_KEY,
            "MessageId": message.id,
            "Queue": message.queue,
            "Reason": message.reason[: MAX_COLUMN_CHARACTERS // 2],
            "InstanceId": message.instance_id,
            "DequeueCount": message.dequeue_count,
            "Time": message.time,
            "Body": message.body,
            "Stack": message.stack[: MAX_COLUMN_CHARACTERS // 2],
        }
        if too_long(message.body):
            data = message.body.encode()
            name = f"{QUARANTINE_FOLDER}/{digest(message.id)}-{content_name(data)}"
            await self._blobs.put(name, data)
            entity |= {"Body": "", "BodyBlob": name}
        await self._client.put_entity(self._table, entity)

    async def list(self, limit: int) -> Sequence[Quarantined]:
        """The oldest, in the order of their times; fewer where they are long. Reads all: a hub has few, and an operator
        asks."""
        oldest: list[Entity] = []
        continuation: Continuation | None = None
        while True:
            page = await self._client.query_entities(self._table, Query(()), continuation)
            oldest = heapq.nsmallest(limit, [*oldest, *page.entities], key=_age)
            continuation = page.continuation
            if continuation is None:
                break
        kept: list[Quarantined] = []
        length = 0
        for entity in oldest:
            kept.append(await self._message_of(entity))
            length += len(kept[-1].body) + len(kept[-1].stack)
            if length > MAX_PAGE_BYTES:
                break
        return kept

    async def find(self, message_id: str) -> Quarantined | None:
        """One message, or None."""
        found = await self._client.read_entity(self._table, digest(message_id), _ROW_KEY)
        return None if found is None else await self._message_of(found.entity)

    async def release(self, message_id: str, *, replay: bool) -> bool:
        """Put the body back on its queue when `replay`, then forget the message; False when there is none.

        A crash between leaves it here although it was sent: a repeat, which receivers drop (P7).
        """
        found = await self._client.read_entity(self._table, digest(message_id), _ROW_KEY)
        if found is None:
            return False
        if replay:
            message = await self._message_of(found.entity)
            await self._put_back(message)
        await self._client.delete_entity(self._table, digest(message_id), _ROW_KEY)
        if name := found.entity.get("BodyBlob"):
            await self._blobs.delete(str(name))
        return True

    async def _put_back(self, message: Quarantined) -> None:
        if message.queue and len(message.body.encode()) <= MAX_QUEUE_MESSAGE_BYTES:
            await self._queues.put_again(message.queue.removesuffix(POISON_SUFFIX), message.body)
            return
        # Too long for a queue, or given up by a process that had not received it: as when it was sent.
        content = decode_messages(message.body)
        if isinstance(content, str):
            raise StorageError(f"the kept message {message.id} names a blob, and no queue to go to")
        await self._queues.send(content)

    async def _message_of(self, entity: Entity) -> Quarantined:
        name = entity.get("BodyBlob")
        return Quarantined(
            id=str(entity["MessageId"]),
            queue=str(entity["Queue"]),
            body=str(entity["Body"]) if name is None else (await self._blobs.get(str(name))).decode(),
            reason=str(entity["Reason"]),
            instance_id=str(entity["InstanceId"]),
            dequeue_count=int(str(entity["DequeueCount"])),
            time=time_of(entity["Time"]),
            # A row that an earlier build wrote has none.
            stack=str(entity.get("Stack", "")),
        )


def _age(entity: Entity) -> tuple[datetime, str]:
    return time_of(entity["Time"]), str(entity["MessageId"])
