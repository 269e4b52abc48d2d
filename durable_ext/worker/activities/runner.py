"""Runs activities, each in a slot; results and failures become data (R4)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.payload import NULL, decode, encode, place_of
from durable_ext.authoring.registry import ActivityDefinition, Registry
from durable_ext.errors import ActivityOutcomeUnknownError, StorageError
from durable_ext.records.failures import PropertiesOf, failure_from
from durable_ext.records.messages import FinishTask, Message, RunActivity
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.trace import TraceContext
from durable_ext.worker.activities.built_in import built_in
from durable_ext.worker.activities.calls import Calls
from durable_ext.worker.activities.claims import Claims
from durable_ext.worker.activities.log import activity_logger
from durable_ext.worker.activities.process_frames import Call
from durable_ext.worker.activities.process_pool import FailedElsewhereError, ProcessCall
from durable_ext.worker.activities.progress import Reports, RunProgress
from durable_ext.worker.activities.slots import Gate, Gates, Slot
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.stalls import Stalls

# How much the last run weighs in the running mean of an activity's duration.
_WEIGHT = 0.2
# How long a work item stays away for which there is no room here.
_SHORTEST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=30)
_MOMENT = timedelta(seconds=1)


class _Run:
    """One run of a work item."""

    def __init__(
        self, message: Message, body: RunActivity, attempt: int, slot: Slot, properties_of: PropertiesOf
    ) -> None:
        self.message = message
        self.body = body
        self.slot = slot
        self.progress: RunProgress | None = None
        self.trace: TraceContext | None = None
        self._properties_of = properties_of
        self.cancelled = threading.Event()
        self.context = ActivityContext(
            message.instance_id, message.execution_id or "", body.task_id, attempt, self.cancelled
        )

    def report_json(self, value: bytes) -> None:
        if self.progress is not None:
            self.progress.report_json(value)

    def failed(self, error: BaseException) -> FinishTask:
        if isinstance(error, FailedElsewhereError):
            return FinishTask(task_id=self.body.task_id, failure=error.failure)
        return FinishTask(task_id=self.body.task_id, failure=failure_from(error, self._properties_of))


class ActivityRunner:
    """The activity slots of this process."""

    def __init__(
        self,
        registry: Registry,
        payloads: PayloadStore,
        settings: WorkerSettings,
        claims: Claims,
        reports: Reports,
    ) -> None:
        self._registry = registry
        self.own: Mapping[str, ActivityDefinition] = {}  # the engine's; those of the app are looked for first
        self.stalls: Stalls | None = None
        self._converter = registry.converter
        self._payloads = payloads
        self._settings = settings
        self._claims = claims
        self._reports = reports
        self._slots = asyncio.Semaphore(settings.activity_slots)
        self._gates = Gates(registry, settings.activity_processes, settings.activity_slots)
        self._calls = Calls(settings.activity_slots, settings.activity_processes)
        self._closed = False
        self._durations: dict[str, float] = {}
        self._admitted = 0
        self._admitted_seconds = 0.0
        self._outlived: list[Slot] = []

    def admits(self, name: str, placement: str) -> bool:
        """Whether an activity should run here rather than be queued (S3). Who is admitted is run at once."""
        if self._settings.leave_unknown and not self.knows(name):
            return False
        gates = self._gates.of(name)
        admitted = placement == "local" if placement != "auto" else self._has_room(name, gates)
        if admitted:
            for gate in gates:
                gate.expect()
        return admitted

    def knows(self, name: str) -> bool:
        """Whether the activity is registered here, or the engine's own."""
        return self._definition_of(name) is not None

    def _definition_of(self, name: str) -> ActivityDefinition | None:
        return self._registry.activities.get(name) or self.own.get(name) or built_in(name)

    def turns_away(self, name: str) -> timedelta | None:
        """How long an activity from the queue should stay away because enough wait here already; None: let it come."""
        if not any(gate.is_crowded for gate in self._gates.of(name)):
            return None
        expected = timedelta(seconds=self._durations.get(name, 0.0))
        return min(max(expected, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def _has_room(self, name: str, gates: Sequence[Gate]) -> bool:
        if any(gate.is_full for gate in gates):
            return False
        expected = self._durations.get(name)
        if expected is not None and expected > self._settings.long_activity.total_seconds():
            return False
        if self._admitted < self._settings.activity_slots:
            return True
        # No slot is free. What outlived its run holds one for nobody knows how long.
        if self._still_taken():
            return False
        # Work known to be short may still wait here for less time than a queue would cost it.
        waiting = self._admitted_seconds / self._settings.activity_slots
        return expected is not None and waiting < self._settings.local_backlog.total_seconds()

    async def run(self, message: Message, body: RunActivity, attempt: int = 1) -> FinishTask:
        """Run one activity to its outcome, at most once if it is registered so. A cancelled one has none.

        Raises StorageError when its input or result cannot be moved, or its work item not be claimed.
        """
        expected = self._durations.get(body.name, 0.0)
        coming, left = partial(self._come, expected), partial(self._leave, expected)
        slot = Slot(self._slots, self._gates.of(body.name), coming, left)
        slot.message = message
        try:
            async with slot:
                outcome = await self._told(_Run(message, body, attempt, slot, self._registry.properties_of))
        finally:
            if slot.is_taken:
                self._outlived = [slot, *self._still_taken()]
        if outcome.failure is None:
            return outcome
        return msgspec.structs.replace(outcome, failure=self._payloads.seal.close_failure(outcome.failure))

    async def forget(self, message: Message, body: RunActivity) -> None:
        """Nobody waits for a work item that was stopped: what it said of its progress goes."""
        definition = self._registry.activities.get(body.name)
        if definition is not None and definition.takes_context:
            await self._reports.remove(message)

    @property
    def active(self) -> int:
        """How many activities run or wait for a slot."""
        return self._admitted

    @property
    def running_processes(self) -> int:
        """How many activities are with a child process."""
        return self._calls.running_processes

    def close(self) -> None:
        """Run nothing more: what waits is cancelled and comes back, running threads end with their activity."""
        self._closed = True
        self._calls.close()

    def _still_taken(self) -> list[Slot]:
        return [slot for slot in self._outlived if slot.is_taken]

    def _come(self, expected: float) -> None:
        self._admitted += 1
        self._admitted_seconds += expected

    def _leave(self, expected: float) -> None:
        self._admitted -= 1
        self._admitted_seconds -= expected

    async def _told(self, run: _Run) -> FinishTask:
        with self._settings.telemetry.activity(run.message, run.body, run.context.attempt) as told:
            run.trace = told.trace
            outcome = await self._outcome(run)
            failure = outcome.failure
            told.ended(None if failure is None else self._payloads.seal.close_failure(failure))
            return outcome

    async def _outcome(self, run: _Run) -> FinishTask:
        name = run.body.name
        definition = self._definition_of(name)
        if definition is None:
            return run.failed(self._registry.missing_activity(name))
        repeated = run.message.resent or run.context.attempt > 1
        refusal = await self._refusal(run.message, repeated=repeated)
        if refusal is not None:
            return run.failed(refusal)
        if not definition.takes_context and not definition.in_process:
            return await self._outcome_of(definition, run)
        run.progress = await self._reports.begin(run.message, run.body, repeated=repeated)
        run.context.attach(run.body.name, run.progress, activity_logger)
        try:
            outcome = await self._outcome_of(definition, run)
        except BaseException:
            await run.progress.cut_off()
            raise
        await run.progress.end()
        return outcome

    async def _refusal(self, message: Message, *, repeated: bool) -> Exception | None:
        if self.stalls is None:
            return None
        if repeated:
            await self.stalls.look(_MOMENT)
        return self.stalls.refusal(message.instance_id, message.execution_id or "", message.id)

    async def _outcome_of(self, definition: ActivityDefinition, run: _Run) -> FinishTask:
        payload = await self._payloads.get(run.body.input)
        arguments = self._arguments(definition, run, payload)
        if isinstance(arguments, FinishTask):
            return arguments
        # Nothing stands between this and the call: what is claimed is begun.
        if definition.at_most_once and not await self._claims.is_first(run.message):
            if definition.after_fault is None:
                return run.failed(_begun_before(definition))
            definition = definition.after_fault
            arguments = self._arguments(definition, run, payload)
            if isinstance(arguments, FinishTask):
                return arguments
        return await self._call(definition, arguments, run)

    def _arguments(self, definition: ActivityDefinition, run: _Run, payload: Payload) -> list[Any] | FinishTask:
        arguments: list[Any] = [run.context] if definition.takes_context else []
        try:
            if definition.in_process:
                return [ProcessCall(self._call_of(definition, run, payload), run.report_json)]
            if definition.takes_input:
                arguments.append(decode(self._converter, payload, definition.input_type))
        except Exception as error:  # noqa: BLE001 - an input that does not fit is the task's failure
            return run.failed(error)
        return arguments

    def _call_of(self, definition: ActivityDefinition, run: _Run, payload: Payload) -> Call:
        return Call(
            name=definition.name,
            module=definition.function.__module__,
            function=definition.function.__qualname__,
            converter=place_of(self._converter),
            instance_id=run.message.instance_id,
            execution_id=run.message.execution_id or "",
            task_id=run.body.task_id,
            attempt=run.context.attempt,
            input=payload.json,
            last_progress=msgspec.Raw(NULL if run.progress is None else run.progress.last),
            trace=run.trace,
            attaching="" if run.trace is None else self._settings.telemetry.place,
        )

    async def _call(self, definition: ActivityDefinition, arguments: list[Any], run: _Run) -> FinishTask:
        began = time.monotonic()
        try:
            value = await self._calls.call(definition, arguments, run.slot, run.cancelled)
            outcome = inline(value) if definition.in_process else encode(self._converter, value)
        except asyncio.CancelledError as error:
            if self._closed:
                run.cancelled.set()
                raise
            outcome = run.failed(error)
        except (Exception, SystemExit) as error:
            if isinstance(error, StorageError) and definition.name in self.own:
                raise  # the engine's own trouble, which passes: it is asked again
            outcome = run.failed(error)
        seconds = time.monotonic() - began
        if _is_asked_to_stop():  # whatever the code made of it
            self._learn(run.body.name, max(seconds, self._durations.get(run.body.name, 0.0)))
            run.cancelled.set()
            raise asyncio.CancelledError(f"activity {definition.name!r} was cancelled")
        self._learn(run.body.name, seconds)
        if isinstance(outcome, FinishTask):
            return outcome
        return FinishTask(task_id=run.body.task_id, result=await self._payloads.put(run.message.instance_id, outcome))

    def _learn(self, name: str, seconds: float) -> None:
        known = self._durations.get(name)
        self._durations[name] = seconds if known is None else known + _WEIGHT * (seconds - known)


def _begun_before(definition: ActivityDefinition) -> ActivityOutcomeUnknownError:
    return ActivityOutcomeUnknownError(
        f"activity {definition.name!r} runs at most once and began before; what came of it is unknown. Find out in the "
        "orchestrator, or register the activity with after_fault"
    )


def _is_asked_to_stop() -> bool:
    """Whether this very task is being cancelled, as opposed to a cancellation the activity brought on itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
