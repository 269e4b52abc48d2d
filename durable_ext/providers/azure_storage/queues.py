"""Messages into queue messages and back: bodies, hidden times, receipts. Our bodies are JSON in base64 (design 5)."""

from __future__ import annotations

import base64
import logging
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from durable_ext.errors import LeaseLostError, StorageError, StorageUnavailableError
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.client import Entity, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.gather import Gather, Parcel
from durable_ext.providers.azure_storage.names import HUB_KEY, TAG_PREFIX, HubNames
from durable_ext.providers.azure_storage.wakes import Wakes
from durable_ext.providers.contract import Clock
from durable_ext.records.codec import DecodeError, decode_messages, encode_message_reference, encode_messages
from durable_ext.records.failures import reason_of, stack_of
from durable_ext.records.limits import MAX_QUEUE_DELAY, MAX_QUEUE_MESSAGE_BYTES
from durable_ext.records.messages import Defect, Delivery, Message

logger = logging.getLogger("durable_ext.azure_storage")

# A receipt that no longer counts: the message is deleted, or another process received it.
_GONE = frozenset({400, 404})
# How our bodies begin, and how that of a reserved message does; readers that do not know the field ignore it.
_OPENING = b'{"durable":{'
_RESERVED = b'{"durable":{"reserved":true,'
_LONGEST_LEASE = 7 * 24 * 3600


