"""What each process holds: a row of the History table by process, whose messages are in place or in a blob it names.

The blob is named by its content and written first (P1), so that who loses a replacement changes nothing. Whatever is
wrong with a journal's messages makes it empty: they are in their queues as well.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence

from durable_ext.errors import StorageError, StorageUnavailableError
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.names import PROCESSES_KEY, content_name, digest
from durable_ext.providers.azure_storage.rows import time_of, too_long
from durable_ext.records.codec import DecodeError, decode_messages, encode_messages
from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.messages import Message

logger = logging.getLogger("durable_ext.azure_storage")

_BLOB = "MessagesBlob"
# A page of rows brings no etags along, so a journal has its own, new with each write.
_REVISION = "Revision"
# How often a reader looks again at a row whose blob was replaced while it read.
_LOOKS = 3


class Journals:
    """The journals of one hub. Each process has its writes one after the other."""

    def __init__(self, client: StorageClient, table: str, history: History, blobs: Blobs) -> None:
        self._client = client
        self._table = table
        self._history = history
        self._blobs = blobs
        self._named: dict[str, str] = {}

    async def write(self, journal: Journal, replacing: str | None) -> bool:
        """Put the row, the blob before it; then delete the blob of the write before. False: not the one to replace.

        A put done again writes the newest content (P13). One whose answer was lost leaves a blob more, which goes with
        the journal.
        """
        etag: str | None = None
        if replacing is not None:
            found = await self._client.read_entity(self._table, PROCESSES_KEY, digest(journal.process_id))
            if found is None or found.entity[_REVISION] != replacing:
                return False
            etag = found.etag
        entity = await self._entity(journal)
        if etag is None:
            await self._client.put_entity(self._table, entity)
        elif not await self._replace(entity, etag):
            return False
        await self._forget_earlier(journal.process_id, entity)
        return True

    async def delete(self, process_id: str) -> None:
        """Delete blobs, then the row, so that a crash leaves something to delete again. Gone is done (P13)."""
        self._named.pop(process_id, None)
        await self._blobs.delete_below(_folder(process_id))
        await self._client.delete_entity(self._table, PROCESSES_KEY, digest(process_id))

    async def all(self) -> Sequence[KeptJournal]:
        """All journals, with their messages."""
        query = Query((Condition("PartitionKey", "eq", PROCESSES_KEY),))
        found = await each([entity async for entity in self._history.scan(query)], self._kept)
        return [kept for kept in found if kept is not None]

    async def _entity(self, journal: Journal) -> Entity:
        body = encode_messages(journal.messages)
        text = body.decode()
        entity: Entity = {
            "PartitionKey": PROCESSES_KEY,
            "RowKey": digest(journal.process_id),
            "ProcessId": journal.process_id,
            "Time": journal.time,
            "Messages": text,
            _REVISION: uuid.uuid4().hex,
        }
        if too_long(text):
            name = _folder(journal.process_id) + content_name(body)
            await self._blobs.put(name, body)
            entity |= {"Messages": "", _BLOB: name}
        return entity

    async def _replace(self, entity: Entity, etag: str) -> bool:
        try:
            await self._client.replace_entity(self._table, entity, etag)
        except StorageRefusedError as refused:
            if refused.status not in (404, 412):
                raise
            # It may be our own replacement, tried again after its answer was lost.
            found = await self._client.read_entity(self._table, PROCESSES_KEY, str(entity["RowKey"]))
            return found is not None and found.entity[_REVISION] == entity[_REVISION]
        return True

    async def _forget_earlier(self, process_id: str, entity: Entity) -> None:
        name = entity.get(_BLOB)
        earlier = self._named.pop(process_id, None)
        if name is not None:
            self._named[process_id] = str(name)
        if earlier is not None and earlier != name:
            await self._blobs.delete(earlier)

    async def _kept(self, entity: Entity) -> KeptJournal | None:
        """The journal of a row, as it is now; None when it was deleted meanwhile."""
        for _ in range(_LOOKS):
            messages = await self._messages(entity)
            if messages is not None:
                return _of(entity, messages)
            found = await self._client.read_entity(self._table, PROCESSES_KEY, str(entity["RowKey"]))
            if found is None:
                return None
            if found.entity[_REVISION] == entity[_REVISION]:
                break
            entity = found.entity
        logger.warning("the messages of the journal of process %s are gone", entity["ProcessId"])
        return _of(entity, ())

    async def _messages(self, entity: Entity) -> tuple[Message, ...] | None:
        """The messages of a row, none when they cannot be read; None when the blob is gone."""
        try:
            body: bytes | str | None = str(entity["Messages"])
            if _BLOB in entity:
                body = await self._blobs.find(str(entity[_BLOB]))
            messages = None if body is None else decode_messages(body)
        except StorageUnavailableError:
            raise
        except (DecodeError, StorageError) as error:
            logger.warning("the journal of process %s cannot be read: %s", entity["ProcessId"], error)
            return ()
        return () if isinstance(messages, str) else messages


def _of(entity: Entity, messages: tuple[Message, ...]) -> KeptJournal:
    journal = Journal(process_id=str(entity["ProcessId"]), time=time_of(entity["Time"]), messages=messages)
    return KeptJournal(journal, str(entity[_REVISION]))


def _folder(process_id: str) -> str:
    return f"{PROCESSES_KEY}/{digest(process_id)}/"
