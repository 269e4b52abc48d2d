"""Start, query and command instances. What HTTP, CLI, monitor and users' own functions speak to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from durable_ext.authoring.payload import Converter, JsonConverter, encode
from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import (
    ConfigurationError,
    InstanceExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidInputError,
    RowChangedError,
)
from durable_ext.providers.contract import Catalog, Clock, InstanceFilter, Provider, VersionedRow
from durable_ext.records.ids import check_instance_id, check_name, start_message_id
from durable_ext.records.instance import TERMINAL, Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Body, Delivery, Message, RaiseEvent, Resume, StartExecution, Suspend, Terminate
from durable_ext.records.payloads import Payload
from durable_ext.records.turns import Turn
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.signals import Signals

_POLL_FIRST = 0.05
_POLL_LAST = 2.0
# What was started here runs here, unless this process gives it away.
_POLL_HERE = 1.0
_MOST_REMEMBERED = 10_000
_PAGE = 100


def utc_now() -> datetime:
    """Aware UTC now."""
    return datetime.now(UTC)


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to start an instance. `start_at` delays it; `replace` are the statuses an existing instance may have."""

    version: str | None = None
    tags: Mapping[str, str] = {}
    start_at: datetime | None = None
    replace: frozenset[RuntimeStatus] = TERMINAL


class LocalDelivery(Protocol):
    """Whoever processes deliveries in this very process, if anybody does."""

    @property
    def lease(self) -> timedelta:
        """How long a reserved message is hidden at first."""
        ...

    def has_room(self) -> bool:
        """Whether one more instance may begin here."""
        ...

    def adopt(self, delivery: Delivery) -> None:
        """Process a delivery that was reserved here, as one received (S4)."""
        ...


