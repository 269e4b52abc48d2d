"""Recurring schedules: each is an eternal orchestration of the engine's own, and this client speaks to it.

A command is an event with an id of its own; the reply stands in the custom status of the schedule's instance.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, Unpack

import msgspec

from durable_ext.authoring.payload import decode, encode
from durable_ext.authoring.schedule_rounds import Command, CommandKind, Reply, ScheduleState
from durable_ext.authoring.schedule_spec import (
    COMMAND,
    ID_PREFIX,
    ORCHESTRATOR,
    Missed,
    Overlap,
    ScheduleSpec,
    check_spec,
)
from durable_ext.errors import (
    InstanceExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidInputError,
    PayloadError,
    ScheduleExistsError,
    ScheduleNotFoundError,
)
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.ids import check_instance_id
from durable_ext.records.instance import TERMINAL, InstanceRow, RuntimeStatus
from durable_ext.worker.client import Client

# How long a schedule may take to answer: it answers at once unless the app is down or very busy.
_ANSWERS_WITHIN = timedelta(seconds=60)
ScheduleStatus = Literal["active", "paused", "ended"]


class ScheduleOptions(TypedDict, total=False):
    """What else a schedule says. `input`, `version`: of the orchestration it starts. `time_zone`: of a cron expression.
    `start_at`, `end_at`: aware; no run before or after. `start_immediately_if_late`: run at once when `start_at` is
    past. `overlap`: "skip" what is due while the last run goes on, or "allow" it. `missed`: what was due while nothing
    could run: "once" for all of it, "all" of it, or "skip". `instance_id`: pattern for the ids of runs."""

    input: Any
    version: str | None
    time_zone: str
    start_at: datetime | None
    end_at: datetime | None
    start_immediately_if_late: bool
    overlap: Overlap
    missed: Missed
    instance_id: str


class ScheduleChanges(ScheduleOptions, total=False):
    """What `update` may change."""

    orchestrator: str
    every: timedelta | str


class ScheduleDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it is. `spec` without its input. `runs` counts; `last_failure` is that of the last run that was
    waited for; `is_running`: a run goes on, where runs do not overlap."""

    schedule_id: str
    status: ScheduleStatus
    spec: ScheduleSpec
    created_at: datetime | None
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_instance_id: str | None
    last_failure: str | None
    runs: int
    is_running: bool


