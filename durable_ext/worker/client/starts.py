"""Starting instances: the row first, then the message (P9)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from durable_ext.authoring.payload import encode
from durable_ext.errors import InstanceExistsError, RowChangedError
from durable_ext.records.given import as_utc, check_tags
from durable_ext.records.ids import check_instance_id, check_name, start_message_id
from durable_ext.records.instance import TERMINAL, Execution, FirstEvent, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Message, StartExecution
from durable_ext.records.payloads import Payload
from durable_ext.worker.client.core import ClientCore
from durable_ext.worker.telemetry import Sending


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to start an instance. `start_at` delays it, in UTC unless it has a zone; `replace` are the statuses that an
    existing instance may have.

    `version` is what the execution is pinned to: None is the app's default, "" is none. `first_event`, a name and data,
    is raised in one with the start: once, and before any other event; a restart does not repeat it.
    """

    version: str | None = None
    tags: Mapping[str, str] = {}
    start_at: datetime | None = None
    replace: frozenset[RuntimeStatus] = TERMINAL
    first_event: tuple[str, Any] | None = None


class StartingClient(ClientCore):
    """Starts instances."""

    async def start(
        self,
        name: Callable[..., Any] | str,
        input: Any = None,  # noqa: A002 - the field's word for it
        *,
        instance_id: str | None = None,
        options: StartOptions = StartOptions(),  # noqa: B008 - frozen
    ) -> str:
        """Start an orchestration, by function or name, and return its instance id (P9).

        Raises ConfigurationError for an orchestrator this app does not have, InstanceExistsError when the id is taken
        by an instance in a status outside `options.replace`, PayloadError for an input that is not data.
        """
        called = self.naming.name_of(name, "orchestrator")
        self._check_known(called)
        if called is not name:  # a function has a version of its own
            options = msgspec.structs.replace(options, version=self.naming.version_for(name, options.version) or "")
        return await self._start(called, encode(self.converter, input), instance_id, options)

    def _check_known(self, name: str) -> None:
        check_name("orchestrator name", name)
        self.check_orchestrator(name)

    async def _start(self, name: str, value: Payload, instance_id: str | None, options: StartOptions) -> str:
        """A start whose name is checked, with an input in place."""
        instance_id = uuid.uuid4().hex if instance_id is None else check_instance_id(instance_id)
        now = self._clock()
        execution = Execution(instance_id=instance_id, execution_id=uuid.uuid4().hex)
        payload = await self._payloads.put(instance_id, value, execution.execution_id)
        row = InstanceRow(
            execution=execution,
            name=name,
            status=RuntimeStatus.PENDING,
            created_at=now,
            updated_at=now,
            version=self.naming.version_for(name, options.version),
            input=payload,
            scheduled_start=None if options.start_at is None else as_utc(options.start_at),
            tags=check_tags(options.tags),
            first_event=await self._first_event(execution, options),
        )
        with self.telemetry.sending(Sending.START, name, instance_id) as trace:
            row = row if trace is None else msgspec.structs.replace(row, trace=trace)
            row, etag = await self._claim(row, options.replace)
            await self._deliver(start_message(row, etag))
        return instance_id

    async def _first_event(self, execution: Execution, options: StartOptions) -> FirstEvent | None:
        if options.first_event is None:
            return None
        name, data = options.first_event
        check_name("event name", name)
        payload = encode(self.converter, data)
        return FirstEvent(
            name=name, input=await self._payloads.put(execution.instance_id, payload, execution.execution_id)
        )

    async def _claim(self, row: InstanceRow, replace: Collection[RuntimeStatus]) -> tuple[InstanceRow, str]:
        """Write the row; it, and its etag."""
        try:
            return row, await self._provider.create_row(row)
        except InstanceExistsError:
            stored = await self._provider.read_row(row.instance_id)
        if stored is None:  # purged this moment
            return row, await self._provider.create_row(row)
        if stored.row.status not in replace:
            raise InstanceExistsError(
                f"instance {row.instance_id!r} already exists and is {stored.row.status.value}; "
                "use another id, or terminate and purge it first",
                stored.row.status,
            )
        replaced = stored.row.execution
        following = msgspec.structs.replace(row.execution, generation=replaced.generation + 1)
        row = msgspec.structs.replace(row, execution=following, previous=replaced.execution_id)
        try:
            etag = await self._provider.create_row(row, replacing=stored.etag)
        except RowChangedError as error:
            raise InstanceExistsError(f"instance {row.instance_id!r} was started by somebody else just now") from error
        return row, etag


def start_message(row: InstanceRow, etag: str, *, resent: bool = False) -> Message:
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
        previous=row.previous,
        rewinds=row.rewinds,
        first_event=row.first_event,
    )
    return Message(
        id=start_message_id(row.execution),
        instance_id=row.instance_id,
        execution_id=row.execution.execution_id,
        body=body,
        sent_at=row.created_at if row.rewinds is None else row.rewinds.time,
        due=row.scheduled_start,
        resent=resent,
        trace=row.trace,
    )
