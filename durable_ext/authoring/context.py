"""The context of an orchestrator: each call records a decision and returns a future (R2, R5).

Everything here is deterministic: time is the turn's time, ids and random numbers derive from the execution.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar, Unpack, cast, overload

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.decisions import Decisions
from durable_ext.authoring.definition import Definition
from durable_ext.authoring.entity_calls import EntityCalls
from durable_ext.authoring.logger import ReplaySafeLogger
from durable_ext.authoring.options import ActivityOptions, ChildOptions, ChildTerms, named
from durable_ext.authoring.outcomes import Outcomes
from durable_ext.authoring.payload import Converter, decode, encode
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.authoring.tasks import AllTask, AnyTask, GeneratorTask, TimerTask
from durable_ext.errors import InvalidInputError, TaskFailedError
from durable_ext.records.events import ChildScheduled, EventSent, TaskScheduled, TimerCreated
from durable_ext.records.ids import (
    check_instance_id,
    check_name,
    child_execution_id,
    child_instance_id,
    deterministic_uuid,
    seed,
)

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_T = TypeVar("_T")
_Kind = Callable[[asyncio.Future[Any]], GeneratorTask]


class OrchestrationContext(EntityCalls, Outcomes):
    """The durable world of one execution. Use it from the orchestrator's own code only, never from a thread."""

    def __init__(self, decisions: Decisions, registry: Registry, converter: Converter) -> None:
        self._decisions = decisions
        self._registry = registry
        self._converter = converter
        self._uuids = 0

    @property
    def instance_id(self) -> str:
        return self._decisions.execution.instance_id

    @property
    def execution_id(self) -> str:
        return self._decisions.execution.execution_id

    @property
    def parent_instance_id(self) -> str | None:
        parent = self._decisions.started.parent
        return None if parent is None else parent.instance_id

    @property
    def name(self) -> str:
        """Name of this orchestrator."""
        return self._decisions.started.name

    @property
    def version(self) -> str | None:
        return self._decisions.started.version

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._decisions.started.tags)

    @property
    def now(self) -> datetime:
        """The time of this turn, aware UTC; the same at every replay."""
        return self._decisions.now

    @property
    def current_utc_datetime(self) -> datetime:
        return self._decisions.now

    @property
    def is_replaying(self) -> bool:
        return self._decisions.is_replaying

    @cached_property
    def logger(self) -> ReplaySafeLogger:
        """A logger that is silent during replay."""
        return ReplaySafeLogger(self._decisions)

    def create_replay_safe_logger(self, logger: Any) -> ReplaySafeLogger:
        """A view of one of the app's loggers that is silent during replay."""
        return ReplaySafeLogger(self._decisions, logger)

    @cached_property
    def random(self) -> random.Random:
        """Random numbers that are the same at every replay."""
        return random.Random(seed(self._decisions.execution))  # noqa: S311 - has to be predictable

    def new_uuid(self) -> str:
        """A UUID that is the same at every replay (the recipe of azure-functions-durable)."""
        text = self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        value = deterministic_uuid(self.instance_id, text, self._uuids)
        self._uuids += 1
        return str(value)

    def new_guid(self) -> uuid.UUID:
        """As new_uuid, as a UUID object."""
        return uuid.UUID(self.new_uuid())

    def get_input(self, expected_type: Any = Any) -> Any:
        """The input, decoded to a type, by default the registered one. Raises PayloadError on a misfit."""
        definition = self._registry.orchestrators.get(self.name)
        if expected_type in (Any, None):
            expected_type = Any if definition is None else definition.input_type
        return decode(self._converter, self._decisions.started.input, expected_type)

    @overload
    def call_activity(
        self,
        name: Callable[[ActivityContext, _In], Awaitable[_Out]],
        input_: _In,
        **options: Unpack[ActivityOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[_In], Awaitable[_Out]], input_: _In, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[], Awaitable[_Out]], **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[ActivityContext, _In], _Out], input_: _In, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[_In], _Out], input_: _In, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(self, name: Callable[[], _Out], **options: Unpack[ActivityOptions]) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: str, input_: Any = None, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[Any]: ...
    @overload
    def call_activity(
        self, name: str | Callable[..., Any], input_: Any, expected_type: Any, /
    ) -> asyncio.Future[Any]: ...
    def call_activity(self, name: Any, input_: Any = None, *old: Any, **options: Unpack[ActivityOptions]) -> Any:
        """Run an activity; the future has its result, or raises TaskFailedError (R5).

        `name` is the function itself or its name. Raises PayloadError for an input that is not data.
        """
        self._decisions.check_thread()
        options.update(named("call_activity", ("expected_type",), old))
        called = check_name("activity name", self._registry.name_of(name))
        payload = encode(self._converter, input_)
        kind = _wanted_type(options, self._registry.activities.get(called))

        def ask() -> asyncio.Future[Any]:
            task_id = self._decisions.next_id()
            decision = TaskScheduled(
                id=task_id,
                name=called,
                input=payload,
                placement=options.get("placement", "auto"),
                tags=options.get("tags") or {},
            )
            return self._decisions.ask(task_id, decision, kind)

        return self._task(self._retrying(ask, options.get("retry")))

    def call_activity_with_retry(
        self, name: Any, retry_options: RetryPolicy, input_: Any = None, *old: Any, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[Any]:
        """As call_activity with `retry`, in the argument order of azure-functions-durable."""
        options["retry"] = retry_options
        options.update(named("call_activity_with_retry", ("expected_type",), old))
        return self.call_activity(name, input_, **options)

    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext, _In], Coroutine[Any, Any, _Out]],
        input_: _In,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext], Coroutine[Any, Any, _Out]],
        input_: Any = None,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext, _In], Generator[Any, Any, _Out]],
        input_: _In,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext], Generator[Any, Any, _Out]],
        input_: Any = None,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self, name: str, input_: Any = None, **options: Unpack[ChildOptions]
    ) -> asyncio.Future[Any]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: str | Callable[..., Any],
        input_: Any,
        instance_id: str | None,
        version: str | None = None,
        expected_type: Any = None,
        /,
        **options: Unpack[ChildTerms],
    ) -> asyncio.Future[Any]: ...
    def call_sub_orchestrator(self, name: Any, input_: Any = None, *old: Any, **options: Unpack[ChildOptions]) -> Any:
        """Run a child orchestration; the future has its result, or raises TaskFailedError. Raises PayloadError."""
        self._decisions.check_thread()
        options.update(named("call_sub_orchestrator", ("instance_id", "version", "expected_type"), old))
        called = check_name("orchestrator name", self._registry.name_of(name))
        wanted = options.get("instance_id")
        if wanted is not None:
            check_instance_id(wanted)
        payload = encode(self._converter, input_)
        kind = _wanted_type(options, self._registry.orchestrators.get(called))

        def ask() -> asyncio.Future[Any]:
            task_id = self._decisions.next_id()
            decision = ChildScheduled(
                id=task_id,
                name=called,
                instance_id=wanted or child_instance_id(self._decisions.execution, task_id),
                execution_id=child_execution_id(self._decisions.execution, task_id),
                input=payload,
                version=options.get("version"),
                tags=options.get("tags") or {},
            )
            return self._decisions.ask(task_id, decision, kind)

        return self._task(self._retrying(ask, options.get("retry")))

    def call_sub_orchestrator_with_retry(
        self, name: Any, retry_options: RetryPolicy, input_: Any = None, *old: Any, **options: Unpack[ChildOptions]
    ) -> asyncio.Future[Any]:
        """As call_sub_orchestrator with `retry`, in the argument order of azure-functions-durable."""
        options["retry"] = retry_options
        options.update(named("call_sub_orchestrator_with_retry", ("instance_id", "version", "expected_type"), old))
        return self.call_sub_orchestrator(name, input_, **options)

    def create_timer(self, fire_at: datetime | timedelta) -> asyncio.Future[None]:
        """A future that is done at a time, or after a duration, of any length. Cancel it when no longer needed."""
        self._decisions.check_thread()
        due = self.now + fire_at if isinstance(fire_at, timedelta) else fire_at
        if due.tzinfo is None:
            due = due.replace(tzinfo=UTC)
        task_id = self._decisions.next_id()
        timer = self._decisions.ask(task_id, TimerCreated(id=task_id, fire_at=due.astimezone(UTC)), Any)
        return self._task(timer, TimerTask)

    def wait_for_external_event(
        self, name: str, expected_type: Any = Any, *, timeout: timedelta | None = None
    ) -> asyncio.Future[Any]:
        """The next event of this name, in the order they arrived; each is handed out once.

        With `timeout` the future raises TimeoutError when none has come by then.
        """
        self._decisions.check_thread()
        check_name("event name", name)
        event = self._decisions.wait_event(name, Any if expected_type is None else expected_type)
        if timeout is None:
            return self._task(event)
        return self._task(self._decisions.loop.create_task(_within(event, timeout)))

    def send_event(self, instance_id: str, name: str, data: Any = None) -> None:
        """Raise an external event in another instance. Nobody waits for it. Raises PayloadError."""
        self._decisions.check_thread()
        event = EventSent(
            id=self._decisions.next_id(),
            instance_id=check_instance_id(instance_id),
            name=check_name("event name", name),
            input=encode(self._converter, data),
        )
        self._decisions.decide(event)

    def task_all(self, activities: Sequence[Any]) -> Any:
        """Done when all are, with the list of their results; fails with the first that fails."""
        views = [task if isinstance(task, GeneratorTask) else GeneratorTask(task) for task in activities]
        whole = asyncio.gather(*(view.future for view in views))
        return self._task(whole, lambda future: AllTask(future, views))

    def task_any(self, activities: Sequence[Any]) -> Any:
        """Done with the first that is; its result is that task. For generators; async code has asyncio.wait."""
        views = [task if isinstance(task, GeneratorTask) else GeneratorTask(task) for task in activities]
        return AnyTask(self._decisions.loop, views)

    def _task(self, future: asyncio.Future[_T], _kind: _Kind = GeneratorTask) -> asyncio.Future[_T]:
        return future

    def _retrying(self, ask: Callable[[], asyncio.Future[Any]], policy: RetryPolicy | None) -> asyncio.Future[Any]:
        # The first attempt is decided now, in the order of the calls, not when the loop gets to the task.
        first = ask()
        if policy is None:
            return first
        attempts = self._decisions.loop.create_task(self._attempts(first, ask, policy))
        # Cancelled before it ran it has nothing that it could cancel itself.
        attempts.add_done_callback(lambda _: first.cancel())
        return attempts

    async def _attempts(
        self, attempt: asyncio.Future[Any], ask: Callable[[], asyncio.Future[Any]], policy: RetryPolicy
    ) -> Any:
        started = self.now
        number = 1
        while True:
            try:
                return await attempt
            except TaskFailedError as error:
                pause = policy.pause(number, error.failure, started, self.now)
                if pause is None:
                    raise
            await asyncio.sleep(pause.total_seconds())
            number += 1
            attempt = ask()


class GeneratorContext(OrchestrationContext):
    """The context of a generator orchestrator: its calls return tasks to yield, named as in that package."""

    def _task(self, future: asyncio.Future[_T], _kind: _Kind = GeneratorTask) -> asyncio.Future[_T]:
        return cast("asyncio.Future[_T]", _kind(future))


async def _within(event: asyncio.Future[_T], timeout: timedelta) -> _T:  # noqa: ASYNC109
    if timeout < timedelta(0):
        raise InvalidInputError("timeout is negative")
    async with asyncio.timeout(timeout.total_seconds()):
        return await event


def _wanted_type(options: ActivityOptions | ChildOptions, definition: Definition | None) -> Any:
    if options.get("expected_type") is not None:
        return options.get("expected_type")
    return options.get("result_type", Any if definition is None else definition.output_type)
