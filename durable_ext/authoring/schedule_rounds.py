"""The built-in orchestrator of a schedule: one round a run or a command, then it continues as new.

Its commands are events, its replies stand in its custom status. A run is a child orchestration: awaited where runs may
not overlap, detached where they may. What a process does when it dies is the engine's, as for any orchestration.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

import msgspec

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.payload import encode
from durable_ext.authoring.schedule_spec import COMMAND, ScheduleSpec, check_spec, first, following, latest, run_id
from durable_ext.errors import InvalidInputError, TaskFailedError
from durable_ext.records.events import ChildScheduled
from durable_ext.records.ids import child_execution_id

CommandKind = Literal["update", "pause", "resume", "delete", "trigger"]
# Later than this is missed: a process was down, or all were busy.
GRACE = timedelta(minutes=1)
_MOST_REPLIES = 20
_TIMES = frozenset({"interval", "cron", "time_zone", "start_at", "end_at", "start_immediately_if_late"})


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for. `changes` are fields of the spec, plain data."""

    id: str
    kind: CommandKind
    changes: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a command: nothing more to say, an error, or the id of the instance it started."""

    id: str
    error: str = ""
    instance_id: str = ""


class ScheduleState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All there is of a schedule between two rounds. `anchor`: where the grid of its times begins; unset before the
    first round. `number` counts runs."""

    schedule_id: str
    spec: ScheduleSpec
    anchor: datetime | None = None
    created_at: datetime | None = None
    paused: bool = False
    next_run_at: datetime | None = None
    last_run_at: datetime | None = None
    last_instance_id: str | None = None
    last_failure: str | None = None
    number: int = 0
    replies: tuple[Reply, ...] = ()


async def run_schedule(ctx: OrchestrationContext, given: Any) -> None:
    """One round."""
    await _Round(ctx, msgspec.convert(given, ScheduleState)).run()


class _Round:
    def __init__(self, ctx: OrchestrationContext, state: ScheduleState) -> None:
        self._ctx = ctx
        self._state = _begun(state, ctx.now)
        self._child: asyncio.Future[Any] | None = None
        self._due: datetime | None = None
        self._deleted = False
        self._command: asyncio.Future[Any] | None = None

    async def run(self) -> None:
        self._publish()
        command = self._next_command()
        waits = [command]
        due = None if self._state.paused else self._state.next_run_at
        if due is not None:
            waits.append(self._ctx.create_timer(due))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if command.done():
            self._apply(command.result())
        elif due is not None:
            self._run_due(due)
        if self._child is not None and not self._deleted:
            await self._accompany(self._child)
        if self._deleted:
            self._publish()
        else:
            self._ctx.continue_as_new(msgspec.to_builtins(self._state))

    async def _accompany(self, child: asyncio.Future[Any]) -> None:
        """Wait for the run; obey commands meanwhile."""
        failure: str | None = None
        while not child.done() and not self._deleted:
            self._publish()
            command = self._next_command()
            await asyncio.wait([child, command], return_when=asyncio.FIRST_COMPLETED)
            if command.done():
                self._apply(command.result())
        if self._deleted:
            return
        try:
            await child
        except TaskFailedError as error:
            failure = str(error)
        self._set(last_failure=failure)
        if self._due is not None:
            after = self._due if self._state.spec.missed == "all" else self._ctx.now
            self._set(next_run_at=self._following(after))

    def _next_command(self) -> asyncio.Future[Any]:
        """The one that is waited for already, as long as none came: a second wait would let the first take it."""
        if self._command is None or self._command.done():
            self._command = self._ctx.wait_for_external_event(COMMAND)
        return self._command

    def _run_due(self, due: datetime) -> None:
        spec, now = self._state.spec, self._ctx.now
        if spec.missed == "skip" and now - due > GRACE:
            self._set(next_run_at=self._following(now))
            return
        time = due if spec.missed == "all" else latest(spec, self._anchor, due, now)
        self._due = due
        self._start(time)
        self._set(next_run_at=self._following(due if spec.missed == "all" else now))

    def _start(self, time: datetime) -> str:
        """Begin a run: awaited, unless runs may overlap or one is awaited already."""
        ctx, spec, number = self._ctx, self._state.spec, self._state.number + 1
        instance_id = run_id(spec, self._state.schedule_id, time, number)
        if spec.overlap == "skip" and self._child is None:
            self._child = ctx.call_sub_orchestrator(
                spec.orchestrator, spec.input, instance_id=instance_id, version=spec.version
            )
        else:
            _start_detached(ctx, spec, instance_id)
        self._set(number=number, last_run_at=time, last_instance_id=instance_id)
        return instance_id

    def _apply(self, given: Any) -> None:
        command = msgspec.convert(given, Command)
        error = instance_id = ""
        try:
            instance_id = self._obey(command)
        except InvalidInputError as refused:
            error = str(refused)
        reply = Reply(id=command.id, error=error, instance_id=instance_id)
        self._set(replies=(*self._state.replies, reply)[-_MOST_REPLIES:])

    def _obey(self, command: Command) -> str:
        match command.kind:
            case "pause":
                self._set(paused=True)
            case "resume":
                if self._state.paused:
                    self._set(paused=False, next_run_at=self._following(self._ctx.now))
            case "delete":
                self._deleted = True
            case "trigger":
                return self._start(self._ctx.now)
            case "update":
                self._update(command.changes)
            case _:
                assert_never(command.kind)
        return ""

    def _update(self, changes: dict[str, Any]) -> None:
        merged = {**msgspec.to_builtins(self._state.spec), **changes}
        try:
            spec = check_spec(msgspec.convert(merged, ScheduleSpec))
        except msgspec.ValidationError as error:
            raise InvalidInputError(f"the schedule cannot be changed so: {error}") from error
        self._set(spec=spec)
        if _TIMES & changes.keys():
            self._set(anchor=spec.start_at or self._ctx.now, next_run_at=first(spec, self._ctx.now))

    @property
    def _anchor(self) -> datetime:
        return self._state.anchor or self._ctx.now

    def _following(self, after: datetime) -> datetime | None:
        return following(self._state.spec, self._anchor, after)

    def _set(self, **changes: Any) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)

    def _publish(self) -> None:
        shown: dict[str, Any] = msgspec.to_builtins(self._state)
        shown["spec"].pop("input", None)
        shown["running"] = self._child is not None
        self._ctx.set_custom_status(shown)


def _begun(state: ScheduleState, now: datetime) -> ScheduleState:
    if state.anchor is not None:
        return state
    anchor = state.spec.start_at or now
    return msgspec.structs.replace(state, anchor=anchor, created_at=now, next_run_at=first(state.spec, now))


def _start_detached(ctx: OrchestrationContext, spec: ScheduleSpec, instance_id: str) -> None:
    decisions = ctx._decisions  # pyright: ignore[reportPrivateUsage] - nobody waits for this child
    task_id = decisions.next_id()
    decisions.decide(
        ChildScheduled(
            id=task_id,
            name=spec.orchestrator,
            instance_id=instance_id,
            execution_id=child_execution_id(decisions.execution, task_id),
            input=encode(ctx._converter, spec.input),  # pyright: ignore[reportPrivateUsage] - as its other calls do
            version=spec.version,
            detached=True,
        )
    )
