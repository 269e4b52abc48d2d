"""Queries over the Instances table: filters, pages, counts. Filters run in storage, which has no index but the id."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from durable_ext.errors import InvalidInputError, UnreadableRowError
from durable_ext.providers.azure_storage import rows
from durable_ext.providers.azure_storage.client import (
    Condition,
    Continuation,
    Entity,
    EntityPage,
    Query,
    StorageClient,
    StorageRefusedError,
)
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.foreign import ForeignRows
from durable_ext.providers.azure_storage.instances import Instances
from durable_ext.providers.azure_storage.names import escape, size_in
from durable_ext.providers.azure_storage.rows import FETCHED_COLUMNS, is_address
from durable_ext.providers.contract import InstanceFilter, Page
from durable_ext.records.ids import ENTITY_MARK
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.limits import MAX_PAGE, MAX_PAGE_BYTES

_continuation = msgspec.json.Decoder(tuple[str, str])
# The first code point after the surrogates: keys are compared by UTF-16, where surrogates come before it.
_AFTER_SURROGATES = 0xE000


_BEHIND_ENTITIES = chr(ord(ENTITY_MARK) + 1)
# No time is earlier, so that whoever has the column is found.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_ENTITIES = [Condition("PartitionKey", "ge", ENTITY_MARK), Condition("PartitionKey", "lt", _BEHIND_ENTITIES)]
# In place of the first half of storage's own continuations, in which it cannot stand: go on with this row.
_FROM_KEY = "^from"
_NO_ENTITIES = Condition("PartitionKey", "outside", (ENTITY_MARK, _BEHIND_ENTITIES))


class Queries:
    """Reads many rows of one hub."""

    def __init__(self, client: StorageClient, table: str, instances: Instances) -> None:
        self._client = client
        self._table = table
        self._instances = instances
        self._foreign = ForeignRows(table)

    async def query(self, where: InstanceFilter, limit: int, continuation: str | None) -> Page:
        """One page. Raises InvalidInputError for a limit below 1 and for a continuation that is not ours."""
        if limit < 1:
            raise InvalidInputError(f"a page of {limit} instances was asked for; ask for at least 1")
        start = None if continuation is None else decode_continuation(continuation)
        conditions = conditions_of(where)
        if start is not None and start[0] == _FROM_KEY:
            conditions, start = (*conditions, Condition("PartitionKey", "ge", start[1])), None
        query = Query(conditions, top=min(limit, MAX_PAGE))
        try:
            page = await self._client.query_entities(self._table, query, start)
        except StorageRefusedError as refused:
            if start is None or refused.status != 400:
                raise
            raise InvalidInputError("the continuation is none that this hub gave out") from refused
        shown, following = _shown(page)
        prefix = escape(where.id_prefix)
        matching = [entity for entity in shown if str(entity["PartitionKey"]).startswith(prefix)]
        found = await each(matching, self._readable)
        readable = tuple(row for row in found if row is not None)
        return Page(readable, None if following is None else encode_continuation(following))

    async def _readable(self, entity: Entity) -> InstanceRow | None:
        """The row, or None for one that is not ours or is damaged: it must not keep the others from being seen."""
        try:
            return await self._instances.row_of(entity)
        except UnreadableRowError as error:
            self._foreign.tell(entity, str(error))
            return None

    async def count(self, where: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many match, by status."""
        query = Query(conditions_of(where), select=("PartitionKey", "RowKey", "RuntimeStatus", "Turn"), top=MAX_PAGE)
        counts: Counter[RuntimeStatus] = Counter()
        prefix = escape(where.id_prefix)
        continuation: Continuation | None = None
        while True:
            page = await self._client.query_entities(self._table, query, continuation)
            counts.update(
                RuntimeStatus(str(entity["RuntimeStatus"]))
                for entity in self._foreign.without(page.entities, "Turn")
                if str(entity["PartitionKey"]).startswith(prefix)
            )
            continuation = page.continuation
            if continuation is None:
                return dict(counts)


def conditions_of(where: InstanceFilter) -> tuple[Condition, ...]:
    """The filter as conditions on columns."""
    found: list[Condition] = []
    if where.id_prefix:
        prefix = escape(where.id_prefix)
        found.append(Condition("PartitionKey", "ge", prefix))
        found.append(Condition("PartitionKey", "lt", _after(prefix)))
    if where.entities is not None:
        found += _ENTITIES if where.entities else [_NO_ENTITIES]
    if where.statuses:
        found.append(Condition("RuntimeStatus", "in", tuple(sorted(status.value for status in where.statuses))))
    if where.name:
        found.append(Condition("Name", "eq", where.name))
    if where.version:
        found.append(Condition("Version", "eq", where.version))
    if where.parent:
        begin = rows.parent_text(where.parent)
        found += [Condition("ParentInstance", "ge", begin), Condition("ParentInstance", "lt", _after(begin))]
    if where.stuck:
        found.append(Condition("StuckSince", "ge", _EARLIEST))
    times = (
        ("CreatedTime", where.created_from, where.created_to),
        ("LastUpdatedTime", where.updated_from, where.updated_to),
        ("CompletedTime", where.completed_from, where.completed_to),
    )
    for column, since, until in times:
        found += [Condition(column, "ge", since)] if since is not None else []
        found += [Condition(column, "le", until)] if until is not None else []
    return tuple(found)


def _shown(page: EntityPage) -> tuple[Sequence[Entity], Continuation | None]:
    """The rows of a page that fit an answer, one at least, and where to go on: where storage says, or from a row."""
    length = 0
    for number, entity in enumerate(page.entities):
        length += sum(len(value) for value in entity.values() if isinstance(value, str))
        length += _moved_bytes(entity)
        if number and length > MAX_PAGE_BYTES:
            return page.entities[:number], (_FROM_KEY, str(entity["PartitionKey"]))
    return page.entities, page.continuation


def _moved_bytes(entity: Entity) -> int:
    """Of columns in blobs that are fetched with the row."""
    return sum(size_in(str(entity[name])) or 0 for name in FETCHED_COLUMNS if is_address(entity.get(name)))


def _after(prefix: str) -> str:
    """A key behind all that begin with the prefix, and before all others but a few, which the caller drops."""
    following = ord(prefix[-1]) + 1
    if 0xD800 <= following < _AFTER_SURROGATES:
        following = _AFTER_SURROGATES
    return prefix[:-1] + chr(following) if following <= 0x10FFFF else prefix + "\uffff"


def encode_continuation(continuation: Continuation) -> str:
    """Where the next page begins, as callers carry it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(continuation)).decode()


def decode_continuation(text: str) -> Continuation:
    """The reverse. Raises InvalidInputError."""
    try:
        return _continuation.decode(base64.b64decode(text, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidInputError("the continuation is none that this hub gave out") from error
