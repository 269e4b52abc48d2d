"""An app whose activities and orchestrators a test may replace, fail or slow down while it runs.

Which outcome a call has is decided once: a call that runs again, after a crash or when a message comes twice, meets the
same outcome. Activities that are no coroutines run one at a time in one thread, so that runs of a test are alike.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.context import GeneratorContext, OrchestrationContext
from durable_ext.authoring.entities import EntityDefinition
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.http_calls import HTTP_ACTIVITY
from durable_ext.authoring.registry import ActivityDefinition, OrchestratorDefinition, Registry
from durable_ext.authoring.tasks import run_generator
from durable_ext.errors import ConfigurationError
from durable_ext.providers.contract import Clock
from durable_ext.testing.activity_calls import ActivityCall, Calls
from durable_ext.testing.counted_activities import arguments_taken, is_async_function
from durable_ext.worker.activities.built_in import built_in

AnyFunction = Callable[..., Any]
# The call that an outcome belongs to: instance, execution and task.
_Key = tuple[str, str, int]
_UNMOCKED = object()


class InTurn:
    """Outcomes for one call after the other; the last one stays."""

    def __init__(self, outcomes: tuple[Any, ...]) -> None:
        self.outcomes = outcomes


def in_turn(*outcomes: Any) -> InTurn:
    """Outcomes for `mock`: each the outcome of one call, and the last one of all further calls too."""
    if not outcomes:
        raise ConfigurationError("in_turn needs at least one outcome")
    return InTurn(outcomes)


class Mock:
    """What a test has said of one function, and what each call of it got."""

    def __init__(self) -> None:
        self.pause = timedelta(0)
        self._outcomes: list[Any] = [_UNMOCKED]
        self._failures: list[Any] = []
        self._decided: dict[_Key, Any] = {}
        # Instances that were there before: what they have done is the app's own code.
        self.before: frozenset[str] = frozenset()

    def set(self, outcome: Any) -> None:
        """Have calls from now on come out so."""
        self._outcomes = list(outcome.outcomes) if isinstance(outcome, InTurn) else [outcome]
        self._failures.clear()

    def reset(self) -> None:
        """Have calls from now on be the app's own."""
        self.set(_UNMOCKED)
        self.pause = timedelta(0)

    def fail(self, errors: list[Any]) -> None:
        """Have the next calls fail, one with each of these."""
        self._failures = errors

    def outcome_of(self, key: _Key) -> Any:
        """The outcome of a call, the same whenever it is asked for."""
        if key not in self._decided:
            self._decided[key] = _UNMOCKED if key[0] in self.before and key[2] < 0 else self.next_outcome()
        return self._decided[key]

    def next_outcome(self) -> Any:
        """The outcome of one more run."""
        if self._failures:
            return self._failures.pop(0)
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]


class MockedRegistry(Registry):
    """All of an app. `mock_of` gives what a test may say of one of its functions; `calls` are noted."""

    def __init__(self, app: Registry, clock: Clock) -> None:
        super().__init__(app.converter, app.properties_of, app.default_version)
        self.include(app)
        self.calls = Calls(self.name_of)
        self._clock = clock
        self._mocks: dict[str, Mock] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="harness-activity")
        request = built_in(HTTP_ACTIVITY)
        built_ins = {} if request is None else {HTTP_ACTIVITY: request}
        for name, definition in (built_ins | app.activities).items():
            self.activities[name] = _MockedActivity(definition, self)
        for name, entity in app.entities.items():
            self.entities[name] = _MockedEntity(entity, self)
        self._originals = dict(self.orchestrators)

    def mock_of(self, target: AnyFunction | str) -> Mock:
        """By function or name. Raises ConfigurationError for one that the app does not have."""
        name = self.name_of(target)
        if name not in self.activities and name not in self._originals:
            if name.lower() in self.entities:
                return self._mocks.setdefault(_entity_key(name.lower()), Mock())
            known = ", ".join(sorted({*self.activities, *self._originals, *self.entities})) or "none"
            raise ConfigurationError(f"the app has no activity, orchestrator or entity {name!r}; registered: {known}")
        if name in self._originals and name not in self._mocks:
            self.versions.change(name, lambda original: _MockedOrchestrator(original, self))
        return self._mocks.setdefault(name, Mock())

    def find_mock(self, name: str) -> Mock | None:
        """What was said of it, if anything was."""
        return self._mocks.get(name)

    def note(self, name: str, context: ActivityContext, value: tuple[Any, ...]) -> None:
        """Note a call."""
        self.calls.add(
            ActivityCall(
                name=name,
                input=value[0] if value else None,
                attempt=context.attempt,
                time=self._clock(),
                order=len(self.calls),
                instance_id=context.instance_id,
                execution_id=context.execution_id,
                task_id=context.task_id,
            )
        )

    def in_thread(self, call: Callable[[], Any]) -> Any:
        """Run in the one thread, and wait: nothing else goes on meanwhile."""
        return self._thread.submit(contextvars.copy_context().run, call).result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class _MockedActivity(ActivityDefinition):
    """An activity as it was registered, asking at each call what a test has said of it."""

    def __init__(self, original: ActivityDefinition, registry: MockedRegistry) -> None:
        self.__dict__.update(vars(original))
        self._original = original
        self._registry = registry
        self.function = self._call
        self.is_async, self.in_process = True, False
        self.__dict__["takes_context"] = True

    @property
    def takes_input(self) -> bool:
        return self._original.takes_input

    @property
    def input_type(self) -> Any:
        return self._original.input_type

    @property
    def output_type(self) -> Any:
        return self._original.output_type

    async def _call(self, context: ActivityContext, *value: Any) -> Any:
        self._registry.note(self.name, context, value)
        mock = self._registry.find_mock(self.name)
        outcome: Any = _UNMOCKED
        if mock is not None:
            outcome = mock.outcome_of((context.instance_id, context.execution_id, context.task_id))
            if mock.pause:
                await asyncio.sleep(mock.pause.total_seconds())
        if outcome is not _UNMOCKED:
            return await self._replaced(outcome, (context, *value))
        arguments = (context, *value) if self._original.takes_context else value
        if self._original.is_async:
            return await self._original.function(*arguments)
        return self._registry.in_thread(partial(self._original.function, *arguments))

    async def _replaced(self, outcome: Any, arguments: tuple[Any, ...]) -> Any:
        given = arguments if self._original.takes_context else arguments[1:]
        return await _produce(outcome, arguments if _takes_all(outcome) else given, self._registry.in_thread)