class Client:
    """Talks to one task hub. All methods may raise StorageError; ids and names are checked (InvalidInputError)."""

    def __init__(
        self,
        provider: Provider,
        catalog: Catalog,
        *,
        converter: Converter | None = None,
        clock: Clock = utc_now,
        signals: Signals | None = None,
    ) -> None:
        self._provider = provider
        self.catalog = catalog
        self.converter: Converter = converter or JsonConverter()
        self._clock = clock
        self._signals = signals or Signals()
        self._payloads = PayloadStore(provider)
        self.known_orchestrator: Callable[[str], bool] | None = None
        self.local: LocalDelivery | None = None
        self._started_here: dict[str, None] = {}

    async def start(
        self,
        name: str,
        input: Any = None,  # noqa: A002 - the field's word for it
        *,
        instance_id: str | None = None,
        options: StartOptions = StartOptions(),  # noqa: B008 - frozen
    ) -> str:
        """Start an orchestration and return its instance id (P9).

        Raises ConfigurationError for an orchestrator this app does not have, InstanceExistsError when the id is taken
        by an instance in a status outside `options.replace`, PayloadError for an input that is not data.
        """
        check_name("orchestrator name", name)
        if self.known_orchestrator is not None and not self.known_orchestrator(name):
            raise ConfigurationError(f"no orchestrator is registered under the name {name!r}")
        instance_id = uuid.uuid4().hex if instance_id is None else check_instance_id(instance_id)
        now = self._clock()
        payload = await self._payloads.put(instance_id, encode(self.converter, input))
        row = InstanceRow(
            execution=Execution(instance_id=instance_id, execution_id=uuid.uuid4().hex),
            name=name,
            status=RuntimeStatus.PENDING,
            created_at=now,
            updated_at=now,
            version=options.version,
            input=payload,
            scheduled_start=options.start_at,
            tags=dict(options.tags),
        )
        row, etag, previous = await self._claim(row, options.replace)
        await self._send_start(start_message(row, etag, previous=previous))
        return instance_id

    async def _send_start(self, message: Message) -> None:
        if self.local is None or message.due is not None or not self.local.has_room():
            await self._provider.send([message])
            return
        # Put already received: nobody polls for it, and if this process dies it comes back after its lease (S4).
        self.local.adopt(await self._provider.reserve(message, self.local.lease))
        self._started_here[message.instance_id] = None
        while len(self._started_here) > _MOST_REMEMBERED:
            del self._started_here[next(iter(self._started_here))]

    async def _claim(self, row: InstanceRow, replace: Collection[RuntimeStatus]) -> tuple[InstanceRow, str, str | None]:
        """Write the row; it, its etag, and the execution it replaced."""
        try:
            return row, await self._provider.create_row(row), None
        except InstanceExistsError:
            stored = await self._provider.read_row(row.instance_id)
        if stored is None:  # purged this moment
            return row, await self._provider.create_row(row), None
        if stored.row.status not in replace:
            raise InstanceExistsError(
                f"instance {row.instance_id!r} already exists and is {stored.row.status.value}; "
                "use another id, or terminate and purge it first"
            )
        following = msgspec.structs.replace(row.execution, generation=stored.row.execution.generation + 1)
        row = msgspec.structs.replace(row, execution=following)
        try:
            etag = await self._provider.create_row(row, replacing=stored.etag)
        except RowChangedError as error:
            raise InstanceExistsError(f"instance {row.instance_id!r} was started by somebody else just now") from error
        return row, etag, stored.row.execution.execution_id

    async def get(self, instance_id: str, *, with_input: bool = True) -> InstanceStatus | None:
        """The instance with its payloads loaded, or None; without its input when the caller does not want it."""
        stored = await self._provider.read_row(instance_id)
        return None if stored is None else await self.status_of(stored.row, with_input=with_input)

    async def status_of(self, row: InstanceRow, *, with_input: bool = True) -> InstanceStatus:
        """A row with its payloads loaded; without its input when the caller does not want it."""
        loaded = msgspec.structs.replace(
            row,
            input=await self._payloads.get(row.input) if row.input is not None and with_input else None,
            output=None if row.output is None else await self._payloads.get(row.output),
            custom_status=None if row.custom_status is None else await self._payloads.get(row.custom_status),
        )
        return InstanceStatus(loaded, self.converter)

    async def list(self, where: InstanceFilter = InstanceFilter()) -> AsyncIterator[InstanceStatus]:  # noqa: B008
        """Every matching instance, page by page, ordered by id."""
        continuation: str | None = None
        while True:
            page = await self.catalog.query(where, limit=_PAGE, continuation=continuation)
            for row in page.rows:
                yield await self.status_of(row)
            continuation = page.continuation
            if continuation is None:
                return

    async def history(self, instance_id: str, execution_id: str | None = None) -> Sequence[Turn]:
        """The turns of the current, or of the named, execution."""
        return await self.catalog.history(instance_id, execution_id)

    async def load_payload(self, payload: Payload) -> Payload:
        """A payload of a row or an event, inline. Raises StorageError when its blob is gone."""
        return await self._payloads.get(payload)

    async def wait_for_completion(self, instance_id: str, timeout: timedelta) -> InstanceStatus:  # noqa: ASYNC109
        """The instance once it has ended. Raises TimeoutError, and InstanceNotFoundError for an unknown id."""
        return await self.wait_until(instance_id, lambda row: row.status.is_terminal, timeout)

    async def wait_until(
        self,
        instance_id: str,
        ready: Callable[[InstanceRow], bool],
        timeout: timedelta,  # noqa: ASYNC109
    ) -> InstanceStatus:
        """The instance once `ready` holds for its row. Raises TimeoutError and InstanceNotFoundError."""
        async with asyncio.timeout(timeout.total_seconds()):
            # A session of this process publishes its rows, so the first look can wait for that.
            pause = _POLL_HERE if instance_id in self._started_here else _POLL_FIRST
            row = await self._signals.next_row(instance_id, pause)
            while row is None or not ready(row):
                row = (await self._existing(instance_id)).row
                if ready(row):
                    break
                row = await self._signals.next_row(instance_id, pause)
                pause = min(pause * 1.5, _POLL_LAST)
            return await self.status_of(row)

    async def raise_event(
        self,
        instance_id: str,
        name: str,
        data: Any = None,
        *,
        message_id: str | None = None,
    ) -> None:
        """Raise an external event. Two events with one `message_id` (an idempotency key) are one event (P7).

        Raises InstanceNotFoundError, InstanceStateError when the instance has ended, and InvalidInputError for an empty
        name or id and for one longer than 256 characters.
        """
        check_name("event name", name)
        if message_id is not None:
            check_name("message id", message_id)
        await self._running(instance_id)
        payload = await self._payloads.put(instance_id, encode(self.converter, data))
        await self._command(instance_id, RaiseEvent(name=name, input=payload), message_id)

    async def terminate(self, instance_id: str, reason: str = "", *, recursive: bool = True) -> None:
        """End an instance, and its running children too. Raises as raise_event."""
        await self._running(instance_id)
        await self._command(instance_id, Terminate(reason=reason, recursive=recursive))

    async def suspend(self, instance_id: str, reason: str = "") -> None:
        """Keep what happens to the instance from its code until it is resumed. Raises as raise_event."""
        await self._running(instance_id)
        await self._command(instance_id, Suspend(reason=reason))

    async def resume(self, instance_id: str, reason: str = "") -> None:
        """Undo suspend. Raises as raise_event."""
        await self._running(instance_id)
        await self._command(instance_id, Resume(reason=reason))

    async def restart(self, instance_id: str, *, new_instance_id: bool = True) -> str:
        """Start the orchestration again with the same input; return its id.

        Raises InstanceNotFoundError, and InstanceExistsError when the same id is wanted and it still runs.
        """
        status = await self.get(instance_id)
        if status is None:
            raise _unknown(instance_id)
        options = StartOptions(version=status.row.version, tags=status.row.tags)
        wanted = None if new_instance_id else instance_id
        return await self.start(status.name, status.input, instance_id=wanted, options=options)

    async def purge(self, instance_id: str) -> bool:
        """Delete an ended instance with its history and payloads (P10); False when there is none.

        Raises InstanceStateError when it has not ended.
        """
        stored = await self._provider.read_row(instance_id)
        if stored is None:
            return False
        if not stored.row.status.is_terminal:
            raise InstanceStateError(
                f"instance {instance_id!r} is {stored.row.status.value}; terminate it before purging it"
            )
        await self.catalog.purge(stored.row)
        return True

    async def purge_matching(self, where: InstanceFilter) -> int:
        """Purge every ended instance that matches; how many. Others are left alone, whatever the filter says (P10)."""
        wanted = where.statuses & TERMINAL if where.statuses else TERMINAL
        if not wanted:
            raise InvalidInputError("only ended instances can be purged: Completed, Failed, Terminated, Canceled")
        where = msgspec.structs.replace(where, statuses=wanted)
        purged = 0
        continuation: str | None = None
        while True:
            page = await self.catalog.query(where, limit=_PAGE, continuation=continuation)
            for row in page.rows:
                await self.catalog.purge(row)
                purged += 1
            continuation = page.continuation
            if continuation is None:
                return purged

    async def _existing(self, instance_id: str) -> VersionedRow:
        stored = await self._provider.read_row(instance_id)
        if stored is None:
            raise _unknown(instance_id)
        return stored

    async def _running(self, instance_id: str) -> InstanceRow:
        row = (await self._existing(instance_id)).row
        if row.status.is_terminal:
            raise InstanceStateError(f"instance {instance_id!r} has ended: it is {row.status.value}")
        return row

    async def _command(self, instance_id: str, body: Body, message_id: str | None = None) -> None:
        message = Message(
            id=message_id or uuid.uuid4().hex,
            instance_id=instance_id,
            body=body,
            sent_at=self._clock(),
            # A caller's own id may be a repeat: have the receiver look it up (P7).
            resent=message_id is not None,
        )
        await self._provider.send([message])


def start_message(row: InstanceRow, etag: str, *, previous: str | None = None, resent: bool = False) -> Message:
    """The message that starts the execution a Pending row describes; the janitor makes the same one (P9)."""
    body = StartExecution(
        execution=row.execution,
        name=row.name,
        input=row.input,
        version=row.version,
        parent=row.parent,
        tags=row.tags,
        created_at=row.created_at,
        scheduled_start=row.scheduled_start,
        row_etag=etag,
        previous=previous,
    )
    return Message(
        id=start_message_id(row.execution),
        instance_id=row.instance_id,
        execution_id=row.execution.execution_id,
        body=body,
        sent_at=row.created_at,
        due=row.scheduled_start,
        resent=resent,
    )


def _unknown(instance_id: str) -> InstanceNotFoundError:
    return InstanceNotFoundError(f"no instance has the id {instance_id!r}")
