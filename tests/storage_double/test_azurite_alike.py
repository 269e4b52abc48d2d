"""The double does as the emulator does: seeded sequences of calls on both, equal answers and equal contents.

Ids, receipts and etags differ by nature, so each side has its own and a call names them by who gave them out.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_ext.providers.azure_storage.client import (
    Change,
    Condition,
    Entity,
    Key,
    ListedBlob,
    Query,
    Receipt,
    StorageClient,
    StorageRefusedError,
)
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.azure_storage.provider import utc_now
from durable_ext.testing.storage_double import StorageDouble
from tests.scenarios.engine import pause

_CALLS = 140
_NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
_PARTITIONS = ("a", "A", "b'c", "é", "\ue000", "😀", "a b%2F")
_ROWS = ("", "a", "A", "b'c")
_LIMIT = timedelta(seconds=8)


class Side:
    """One of the two, with the names that it gave out: the same places in both lists."""

    def __init__(self, client: StorageClient, suffix: str) -> None:
        self.client = client
        self.tables = [f"T{suffix}a", f"T{suffix}b", f"T{suffix}never"]
        self.queues = [f"q{suffix}a", f"q{suffix}b", f"q{suffix}never"]
        self.containers = [f"c{suffix}a", f"c{suffix}never"]
        self.etags = ["", 'W/"never"', "*"]
        self.held = [Receipt("never", "never")]
        self.listed = [ListedBlob("never", '"never"', _NOW)]


Call = Callable[[Side], Awaitable[Any]]


async def _answer(side: Side, call: Call) -> Any:
    try:
        return await call(side)
    except StorageRefusedError as refused:
        # Of a value out of range Azurite says one thing or nothing, depending on which of its rooms notices.
        return refused.status, refused.code or "OutOfRangeQueryParameterValue"


def _plain(entity: Entity) -> Entity:
    return {name: value for name, value in entity.items() if name != "Timestamp"}


class Sequence:
    """Draws calls. What differs by nature is kept by the side and left out of the answer."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._held = 1
        self._etags = 3

    def draw(self) -> tuple[str, Call]:
        """The next call and what it is."""
        kinds = (
            *(self._write, self._write, self._change, self._read, self._query),
            *(self._put, self._get, self._held_call, self._peek),
            self._blob,
        )
        return self._random.choice(kinds)()

    def _entity(self) -> Entity:
        draw = self._random
        entity: Entity = {"PartitionKey": draw.choice(_PARTITIONS), "RowKey": draw.choice(_ROWS)}
        values: tuple[Any, ...] = (draw.randrange(5), draw.random() < 0.5, _NOW + timedelta(draw.randrange(5)), "x'y")
        entity |= {name: value for name, value in zip("NBTS", values, strict=True) if draw.random() < 0.8}
        if draw.random() < 0.1:
            entity["S"] = "x" * draw.choice((32 * 1024, 32 * 1024 + 1))
        elif draw.random() < 0.1:
            # Not a slash, which Azurite answers with 500 when it is in an address.
            entity["PartitionKey"] = draw.choice(("a#", "k" * 512, "k" * 513))
        return entity

    def _table(self) -> int:
        return self._random.choice((0, 0, 0, 0, 1, 1, 2))

    def _write(self) -> tuple[str, Call]:
        table, entity = self._table(), self._entity()
        how, etag = self._random.choice(("insert", "put", "replace", "delete")), self._random.randrange(self._etags)
        if how in ("insert", "replace"):
            self._etags += 1

        async def call(side: Side) -> None:
            name, given = side.tables[table], side.etags[etag]
            kept = 'W/"none"'
            try:
                match how:
                    case "insert":
                        kept = await side.client.insert_entity(name, entity)
                    case "replace":
                        kept = await side.client.replace_entity(name, entity, given)
                    case "put":
                        await side.client.put_entity(name, entity)
                    case _:
                        keys = str(entity["PartitionKey"]), str(entity["RowKey"])
                        await side.client.delete_entity(name, *keys, given or "*")
            finally:
                if how in ("insert", "replace"):
                    side.etags.append(kept)

        return f"{how} {table} {str(entity)[:200]} etag {etag}", call

    def _change(self) -> tuple[str, Call]:
        table, draw = self._table(), self._random
        partition = draw.choice(_PARTITIONS)
        changes: list[Change] = []
        for row in draw.choices(_ROWS, k=draw.choice((1, 2, 3))):
            put: Entity = {"PartitionKey": partition, "RowKey": row, "N": draw.randrange(5), "T": _NOW}
            changes.append(Key(partition, row) if draw.random() < 0.4 else put)

        async def call(side: Side) -> None:
            await side.client.change_entities(side.tables[table], changes)

        return f"change {table} {changes}", call

    def _read(self) -> tuple[str, Call]:
        table, keys = self._table(), (self._random.choice(_PARTITIONS), self._random.choice(_ROWS))

        async def call(side: Side) -> Entity | None:
            found = await side.client.read_entity(side.tables[table], *keys)
            return None if found is None else _plain(found.entity)

        return f"read {table} {keys}", call

    def _query(self) -> tuple[str, Call]:
        table, draw = self._table(), self._random
        conditions = (
            Condition("PartitionKey", draw.choice(("eq", "ge", "gt", "le", "lt")), draw.choice(_PARTITIONS)),
            Condition("N", draw.choice(("eq", "ge", "gt", "le", "lt")), draw.randrange(5)),
            Condition("B", "eq", draw.random() < 0.5),
            Condition("T", draw.choice(("ge", "lt")), _NOW + timedelta(draw.randrange(5))),
            Condition("S", "in", ("x'y", "z")),
        )
        query = Query(
            tuple(draw.sample(conditions, draw.randrange(3))),
            select=draw.choice(((), ("PartitionKey", "RowKey", "N"))),
            top=draw.choice((1, 2, 3, 1000)),
        )

        async def call(side: Side) -> list[Entity]:
            return await every_entity(side, side.tables[table], query)

        return f"query {table} {query}", call

    def _put(self) -> tuple[str, Call]:
        queue, draw = draw_queue(self._random), self._random
        text = draw.choice(("one", "<two> & 'two'", "", "x" * 64 * 1024, "x" * (64 * 1024 + 1)))
        hidden = draw.choice((0, 0, 0, 3600, 7 * 24 * 3600, 7 * 24 * 3600 + 1))
        self._held += 1

        async def call(side: Side) -> None:
            kept = Receipt("none", "none")
            try:
                kept = await side.client.put_message(side.queues[queue], text, hidden)
            finally:
                side.held.append(kept)

        return f"put {queue} {text[:20]} hidden {hidden}", call

    def _get(self) -> tuple[str, Call]:
        queue, draw = draw_queue(self._random), self._random
        limit, lease = draw.choice((1, 2, 32, 0, 33)), draw.choice((3600, 3600, 0))
        self._held += 2

        async def call(side: Side) -> list[tuple[int, str]]:
            kept = [Receipt("none", "none")] * 2
            try:
                found = await side.client.get_messages(side.queues[queue], limit, lease)
                kept = ([Receipt(one.message_id, one.receipt) for one in found] + kept)[:2]
            finally:
                side.held.extend(kept)
            return [(one.dequeue_count, one.text) for one in found]

        return f"get {queue} {limit} for {lease}", call

    def _peek(self) -> tuple[str, Call]:
        queue = draw_queue(self._random)

        async def call(side: Side) -> tuple[int, str, timedelta | None, int] | None:
            found = await side.client.peek_message(side.queues[queue])
            if found is None:
                return None
            return found.dequeue_count, found.text, found.inserted.utcoffset(), found.inserted.microsecond

        return f"peek {queue}", call

    def _held_call(self) -> tuple[str, Call]:
        queue, held, delete = draw_queue(self._random), self._random.randrange(self._held), self._random.random() < 0.5
        hidden = self._random.choice((0, 3600, 7 * 24 * 3600 + 1))
        self._held += 1

        async def call(side: Side) -> None:
            message_id, receipt = side.held[held]
            kept = Receipt("none", "none")
            try:
                if delete:
                    await side.client.delete_message(side.queues[queue], message_id, receipt)
                else:
                    new = await side.client.update_message(side.queues[queue], message_id, receipt, hidden)
                    kept = Receipt(message_id, new)
            finally:
                side.held.append(kept)

        return f"{'delete' if delete else f'hide for {hidden}'} {queue} held {held}", call

    def _blob(self) -> tuple[str, Call]:
        draw = self._random
        container, name = draw.choice((0, 0, 0, 1)), draw.choice(("a/1", "a/2", "a1", "é/1", "x y"))
        how = draw.choice(("put", "put", "get", "list", "delete", "delete listed", "delete listed"))
        prefix, listed = draw.choice(("", "a", "a/")), draw.randrange(5)

        async def call(side: Side) -> Any:
            where = side.containers[container]
            match how:
                case "put":
                    return await side.client.put_blob(where, name, name.encode())
                case "get":
                    return await side.client.get_blob(where, name)
                case "list":
                    page = await side.client.list_blobs(where, prefix)
                    side.listed = [*page.blobs, *side.listed][:5]
                    return page.names, [blob.written.microsecond for blob in page.blobs], page.continuation
                case "delete":
                    return await side.client.delete_blob(where, name)
                case _:
                    blob = side.listed[listed % len(side.listed)]
                    return await side.client.delete_blob(side.containers[0], blob.name, blob.etag)

        return f"{how} blob {container} {name} {prefix} {listed}", call


