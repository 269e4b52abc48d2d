"""The lean client: each verb builds one request and reads one answer. The SDK costs 5 to 15 times the processor time.

What a repeat of each call meets (P13) is written at the verbs of `client.StorageClient`.
"""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage import transactions
from durable_ext.providers.azure_storage.client import (
    BlobPage,
    Change,
    Continuation,
    Entity,
    EntityPage,
    ListedBlob,
    PeekedMessage,
    Query,
    QueueMessage,
    Receipt,
    StorageClient,
    StorageRefusedError,
    Stored,
)
from durable_ext.providers.azure_storage.connection import Connection
from durable_ext.providers.azure_storage.odata import address, encode_entity, filter_text
from durable_ext.providers.azure_storage.signing import Request
from durable_ext.providers.azure_storage.transport import Transport
from durable_ext.providers.azure_storage.wire import Answer

_JSON = "application/json;odata=nometadata"
_NEVER = ("messagettl", "-1")
# Seconds after which storage gives a request up, before the client does (wire): what is tried again, or dealt with
# otherwise, mostly has no late effect then. A request that is late on its way may have one all the same (P13).
SERVER_TIMEOUT = ("timeout", "15")
_MESSAGE = re.compile(
    r"<MessageId>([^<]*)</MessageId>.*?<PopReceipt>([^<]*)</PopReceipt>.*?"
    r"<DequeueCount>(\d+)</DequeueCount>.*?<MessageText\s*(?:/>|>([^<]*)</MessageText>)",
    re.DOTALL,
)
_PEEKED = re.compile(
    r"<InsertionTime>([^<]*)</InsertionTime>.*?<DequeueCount>(\d+)</DequeueCount>.*?"
    r"<MessageText\s*(?:/>|>([^<]*)</MessageText>)",
    re.DOTALL,
)
_PUT_RECEIPT = re.compile(r"<MessageId>([^<]*)</MessageId>.*?<PopReceipt>([^<]*)</PopReceipt>", re.DOTALL)
_BLOB = re.compile(
    r'<Blob>.*?<Name(?P<encoded> Encoded="true")?>(?P<name>[^<]*)</Name>.*?'
    r"<Last-Modified>(?P<written>[^<]*)</Last-Modified>.*?<Etag>(?P<etag>[^<]*)</Etag>",
    re.DOTALL,
)
_NEXT_MARKER = re.compile(r"<NextMarker>([^<]+)</NextMarker>")
_BEING_DELETED = frozenset({"TableBeingDeleted", "QueueBeingDeleted", "ContainerBeingDeleted"})


class _EntityList(msgspec.Struct):
    value: list[dict[str, Any]]


_entities = msgspec.json.Decoder(_EntityList)
_entity = msgspec.json.Decoder(dict[str, Any])


