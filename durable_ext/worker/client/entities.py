"""The entity verbs of the client: signal, read, list, clean."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from durable_ext.authoring.entity_context import entity_address
from durable_ext.authoring.payload import decode, encode
from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.entity_id import EntityId
from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.given import as_utc
from durable_ext.records.ids import ENTITY_MARK, check_name
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import Body, Message, ReleaseLock, RemoveEntity, RunOperation
from durable_ext.replay.fold import project
from durable_ext.worker.client.core import ClientCore
from durable_ext.worker.entities.locks import is_orphaned
from durable_ext.worker.offload import owner_of
from durable_ext.worker.telemetry import Sending

_PAGE = 100
_LOOK_AGAIN = 0.05
_LONGEST_REMOVAL = timedelta(seconds=10)


class EntityStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An entity as it was when it was read. Times are aware UTC.

    `exists`: it has a state. `waiting`: requests kept back while it is locked, by the instance `locked_by`.
    """

    entity_id: EntityId
    exists: bool
    created_time: datetime
    last_modified_time: datetime
    waiting: int
    locked_by: str
    state: Any = None


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """What `clean_entities` did."""

    removed: int
    released: int


class EntityClient(ClientCore):
    """Entities. Methods may raise StorageError; ids and names are checked (InvalidInputError)."""

    async def signal_entity(
        self,
        entity_id: EntityId | str,
        operation: Any,
        input: Any = None,  # noqa: A002 - the field's word for it
        *,
        signal_time: datetime | None = None,
        message_id: str | None = None,
    ) -> None:
        """Have an entity run an operation, at `signal_time` or soon; nobody waits for it.

        Two signals with one `message_id` (an idempotency key) are one signal (P7). Raises PayloadError, and
        ConfigurationError for an entity that this app does not have, unless it leaves such to others (version_failure).
        """
        address = entity_address(entity_id)
        due = None if signal_time is None else as_utc(signal_time)
        self.check_entity(EntityId.parse(address).name)
        if message_id is not None:
            check_name("message id", message_id)
        named = self.naming.operation_of(EntityId.parse(address).name, operation)
        body = RunOperation(operation=check_name("operation name", named))
        message = self._for_entity(address, body, message_id, due)
        if input is not None:
            payload = await self._payloads.put(address, encode(self.converter, input), owner_of(message))
            message = msgspec.structs.replace(message, body=msgspec.structs.replace(body, input=payload))
        with self.telemetry.sending(Sending.SIGNAL, body.operation, address) as trace:
            await self._provider.send([message if trace is None else msgspec.structs.replace(message, trace=trace)])

    async def read_entity(self, entity_id: EntityId | str, expected_type: Any = Any) -> EntityStatus | None:
        """The entity with its state decoded to a type; None when nobody ever asked anything of it.

        Read from its history, so that what an orchestration has heard is to be seen. Raises PayloadError on a misfit.
        """
        address = entity_address(entity_id)
        loaded = await self._provider.load(address)
        row = None if loaded.stored is None else loaded.stored.row
        lag = [turn for turn in loaded.turns if row is None or (turn.execution.generation, turn.number) > row.position]
        row = project(row, lag) or row
        return None if row is None else await self._entity_of(row, expected_type, with_state=True)

    async def list_entities(
        self,
        name: str = "",
        *,
        key_prefix: str = "",
        with_state: bool = True,
        modified_from: datetime | None = None,
        modified_to: datetime | None = None,
    ) -> AsyncIterator[EntityStatus]:
        """Every entity, or every entity of a name, ordered by id, page by page; also those without a state.

        Rows may lag behind by some tenths of a second. Times are those of the last operation.
        """
        prefix = ENTITY_MARK + (f"{EntityId(name, '-').name}{ENTITY_MARK}{key_prefix}" if name else "")
        if key_prefix and not name:
            raise InvalidInputError("key_prefix needs the name of the entity")
        async for row in self._rows(prefix):
            early = modified_from is not None and row.updated_at < as_utc(modified_from)
            late = modified_to is not None and row.updated_at > as_utc(modified_to)
            if not (early or late):
                yield await self._entity_of(row, Any, with_state=with_state)

    async def clean_entities(self, *, remove_empty: bool = True, release_orphaned_locks: bool = True) -> Cleaned:
        """Remove entities without state that nobody waits for, and release locks whose holder is over.

        Removed entities leave storage; the next operation makes them anew.
        """
        removed = released = 0
        async for row in self._rows(ENTITY_MARK):
            summary = EntitySummary.of(row.custom_status)
            if (
                release_orphaned_locks
                and summary.locked_by
                and await is_orphaned(self._provider, self.catalog, summary)
            ):
                await self._to_entity(row.instance_id, ReleaseLock(lock=summary.lock))
                released += 1
            elif remove_empty and not (summary.exists or summary.locked_by or summary.waiting):
                removed += await self._remove(row)
        return Cleaned(removed=removed, released=released)

    async def _rows(self, prefix: str) -> AsyncIterator[InstanceRow]:
        continuation: str | None = None
        while True:
            page = await self.catalog.query(InstanceFilter(id_prefix=prefix), limit=_PAGE, continuation=continuation)
            for row in page.rows:
                yield row
            continuation = page.continuation
            if continuation is None:
                return

    async def _entity_of(self, row: InstanceRow, kind: Any, *, with_state: bool) -> EntityStatus:
        summary = EntitySummary.of(row.custom_status)
        state = await self._payloads.get(row.input) if with_state and row.input is not None else None
        return EntityStatus(
            entity_id=EntityId.parse(row.instance_id),
            exists=summary.exists,
            created_time=row.created_at,
            last_modified_time=row.updated_at,
            waiting=summary.waiting,
            locked_by=summary.locked_by,
            state=decode(self.converter, state, kind),
        )

    async def _remove(self, row: InstanceRow) -> bool:
        """Ask the entity to end, which it does if it still is empty, then purge it (P10)."""
        if not row.status.is_terminal:
            await self._to_entity(row.instance_id, RemoveEntity())
        give_up_at = self._clock() + _LONGEST_REMOVAL
        while self._clock() < give_up_at:
            stored = await self._provider.read_row(row.instance_id)
            if stored is None:
                return False
            if stored.row.status.is_terminal:
                await self.catalog.purge(stored.row, etag=stored.etag)
                return True
            if EntitySummary.of(stored.row.custom_status).exists:
                return False
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _to_entity(self, address: str, body: Body) -> None:
        await self._provider.send([self._for_entity(address, body)])

    def _for_entity(
        self, address: str, body: Body, message_id: str | None = None, due: datetime | None = None
    ) -> Message:
        return Message(
            id=message_id or uuid.uuid4().hex,
            instance_id=address,
            body=body,
            sent_at=self._clock(),
            due=due,
            # A caller's own id may be a repeat: have the receiver look it up (P7).
            resent=message_id is not None,
        )