def draw_queue(draw: random.Random) -> int:
    return draw.choice((0, 0, 0, 1, 1, 2))


async def every_entity(side: Side, table: str, query: Query) -> list[Entity]:
    """All pages; where one ends is storage's business."""
    found: list[Entity] = []
    continuation = None
    while True:
        page = await side.client.query_entities(table, query, continuation)
        found += map(_plain, page.entities)
        continuation = page.continuation
        if continuation is None:
            return found


async def _create(side: Side) -> None:
    for _ in range(2):
        for table in side.tables[:2]:
            await side.client.create_table(table)
        for queue in side.queues[:2]:
            await side.client.create_queue(queue)
        await side.client.create_container(side.containers[0])


async def _delete(side: Side) -> list[Any]:
    for _ in range(2):
        for table in side.tables:
            await side.client.delete_table(table)
        for queue in side.queues:
            await side.client.delete_queue(queue)
        for container in side.containers:
            await side.client.delete_container(container)
    return [await _answer(side, lambda side: side.client.read_entity(side.tables[0], "a", "a"))]


async def _hide(side: Side) -> None:
    """What is visible, and one message more, is hidden for a second."""
    for queue in side.queues[:2]:
        await side.client.get_messages(queue, 32, 1)
        await side.client.put_message(queue, "late", 1)


