"""Runs activities: async ones on the loop, others in threads; results and failures become data (R4)."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from durable_ext.authoring.context import ActivityContext
from durable_ext.authoring.payload import Converter, decode, encode
from durable_ext.authoring.registry import ActivityDefinition, Registry
from durable_ext.errors import ConfigurationError
from durable_ext.records.failures import Failure, failure_from
from durable_ext.records.messages import FinishTask, Message, RunActivity
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.settings import WorkerSettings

# How much the last run weighs in the running mean of an activity's duration.
_WEIGHT = 0.2


class ActivityRunner:
    """The activity slots of this process."""

    def __init__(
        self, registry: Registry, converter: Converter, payloads: PayloadStore, settings: WorkerSettings
    ) -> None:
        self._registry = registry
        self._converter = converter
        self._payloads = payloads
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.activity_slots)
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False
        self._durations: dict[str, float] = {}
        self._admitted = 0
        self._admitted_seconds = 0.0

    def admits(self, name: str, placement: str) -> bool:
        """Whether an activity should run here rather than be queued (S3)."""
        if placement != "auto":
            return placement == "local"
        expected = self._durations.get(name)
        if expected is not None and expected > self._settings.long_activity.total_seconds():
            return False
        if self._admitted < self._settings.activity_slots:
            return True
        # No slot is free; work known to be short may still wait here for less time than a queue would cost it.
        waiting = self._admitted_seconds / self._settings.activity_slots
        return expected is not None and waiting < self._settings.local_backlog.total_seconds()

    async def run(self, message: Message, body: RunActivity, attempt: int = 1) -> FinishTask:
        """Run one activity to its outcome. Raises StorageError when its input or result cannot be moved."""
        expected = self._durations.get(body.name, 0.0)
        self._admitted += 1
        self._admitted_seconds += expected
        try:
            async with self._slots:
                return await self._outcome(message, body, attempt)
        finally:
            self._admitted -= 1
            self._admitted_seconds -= expected

    def close(self) -> None:
        """Run nothing more: what waits is cancelled and comes back, running threads end with their activity."""
        self._closed = True
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _outcome(self, message: Message, body: RunActivity, attempt: int) -> FinishTask:
        definition = self._registry.activities.get(body.name)
        if definition is None:
            return FinishTask(task_id=body.task_id, failure=self._unknown(body.name))
        payload = await self._payloads.get(body.input)
        began = time.monotonic()
        context = ActivityContext(message.instance_id, message.execution_id or "", body.task_id, attempt)
        try:
            value = decode(self._converter, payload, definition.input_type) if definition.takes_input else None
            result = encode(self._converter, await self._call(definition, context, value))
        except asyncio.CancelledError as error:
            if self._closed or _is_asked_to_stop():
                context.is_cancelled = True
                raise
            return FinishTask(task_id=body.task_id, failure=failure_from(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's code raises is the task's failure
            return FinishTask(task_id=body.task_id, failure=failure_from(error))
        finally:
            self._learn(body.name, time.monotonic() - began)
        return FinishTask(task_id=body.task_id, result=await self._payloads.put(message.instance_id, result))

    async def _call(self, definition: ActivityDefinition, context: ActivityContext, value: Any) -> Any:
        arguments: list[Any] = []
        if definition.takes_context:
            arguments.append(context)
        if definition.takes_input:
            arguments.append(value)
        if definition.is_async:
            return await definition.function(*arguments)
        if self._closed:
            raise asyncio.CancelledError("the worker has drained")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._settings.activity_slots, thread_name_prefix="activity")
        variables = contextvars.copy_context()
        call = partial(variables.run, partial(_call_in_thread, definition.function, arguments))
        result, error = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        if error is not None:
            raise error
        return result

    def _learn(self, name: str, seconds: float) -> None:
        known = self._durations.get(name)
        self._durations[name] = seconds if known is None else known + _WEIGHT * (seconds - known)

    def _unknown(self, name: str) -> Failure:
        known = ", ".join(sorted(self._registry.activities)) or "none"
        error = ConfigurationError(f"no activity is registered under the name {name!r}; registered: {known}")
        return failure_from(error)


def _is_asked_to_stop() -> bool:
    """Whether this very task is being cancelled, as opposed to a cancellation the activity brought on itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _call_in_thread(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, Exception | None]:
    """The result, or the error: a future cannot carry a StopIteration, and would never be done."""
    try:
        return function(*arguments), None
    except StopIteration as error:
        wrapped = RuntimeError(f"the activity raised StopIteration: {error}")
        wrapped.__cause__ = error
        return None, wrapped