class HttpClient(StorageClient):
    """A storage account over HTTP. Use it in one event loop only."""

    def __init__(self, connection: Connection) -> None:
        self._transport = Transport(connection)
        self._blob_endpoint = connection.endpoints["blob"]
        self._table_endpoint = connection.endpoints["table"]

    async def close(self) -> None:
        await self._transport.close()

    # Tables

    async def create_table(self, table: str) -> None:
        request = self._table("POST", "Tables", body=msgspec.json.encode({"TableName": table}))
        await self._create(f"create table {table}", request, (201, 204))

    async def delete_table(self, table: str) -> None:
        request = self._table("DELETE", f"Tables('{table}')")
        await self._transport.send(f"delete table {table}", request, (204, 404))

    async def insert_entity(self, table: str, entity: Entity) -> str:
        request = self._table("POST", table, body=encode_entity(entity))
        request.headers["Prefer"] = "return-no-content"
        answer = await self._transport.send(f"insert into {table}", request, (204, 201))
        return answer.headers["etag"]

    async def put_entity(self, table: str, entity: Entity) -> None:
        await self._put_entity("put into", table, entity, "")

    async def replace_entity(self, table: str, entity: Entity, etag: str) -> str:
        if not etag.startswith('W/"'):  # none that storage gave out, so no row has it; sent, it would be a bad request
            raise StorageRefusedError(f"replace in {table}", 412, "UpdateConditionNotSatisfied")
        return await self._put_entity("replace in", table, entity, etag)

    async def _put_entity(self, verb: str, table: str, entity: Entity, etag: str) -> str:
        path = address(table, str(entity["PartitionKey"]), str(entity["RowKey"]))
        request = self._table("PUT", path, body=encode_entity(entity))
        if etag:
            request.headers["If-Match"] = etag
        answer = await self._transport.send(f"{verb} {table}", request, (204,))
        return answer.headers["etag"]

    async def read_entity(self, table: str, partition_key: str, row_key: str) -> Stored | None:
        request = self._table("GET", address(table, partition_key, row_key))
        try:
            answer = await self._transport.send(f"read {table}", request, (200,))
        except StorageRefusedError as refused:
            if refused.status == 404 and refused.code != "TableNotFound":
                return None
            raise
        return Stored(_entity.decode(answer.body), answer.headers["etag"])

    async def query_entities(self, table: str, query: Query, continuation: Continuation | None = None) -> EntityPage:
        options = [("$top", str(query.top))]
        if query.where:
            options.append(("$filter", filter_text(query.where)))
        if query.select:
            options.append(("$select", ",".join(query.select)))
        if continuation is not None:
            options += [("NextPartitionKey", continuation[0]), ("NextRowKey", continuation[1])]
        request = self._table("GET", f"{table}()", tuple(options))
        answer = await self._transport.send(f"query {table}", request, (200,))
        partition = answer.headers.get("x-ms-continuation-nextpartitionkey")
        following = None if not partition else (partition, answer.headers.get("x-ms-continuation-nextrowkey", ""))
        entities = _entities.decode(answer.body).value
        if query.select:  # storage sends null for a selected column that a row has not; the emulator leaves it out
            entities = [{name: value for name, value in row.items() if value is not None} for row in entities]
        return EntityPage(entities, following)

    async def delete_entity(self, table: str, partition_key: str, row_key: str, etag: str = "*") -> None:
        request = self._table("DELETE", address(table, partition_key, row_key))
        request.headers["If-Match"] = etag
        await self._transport.send(f"delete entity of {table}", request, (204, 404))

    async def change_entities(self, table: str, changes: Sequence[Change]) -> None:
        boundary = f"batch_{uuid.uuid4()}"
        body = transactions.body_of(boundary, f"{self._table_endpoint}/{table}", changes)
        request = self._table("POST", "$batch", body=body)
        request.headers["Content-Type"] = f"multipart/mixed; boundary={boundary}"
        call = f"change entities of {table}"
        answer = await self._transport.send(call, request, (202,))
        transactions.check(call, answer.body)

    def _table(self, method: str, path: str, query: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
        request = self._request("table", method, path, query, body)
        request.headers["Accept"] = _JSON
        request.headers["DataServiceVersion"] = "3.0"
        if body:
            request.headers["Content-Type"] = "application/json"
        return request

    # Queues

    async def create_queue(self, queue: str) -> None:
        await self._create(f"create queue {queue}", self._request("queue", "PUT", queue), (201, 204))

    async def delete_queue(self, queue: str) -> None:
        await self._transport.send(f"delete queue {queue}", self._request("queue", "DELETE", queue), (204, 404))

    async def put_message(self, queue: str, text: str, hidden: int = 0) -> Receipt:
        body = f"<QueueMessage><MessageText>{html.escape(text, quote=False)}</MessageText></QueueMessage>".encode()
        query = (_NEVER, ("visibilitytimeout", str(hidden))) if hidden else (_NEVER,)
        request = self._request("queue", "POST", f"{queue}/messages", query, body)
        request.headers["Content-Type"] = "application/xml"
        answer = await self._transport.send(f"put message on {queue}", request, (201,))
        found = _PUT_RECEIPT.search(answer.body.decode())
        if found is None:
            raise StorageUnavailableError(f"put message on {queue} was answered without a receipt")
        return Receipt(found[1], found[2])

    async def get_messages(self, queue: str, limit: int, lease: int) -> list[QueueMessage]:
        query = (("numofmessages", str(limit)), ("visibilitytimeout", str(lease)))
        request = self._request("queue", "GET", f"{queue}/messages", query)
        answer = await self._transport.send(f"get messages from {queue}", request, (200,))
        return [
            QueueMessage(message_id, receipt, int(count), html.unescape(text or ""))
            for message_id, receipt, count, text in _MESSAGE.findall(answer.body.decode())
        ]

    async def peek_message(self, queue: str) -> PeekedMessage | None:
        query = (("peekonly", "true"), ("numofmessages", "1"))
        request = self._request("queue", "GET", f"{queue}/messages", query)
        answer = await self._transport.send(f"peek into {queue}", request, (200,))
        found = _PEEKED.search(answer.body.decode())
        if found is None:
            return None
        inserted, count, text = found.groups()
        return PeekedMessage(parsedate_to_datetime(inserted), int(count), html.unescape(text or ""))

    async def delete_message(self, queue: str, message_id: str, receipt: str) -> None:
        path = f"{queue}/messages/{quote(message_id, safe='')}"
        request = self._request("queue", "DELETE", path, (("popreceipt", receipt),))
        await self._transport.send(f"delete message from {queue}", request, (204,))

    async def update_message(self, queue: str, message_id: str, receipt: str, hidden: int) -> str:
        path = f"{queue}/messages/{quote(message_id, safe='')}"
        query = (("popreceipt", receipt), ("visibilitytimeout", str(hidden)))
        answer = await self._transport.send(
            f"update message of {queue}", self._request("queue", "PUT", path, query), (204,)
        )
        return answer.headers["x-ms-popreceipt"]

    # Blobs

    async def create_container(self, container: str) -> None:
        request = self._request("blob", "PUT", container, (("restype", "container"),))
        await self._create(f"create container {container}", request, (201,))

    async def delete_container(self, container: str) -> None:
        request = self._request("blob", "DELETE", container, (("restype", "container"),))
        await self._transport.send(f"delete container {container}", request, (202, 404))

    async def put_blob(self, container: str, name: str, data: bytes) -> None:
        request = self._content("PUT", container, name, data)
        request.headers["x-ms-blob-type"] = "BlockBlob"
        request.headers["x-ms-blob-content-encoding"] = "gzip"
        request.headers["x-ms-blob-content-type"] = "application/json"
        await self._transport.send("put blob", request, (201,))

    async def get_blob(self, container: str, name: str, most: int | None = None) -> bytes | None:
        request = self._content("GET", container, name)
        if most is not None:
            request.headers["x-ms-range"] = f"bytes=0-{most}"
        answer = await self._transport.send("get blob", request, (200, 206, 404))
        return None if answer.status == 404 else answer.body

    async def list_blobs(self, container: str, prefix: str, continuation: str | None = None) -> BlobPage:
        query = [("restype", "container"), ("comp", "list"), ("prefix", prefix)]
        if continuation is not None:
            query.append(("marker", continuation))
        answer = await self._transport.send("list blobs", self._request("blob", "GET", container, tuple(query)), (200,))
        text = answer.body.decode()
        marker = _NEXT_MARKER.search(text)
        return BlobPage([_listed(found) for found in _BLOB.finditer(text)], marker and html.unescape(marker[1]))

    async def delete_blob(self, container: str, name: str, etag: str = "*") -> None:
        request = self._request("blob", "DELETE", f"{container}/{quote(name)}")
        if etag != "*":
            request.headers["If-Match"] = etag
        await self._transport.send("delete blob", request, (202, 404))

    def url_of(self, container: str, name: str) -> str:
        return f"{self._blob_endpoint}/{container}/{quote(name)}"

    def _request(
        self, service: str, method: str, path: str, query: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Request:
        return Request(service, method, f"{self._transport.roots[service]}/{path}", (*query, SERVER_TIMEOUT), body)

    def _content(self, method: str, container: str, name: str, body: bytes = b"") -> Request:
        """What carries a blob's content: it may take as long as something moves, and is harmless when it is late."""
        return Request("blob", method, f"{self._transport.roots['blob']}/{container}/{quote(name)}", (), body)

    async def _create(self, call: str, request: Request, expected: tuple[int, ...]) -> Answer | None:
        try:
            return await self._transport.send(call, request, expected)
        except StorageRefusedError as refused:
            if refused.code in _BEING_DELETED:
                raise StorageUnavailableError(f"{call}: the old one is still being deleted; try again later") from None
            if refused.status == 409:
                return None
            raise


def _listed(found: re.Match[str]) -> ListedBlob:
    name = html.unescape(found["name"])
    return ListedBlob(
        unquote(name) if found["encoded"] else name,
        f'"{html.unescape(found["etag"])}"',  # a listing has it without the quotes that a condition needs
        parsedate_to_datetime(found["written"]),
    )