class Queues:
    """The queues of one hub."""

    def __init__(self, client: StorageClient, names: HubNames, blobs: Blobs, clock: Clock) -> None:
        self._client = client
        self._names = names
        self._blobs = blobs
        self._clock = clock
        self._gather = Gather(self.put_body)
        self.wakes = Wakes()
        self._open_tags: set[str] = set()

    async def open_tag(self, tag: str) -> str:
        """The queue of a tag, made if it is not known here; the hub's record names it, to be deleted with the hub.

        Both writes may be repeated (P13).
        """
        queue = self._names.work_of(tag)
        if tag and tag not in self._open_tags:
            record: Entity = {"PartitionKey": HUB_KEY, "RowKey": TAG_PREFIX + tag, "Queue": queue}
            await self._client.put_entity(self._names.history, record)
            await self._client.create_queue(queue)
            self._open_tags.add(tag)
        return queue

    async def close(self) -> None:
        """Stop sending. Repeatable."""
        await self._gather.close()

    async def send(self, messages: Sequence[Message]) -> None:
        """Return when all are stored. A repeat sends them twice; receivers drop repeats (P7, P13)."""
        for tag in {message.work_tag for message in messages} - self._open_tags - {""}:
            await self.open_tag(tag)
        encoded = [(message, encode_messages((message,))) for message in messages]
        large = [item for item in encoded if not _fits(item[1])]
        references = iter(await each(large, self._reference) if large else ())
        await self._gather.send(
            self._parcel(message, body, message) if _fits(body) else self._parcel(message, next(references), None)
            for message, body in encoded
        )

    async def reserve(self, message: Message, lease: timedelta) -> Delivery:
        """Put a message hidden for `lease`, and hold it (S4).

        When the lease ends storage counts the next delivery as the first, so the body says that one was before (P7).
        A put tried again after a lost answer leaves a second message, which is one more repeat (P13).
        """
        await self.open_tag(message.work_tag)
        body = encode_messages((message,))
        body = _reserved(body if _fits(body) else await self._reference((message, body)))
        parcel = self._parcel(message, body, None)
        hidden = _lease_seconds(lease)
        receipt = await self._client.put_message(parcel.queue, _text(parcel.body), hidden)
        self.wakes.wake(parcel.queue, hidden)
        return Delivery(
            queue=parcel.queue,
            id=receipt.message_id,
            receipt=receipt.receipt,
            dequeue_count=1,
            messages=(message,),
        )

    async def receive(self, queue: str, limit: int, lease: timedelta) -> list[Delivery]:
        """What is there now. A message whose blob cannot be read at present comes back when its lease ends."""
        deliveries: list[Delivery] = []
        for item in await self._client.get_messages(queue, limit, _lease_seconds(lease)):
            try:
                deliveries.append(
                    await self.open(queue, item.message_id, item.receipt, item.text, dequeue_count=item.dequeue_count)
                )
            except StorageUnavailableError as error:
                logger.warning("message %s of %s waits for its next delivery: %s", item.message_id, queue, error)
        return deliveries

    async def complete(self, delivery: Delivery) -> None:
        """Delete. Gone or taken over is no error: receivers drop repeats (P7, P13)."""
        if delivery.receipt is None:
            return
        try:
            await self._client.delete_message(delivery.queue, delivery.id, delivery.receipt)
        except StorageRefusedError as refused:
            if refused.status not in _GONE:
                raise

    async def abandon(self, delivery: Delivery, delay: timedelta) -> None:
        """Show again after `delay`. Gone or taken over is no error (P13)."""
        if delivery.receipt is None:
            return
        hidden = _seconds(delay)
        try:
            await self._client.update_message(delivery.queue, delivery.id, delivery.receipt, hidden)
        except StorageRefusedError as refused:
            if refused.status not in _GONE:
                raise
            return
        self.wakes.wake(delivery.queue, hidden)

    async def extend(self, delivery: Delivery, lease: timedelta) -> Delivery:
        """Hold for `lease` from now. Raises LeaseLostError.

        After a lost answer the repeat has an old receipt and finds the lease lost: the work stops and comes back (P13).
        """
        if delivery.receipt is None:
            return delivery
        try:
            receipt = await self._client.update_message(
                delivery.queue, delivery.id, delivery.receipt, _lease_seconds(lease)
            )
        except StorageRefusedError as refused:
            if refused.status not in _GONE:
                raise
            raise LeaseLostError(f"the message {delivery.id} of {delivery.queue} belongs to somebody else") from refused
        return msgspec.structs.replace(delivery, receipt=receipt)

    async def oldest(self, queue: str) -> datetime | None:
        """When the message that would be received next was put; None when none is visible."""
        found = await self._client.peek_message(queue)
        return None if found is None else found.inserted

    async def open(
        self, queue: str, message_id: str, receipt: str | None, text: str, *, dequeue_count: int
    ) -> Delivery:
        """The delivery of a queue message; one that cannot be decoded has a defect (P11)."""
        messages: tuple[Message, ...] = ()
        defect: Defect | None = None
        body = _body(text)
        try:
            content = decode_messages(body)
            if isinstance(content, str):
                content = decode_messages(await self._blobs.get(content))
            if isinstance(content, str):
                raise DecodeError("the blob of the message names another blob")
            messages = content
        except DecodeError as error:
            defect = Defect(
                reason=f"the message cannot be decoded: {error}", body=_readable(body), stack=stack_of(error)
            )
        except StorageUnavailableError:
            raise
        except StorageError as error:
            defect = Defect(reason=reason_of(error), body=_readable(body), stack=stack_of(error))
        return Delivery(
            queue=queue,
            id=message_id,
            receipt=receipt,
            dequeue_count=dequeue_count + body.startswith(_RESERVED),
            messages=messages,
            defect=defect,
        )

    async def put_again(self, queue: str, body: str) -> None:
        """Put the body of a delivery back as it was."""
        try:
            await self._client.put_message(queue, _text(body.encode()) if body.startswith("{") else body)
        finally:  # it may be there although the answer is lost (P13)
            self.wakes.wake(queue)

    async def put_body(self, queue: str, body: bytes, due: datetime | None = None) -> None:
        """Put one body, hidden until `due`, at most as long as queues can; who receives it early sends it again."""
        hidden = 0 if due is None else _seconds(due - self._clock())
        await self._client.put_message(queue, _text(body), hidden)
        self.wakes.wake(queue, hidden)

    def _parcel(self, message: Message, body: bytes, companion: Message | None) -> Parcel:
        names = self._names
        queue = names.work_of(message.work_tag) if message.is_work_item else names.control_of(message.instance_id)
        due = message.due if message.due is not None and message.due > self._clock() else None
        return Parcel(queue, due, body, companion)

    async def _reference(self, item: tuple[Message, bytes]) -> bytes:
        """The body for a message that is too long for a queue: it names a blob, written first (P1)."""
        message, body = item
        return encode_message_reference(await self._blobs.put_content(message.instance_id, body))


def _fits(body: bytes) -> bool:
    return len(body) <= MAX_QUEUE_MESSAGE_BYTES


def _seconds(delay: timedelta) -> int:
    return max(0, math.ceil(min(delay, MAX_QUEUE_DELAY).total_seconds()))


def _lease_seconds(lease: timedelta) -> int:
    return min(max(1, math.ceil(lease.total_seconds())), _LONGEST_LEASE)


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _reserved(body: bytes) -> bytes:
    return body.replace(_OPENING, _RESERVED, 1)


def _body(text: str) -> bytes:
    """A body from base64, or as it is: the Functions host has decoded it already, and people may put plain JSON."""
    if not text.startswith("{"):
        try:
            body = base64.b64decode(text, validate=True)
        except ValueError:
            body = b""
        if body.startswith(b"{"):
            return body
    return text.encode()


def _readable(body: bytes) -> str:
    return body.decode("utf-8", errors="backslashreplace")
