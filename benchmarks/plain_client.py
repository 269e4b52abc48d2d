"""The five storage calls of a durable step over plain aiohttp, signed here: what anybody would write without an SDK.

Owes nothing to the package's own client, so that it can be a limit for it. Shared key only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

_VERSION = "2021-12-02"
_PUT = re.compile(r"<MessageId>([^<]*)</MessageId>.*?<PopReceipt>([^<]*)</PopReceipt>", re.DOTALL)
_GOT = re.compile(_PUT.pattern + r".*?<MessageText>([^<]*)</MessageText>", re.DOTALL)

Entity = dict[str, Any]


class PlainClient:
    """One storage account, given as a connection string with endpoints and a key."""

    def __init__(self, connection: str) -> None:
        parts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
        self._account = parts["AccountName"]
        self._key = base64.b64decode(parts["AccountKey"])
        self._endpoints = {name: URL(parts[f"{name.capitalize()}Endpoint"]) for name in ("blob", "queue", "table")}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def insert_entity(self, table: str, entity: Entity) -> str:
        headers = {"Prefer": "return-no-content"}
        return (await self._table("POST", table, headers, entity))[0]

    async def replace_entity(self, table: str, entity: Entity, etag: str) -> str:
        key = f"(PartitionKey='{quote(entity['PartitionKey'])}',RowKey='{quote(entity['RowKey'])}')"
        return (await self._table("PUT", table + key, {"If-Match": etag}, entity))[0]

    async def put_message(self, queue: str, text: str, hidden: int = 0) -> tuple[str, str]:
        body = f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>".encode()
        query = {"visibilitytimeout": str(hidden)} if hidden else {}
        _, answer = await self._signed("queue", "POST", f"{queue}/messages", query, body)
        found = _PUT.search(answer)
        if found is None:
            raise RuntimeError("a message was put and no receipt came back")
        return found[1], found[2]

    async def get_messages(self, queue: str, limit: int, lease: int) -> list[tuple[str, str, str]]:
        query = {"numofmessages": str(limit), "visibilitytimeout": str(lease)}
        return _GOT.findall((await self._signed("queue", "GET", f"{queue}/messages", query))[1])

    async def delete_message(self, queue: str, message_id: str, receipt: str) -> None:
        await self._signed("queue", "DELETE", f"{queue}/messages/{message_id}", {"popreceipt": receipt})

    async def put_blob(self, container: str, name: str, data: bytes) -> None:
        await self._signed("blob", "PUT", f"{container}/{name}", {}, data)

    async def _table(self, method: str, path: str, headers: dict[str, str], entity: Entity) -> tuple[str, str]:
        url = self._endpoints["table"] / path
        date = formatdate(time.time(), usegmt=True)
        headers |= {
            "x-ms-date": date,
            "x-ms-version": _VERSION,
            "DataServiceVersion": "3.0",
            "Accept": "application/json;odata=nometadata",
            "Content-Type": "application/json",
            "Authorization": self._authorization("SharedKeyLite", f"{date}\n/{self._account}{url.raw_path}"),
        }
        return await self._send(method, url, headers, json.dumps(entity).encode())

    async def _signed(
        self, service: str, method: str, path: str, query: dict[str, str], body: bytes = b""
    ) -> tuple[str, str]:
        url = self._endpoints[service] / path
        kind = "application/octet-stream" if body else ""
        marked = {"x-ms-date": formatdate(time.time(), usegmt=True), "x-ms-version": _VERSION}
        if service == "blob":
            marked["x-ms-blob-type"] = "BlockBlob"
        lines = "".join(f"{name}:{value}\n" for name, value in sorted(marked.items()))
        resource = f"/{self._account}{url.raw_path}" + "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        text = f"{method}\n\n\n{len(body) or ''}\n\n{kind}\n\n\n\n\n\n\n{lines}{resource}"
        headers = marked | {"Authorization": self._authorization("SharedKey", text)}
        if body:
            headers["Content-Type"] = kind
        return await self._send(method, url.with_query(query), headers, body)

    def _authorization(self, scheme: str, text: str) -> str:
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()
        return f"{scheme} {self._account}:{signature}"

    async def _send(self, method: str, url: URL, headers: dict[str, str], body: bytes) -> tuple[str, str]:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        async with self._session.request(method, url, headers=headers, data=body or None) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {url.path}: {answer.status} {text[:300]}")
            return answer.headers.get("ETag", ""), text