class _MockedEntity(EntityDefinition):
    """An entity as it was registered, asking at each operation what a test has said of it."""

    def __init__(self, original: EntityDefinition, registry: MockedRegistry) -> None:
        self.__dict__.update(vars(original))
        self._original = original
        self._registry = registry

    def is_async(self, operation: str) -> bool:
        return True

    async def call(self, context: EntityContext) -> Any:
        mock = self._registry.find_mock(_entity_key(self.name))
        outcome: Any = _UNMOCKED if mock is None else mock.next_outcome()
        if outcome is not _UNMOCKED:
            return await _produce(outcome, (context,), self._registry.in_thread)
        if self._original.is_async(context.operation):
            return await self._original.call(context)
        return self._registry.in_thread(partial(self._original.call, context))


class _MockedOrchestrator(OrchestratorDefinition):
    """An orchestrator under its name, asking at the start of each execution what a test has said of it."""

    def __init__(self, original: OrchestratorDefinition, registry: MockedRegistry) -> None:
        copied = copy.copy(original)
        self.__dict__.update(vars(copied))
        self._original = original
        self._registry = registry
        self._noted: set[str] = set()
        self.function = self._call
        self.is_async, self.is_generator = True, False

    @property
    def takes_input(self) -> bool:
        return True

    @property
    def input_type(self) -> Any:
        return self._original.input_type

    @property
    def output_type(self) -> Any:
        return self._original.output_type

    async def _call(self, context: OrchestrationContext, value: Any) -> Any:
        mock = self._registry.find_mock(self.name)
        key = (context.instance_id, context.execution_id, -1)
        outcome = _UNMOCKED if mock is None else mock.outcome_of(key)
        if mock is not None and context.execution_id not in self._noted:
            self._noted.add(context.execution_id)
            self._registry.note(self.name, ActivityContext(*key), (value,))
        if mock is not None and mock.pause:
            await asyncio.sleep(mock.pause.total_seconds())
        if outcome is not _UNMOCKED:
            return await _produce(outcome, (context, value), _at_once)
        return await self._own(context, value)

    async def _own(self, context: OrchestrationContext, value: Any) -> Any:
        original = self._original
        if original.is_generator:
            context = GeneratorContext(context._decisions, context._registry, context._converter)  # pyright: ignore[reportPrivateUsage] - as the engine makes it
        result: Any = original.function(*((context, value) if original.takes_input else (context,)))
        if original.is_generator:
            return await run_generator(result, lambda: context.will_continue_as_new)
        return await result if original.is_async else result


async def _produce(outcome: Any, arguments: tuple[Any, ...], run: Callable[[Callable[[], Any]], Any]) -> Any:
    """What an outcome means: an exception is raised, a function is called, all else is the value."""
    if isinstance(outcome, BaseException):
        # A fresh one each time: one that was raised before keeps its old traceback.
        raise copy.copy(outcome)
    if _is_error_class(outcome):
        raise outcome
    if not callable(outcome):
        return outcome
    function: AnyFunction = outcome
    call = partial(function, *arguments[len(arguments) - min(arguments_taken(function), len(arguments)) :])
    if is_async_function(function):
        work: Coroutine[Any, Any, Any] = call()
        return await work
    return run(call)


def _is_error_class(outcome: Any) -> bool:
    return isinstance(outcome, type) and issubclass(outcome, BaseException)


def _entity_key(name: str) -> str:
    # No activity and no orchestrator is found under it.
    return f"@{name}"


def _takes_all(outcome: Any) -> bool:
    return callable(outcome) and not isinstance(outcome, type) and arguments_taken(outcome) == 2


def _at_once(call: Callable[[], Any]) -> Any:
    return call()