class ScheduleClient:
    """Schedules of the hub of a client. All methods may raise StorageError, and TimeoutError when the app is down."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(
        self,
        schedule_id: str,
        orchestrator: Callable[..., Any] | str,
        every: timedelta | str,
        **options: Unpack[ScheduleOptions],
    ) -> ScheduleDescription:
        """Begin a schedule. `every` is an interval, or a cron expression of five fields, or six with the second first.

        Raises ScheduleExistsError, and InvalidInputError for what cannot be followed.
        """
        name = self._client.naming.name_of(orchestrator, "orchestrator")
        plain = self._plain({**options, "orchestrator": name, "every": every})
        state = ScheduleState(schedule_id=schedule_id, spec=check_spec(_spec_of(plain)))
        instance_id = _instance_id(schedule_id)
        try:
            await self._client.start(ORCHESTRATOR, msgspec.to_builtins(state), instance_id=instance_id)
        except InstanceExistsError as error:
            raise ScheduleExistsError(f"schedule {schedule_id!r} exists; update it, or delete it first") from error
        status = await self._client.wait_until(
            instance_id, lambda row: row.status in TERMINAL or row.custom_status is not None, _ANSWERS_WITHIN
        )
        return _described(schedule_id, status.row, status.custom_status)

    async def update(self, schedule_id: str, **changes: Unpack[ScheduleChanges]) -> ScheduleDescription:
        """Change what a schedule says. When its times change it begins anew, from now.

        Raises ScheduleNotFoundError and InvalidInputError.
        """
        return (await self._command(schedule_id, "update", self._plain(dict(changes))))[1]

    async def pause(self, schedule_id: str) -> ScheduleDescription:
        """Run nothing until it is resumed. Raises ScheduleNotFoundError."""
        return (await self._command(schedule_id, "pause"))[1]

    async def resume(self, schedule_id: str) -> ScheduleDescription:
        """Go on with the next time that comes. Raises ScheduleNotFoundError."""
        return (await self._command(schedule_id, "resume"))[1]

    async def trigger(self, schedule_id: str) -> str:
        """Run it now, whatever its times and its overlap say; the instance id. Raises ScheduleNotFoundError."""
        return (await self._command(schedule_id, "trigger"))[0].instance_id

    async def delete(self, schedule_id: str) -> None:
        """End a schedule; runs that go on go on. Raises ScheduleNotFoundError."""
        await self._command(schedule_id, "delete")
        instance_id = _instance_id(schedule_id)
        await self._client.wait_for_completion(instance_id, _ANSWERS_WITHIN)
        await self._client.purge(instance_id)

    async def describe(self, schedule_id: str) -> ScheduleDescription:
        """A schedule as it is. Raises ScheduleNotFoundError."""
        status = await self._client.get(_instance_id(schedule_id), with_input=False)
        if status is None:
            raise _unknown(schedule_id)
        return _described(schedule_id, status.row, status.custom_status)

    async def list(self) -> AsyncIterator[ScheduleDescription]:
        """Every schedule of the hub, ordered by id."""
        live = frozenset(RuntimeStatus) - TERMINAL
        async for status in self._client.list(InstanceFilter(id_prefix=ID_PREFIX, statuses=live)):
            if status.row.custom_status is not None:
                yield _described(status.instance_id.removeprefix(ID_PREFIX), status.row, status.custom_status)

    async def _command(
        self, schedule_id: str, kind: CommandKind, changes: dict[str, Any] | None = None
    ) -> tuple[Reply, ScheduleDescription]:
        command = Command(id=uuid.uuid4().hex, kind=kind, changes=changes or {})
        instance_id = _instance_id(schedule_id)
        try:
            await self._client.raise_event(instance_id, COMMAND, msgspec.to_builtins(command), message_id=command.id)
            status = await self._client.wait_until(
                instance_id,
                lambda row: row.status in TERMINAL or self._reply(row, command.id) is not None,
                _ANSWERS_WITHIN,
            )
        except (InstanceNotFoundError, InstanceStateError) as error:
            raise _unknown(schedule_id) from error
        reply = self._reply(status.row, command.id)
        if reply is None:  # deleted meanwhile
            raise _unknown(schedule_id)
        if reply.error:
            raise InvalidInputError(reply.error)
        return reply, _description(status.custom_status)

    def _reply(self, row: InstanceRow, command_id: str) -> Reply | None:
        if row.custom_status is None or not row.custom_status.inline:
            return None
        shown = decode(self._client.converter, row.custom_status, Any)
        replies = msgspec.convert(shown.get("replies", []), list[Reply])
        return next((reply for reply in replies if reply.id == command_id), None)

    def _plain(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options as plain data, as they travel and are kept."""
        if "input" in options:
            converter = self._client.converter
            options["input"] = decode(converter, encode(converter, options["input"]), Any)
        every = options.pop("every", None)
        if every is not None:
            is_cron = isinstance(every, str)
            options |= {"cron": every if is_cron else None, "interval": None if is_cron else every}
        return msgspec.to_builtins(options)


def _spec_of(plain: dict[str, Any]) -> ScheduleSpec:
    try:
        return msgspec.convert(plain, ScheduleSpec)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"the schedule cannot be read: {error}") from error


def _described(schedule_id: str, row: InstanceRow, shown: Any) -> ScheduleDescription:
    if row.status in TERMINAL or shown is None:
        raise _unknown(schedule_id)
    return _description(shown)


def _description(shown: dict[str, Any]) -> ScheduleDescription:
    try:
        state = msgspec.convert(shown, ScheduleState)
    except msgspec.ValidationError as error:
        raise PayloadError("the schedule cannot be read: is it encrypted? Use the client of the app") from error
    ended: ScheduleStatus = "active" if state.next_run_at is not None else "ended"
    return ScheduleDescription(
        schedule_id=state.schedule_id,
        status="paused" if state.paused else ended,
        spec=state.spec,
        created_at=state.created_at,
        next_run_at=state.next_run_at,
        last_run_at=state.last_run_at,
        last_instance_id=state.last_instance_id,
        last_failure=state.last_failure,
        runs=state.number,
        is_running=bool(shown.get("running")),
    )


def _instance_id(schedule_id: str) -> str:
    return check_instance_id(ID_PREFIX + schedule_id) if schedule_id else check_instance_id("")


def _unknown(schedule_id: str) -> ScheduleNotFoundError:
    return ScheduleNotFoundError(f"there is no schedule {schedule_id!r}")
