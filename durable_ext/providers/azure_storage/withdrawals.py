"""Work items that nobody waits for any more: rows by time, each with as many ids as a column holds.

An id that is noted twice is in two rows, which changes nothing for who reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from durable_ext.providers.azure_storage.client import Condition, Entity, Query, StorageClient
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.history import History
from durable_ext.providers.azure_storage.names import WITHDRAWN_KEY, digest
from durable_ext.providers.azure_storage.odata import time_text
from durable_ext.records.limits import MAX_COLUMN_CHARACTERS

_ids = msgspec.json.Decoder(tuple[str, ...])
_BRACKETS = 2
_COMMA = 1


class Withdrawals:
    """The withdrawals of one hub."""

    def __init__(self, client: StorageClient, table: str, history: History) -> None:
        self._client = client
        self._table = table
        self._history = history

    async def note(self, work_items: Sequence[str], time: datetime) -> None:
        """Write the ids down. Done again, with the same ids and time, it writes the same rows (P13)."""

        async def put(ids: str) -> None:
            entity: Entity = {
                "PartitionKey": WITHDRAWN_KEY,
                "RowKey": f"{time_text(time)}-{digest(ids)}",
                "WorkItemIds": ids,
                "Time": time,
            }
            await self._client.put_entity(self._table, entity)

        await each(columns_of(work_items), put)

    async def since(self, time: datetime) -> frozenset[str]:
        """The ids noted at or after a time."""
        rows = self._history.scan(_noted("ge", time))
        return frozenset([work_item async for row in rows for work_item in _ids.decode(str(row["WorkItemIds"]))])

    async def sweep(self, before: datetime) -> None:
        """Delete what was noted before a time. Gone already is done (P13)."""
        keys = [str(row["RowKey"]) async for row in self._history.scan(_noted("lt", before))]

        async def delete(key: str) -> None:
            await self._client.delete_entity(self._table, WITHDRAWN_KEY, key)

        await each(keys, delete)


def columns_of(work_items: Sequence[str]) -> Iterator[str]:
    """The ids as JSON arrays, each of which fits a column."""
    part: list[str] = []
    size = _BRACKETS
    for work_item in work_items:
        text = msgspec.json.encode(work_item).decode()
        units = len(text.encode("utf-16-le")) // 2 + _COMMA
        if part and size + units > MAX_COLUMN_CHARACTERS:
            yield f"[{','.join(part)}]"
            part, size = [], _BRACKETS
        part.append(text)
        size += units
    if part:
        yield f"[{','.join(part)}]"


def _noted(operator: Literal["ge", "lt"], time: datetime) -> Query:
    where = (Condition("PartitionKey", "eq", WITHDRAWN_KEY), Condition("RowKey", operator, time_text(time)))
    return Query(where, ("RowKey", "WorkItemIds"))
