"""The limit of the design: the storage calls of a workload, in the order the design must keep, with no engine.

A turn is one inserted row, activities run in the session, and the Instances row is written at start and end. Rows are
as long as the engine's. Two kinds, both a `Runner`:

* `limit`: plain aiohttp, and the start comes back through the queue, as with any engine that has no queue-less start.
* `limit-lean`: the package's own client and no receive, because the start is put already received (S4). These are
  exactly the calls that the engine makes, so what is missing to its figures is the engine itself.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from benchmarks.plain_client import PlainClient
from benchmarks.workloads import stamp
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient

_NOW = "2026-03-04T05:06:07.8901230Z"
_BATCH = 32
_LEASE = 30
# An entity column holds 32K characters; a turn that is longer goes to a blob that its row names (P1).
_COLUMN = 32 * 1024
_STEP = [
    {"type": "TaskCompleted", "taskId": 17, "result": {"data": "MTg="}},
    {"type": "TaskScheduled", "id": 18, "name": "add_one", "input": {"data": "MTg="}, "placement": "auto"},
]


class Calls(Protocol):
    """What both clients can do, in the words of the package's own."""

    async def insert_entity(self, table: str, entity: dict[str, Any]) -> str: ...
    async def replace_entity(self, table: str, entity: dict[str, Any], etag: str) -> str: ...
    async def put_message(self, queue: str, text: str, hidden: int = 0) -> tuple[str, str]: ...
    async def get_messages(self, queue: str, limit: int, lease: int) -> list[Any]: ...
    async def delete_message(self, queue: str, message_id: str, receipt: str) -> None: ...
    async def put_blob(self, container: str, name: str, data: bytes) -> None: ...
    async def close(self) -> None: ...


class Limit:
    """Runs the calls of chain, long_chain, fan_out and hello. `receives`: whether the start comes out of the queue."""

    def __init__(self, calls: Calls, names: Any, *, receives: bool) -> None:
        self._calls = calls
        self._names = names
        self._receives = receives
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._sessions: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    async def result_of(self, name: str, value: int) -> object:
        """As the engine's: start, wait until the row says Completed, return what the orchestration would."""
        instance_id = f"{name}-{value}-{uuid.uuid4().hex}"
        ended = self._ended[instance_id] = asyncio.get_running_loop().create_future()
        etag = await self._calls.insert_entity(self._names.instances, _row(instance_id, "Pending"))
        text = base64.b64encode(json.dumps({"id": instance_id, "etag": etag, "input": "x" * 300}).encode()).decode()
        put = await self._calls.put_message(self._names.control[0], text, 0 if self._receives else _LEASE)
        if self._receives:
            self._wake.set()
        else:
            self._open(instance_id, etag, put)
        await ended
        return value * (value + 1) // 2 if name == "fan_out" else value

    async def receive(self) -> None:
        """Take starts out of the queue, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            found = [()] * _BATCH
            while len(found) == _BATCH:
                found = await self._calls.get_messages(self._names.control[0], _BATCH, _LEASE)
                for message_id, receipt, text in found:
                    start = json.loads(base64.b64decode(text))
                    self._open(start["id"], start["etag"], (message_id, receipt))

    async def close(self) -> None:
        """Wait for the sessions and close the connections."""
        await asyncio.gather(*self._sessions)
        await self._calls.close()

    def _open(self, instance_id: str, etag: str, receipt: tuple[str, str]) -> None:
        task = asyncio.create_task(self._session(instance_id, etag, receipt))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _session(self, instance_id: str, etag: str, receipt: tuple[str, str]) -> None:
        name, value, _ = instance_id.split("-")
        width, turns = {"fan_out": (int(value), 2), "hello": (1, 1)}.get(name, (1, int(value) + 1))
        for number in range(turns):
            await self._commit(instance_id, number, _STEP[: 1 if name == "fan_out" else 2] * width)
            if name == "long_chain" and number < turns - 1:
                stamp()
        row = _row(instance_id, "Completed") | {"Output": "5", "CompletedTime": _NOW}
        await self._calls.replace_entity(self._names.instances, row, etag)
        self._ended.pop(instance_id).set_result(None)
        await self._calls.delete_message(self._names.control[0], *receipt)

    async def _commit(self, instance_id: str, number: int, events: list[Any]) -> None:
        text = json.dumps(events)
        entity: dict[str, Any] = {
            "PartitionKey": instance_id,
            "RowKey": f"00000000-{'a' * 32}-{number:08X}",
            "Events": text,
            "EventTypes": "TaskCompleted,TaskScheduled",
            "MessageIds": f'["{instance_id}-{number}-done"]',
            "TriggerId": f"{instance_id}-start",
            "CommitId": f"{'b' * 32}-{number}",
            "ExecutionId": "a" * 32,
            "Generation": 0,
            "TurnNumber": number,
            "Time": _NOW,
            "Time@odata.type": "Edm.DateTime",
            "IsTerminal": False,
        }
        if len(text) > _COLUMN:
            entity |= {"Events": "", "TurnBlob": f"{instance_id}/turn-{number}"}
            await self._calls.put_blob(self._names.blobs, entity["TurnBlob"], gzip.compress(text.encode(), 6))
        await self._calls.insert_entity(self._names.history, entity)


def _row(instance_id: str, status: str) -> dict[str, Any]:
    return {
        "PartitionKey": instance_id,
        "RowKey": "",
        "ExecutionId": "a" * 32,
        "Generation": 0,
        "Turn": 0,
        "Name": "chain",
        "RuntimeStatus": status,
        "TaskHubName": "bench",
        "CreatedTime": _NOW,
        "CreatedTime@odata.type": "Edm.DateTime",
        "LastUpdatedTime": _NOW,
        "LastUpdatedTime@odata.type": "Edm.DateTime",
        "Input": "5",
    }


@asynccontextmanager
async def limit_running(connection: str, hub: str, *, lean: bool) -> AsyncGenerator[Limit]:
    """The limit on a hub of its own, made as the provider makes it."""
    provider = AzureStorageProvider(connection, hub)
    await provider.create_hub()
    calls: Any = HttpClient(parse_connection_string(connection)) if lean else PlainClient(connection)
    limit = Limit(calls, provider.names, receives=not lean)
    receiving = asyncio.create_task(limit.receive())
    try:
        yield limit
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await limit.close()
        await provider.close()