async def _appeared(side: Side, expected: int) -> list[tuple[int, str]]:
    """What becomes visible within the bound, until as many came as the other side has."""
    found: list[tuple[int, str]] = []
    end = utc_now() + _LIMIT
    while utc_now() < end:
        for queue in side.queues[:2]:
            found += [(one.dequeue_count, one.text) for one in await side.client.get_messages(queue, 32, 3600)]
        if len(found) >= expected:
            break
        await pause(0.1)
    return sorted(found)


async def _contents(side: Side) -> list[Any]:
    entities = [await every_entity(side, table, Query(())) for table in side.tables[:2]]
    return [*entities, (await side.client.list_blobs(side.containers[0], "")).names]


@pytest.mark.azurite
@pytest.mark.parametrize("seed", range(5))
def test_equal_answers(azurite: str, seed: int) -> None:
    """Time stands still for the double while calls are drawn: what they hide stays hidden on both sides."""

    async def main() -> None:
        time = _NOW
        http = HttpClient(parse_connection_string(azurite))
        suffix = uuid.uuid4().hex[:12]
        real, double = Side(http, suffix), Side(StorageDouble(lambda: time, page_rows=3), suffix)
        try:
            await _create(real)
            await _create(double)
            sequence = Sequence(seed)
            for number in range(_CALLS):
                what, call = sequence.draw()
                expected, found = await _answer(real, call), await _answer(double, call)
                assert found == expected, f"call {number}: {what}"
            assert await _contents(double) == await _contents(real)
            await _hide(double)
            await _hide(real)
            time += timedelta(seconds=2)
            appeared = await _appeared(double, 0)
            assert await _appeared(real, len(appeared)) == appeared
            assert await _delete(double) == await _delete(real)
        finally:
            await http.close()

    asyncio.run(main())
