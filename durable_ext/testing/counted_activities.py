"""A registry whose activities are counted, call by call, and replaced where a test gives something else.

A call is one decision of an orchestrator: its repeats are the runs that a crash, a lost lease or a second delivery
cost. The orchestrators are those of the app, unchanged.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from durable_ext.authoring.context import ActivityContext
from durable_ext.authoring.registry import ActivityDefinition, Registry
from durable_ext.errors import ConfigurationError


class Call(msgspec.Struct, frozen=True):
    """One call of an activity: which one, and which decision of which execution asked for it."""

    activity: str
    instance_id: str
    execution_id: str
    task_id: int


class CountedRegistry(Registry):
    """All of an app, with its activities counted in `runs`.

    `replaced` gives other activities, by function or by name: a function of the same parameters or of the last few of
    them, async or not, or the value to return. Raises ConfigurationError for one that the app does not have.
    """

    def __init__(self, app: Registry, replaced: Mapping[Any, Any] | None = None) -> None:
        super().__init__(app.converter, app.properties_of, app.default_version)
        self.include(app)
        self.runs: Counter[Call] = Counter()
        others = {self.name_of(function): other for function, other in (replaced or {}).items()}
        for name in others.keys() - self.activities.keys():
            known = ", ".join(sorted(self.activities)) or "none"
            raise ConfigurationError(f"there is no activity {name!r} to replace; registered: {known}")
        for name, definition in app.activities.items():
            self.activities[name] = _Counted(definition, self.runs, others.get(name, definition.function))


class _Counted(ActivityDefinition):
    """An activity as it was registered, with another function to call, which gets the context in any case."""

    def __init__(self, original: ActivityDefinition, runs: Counter[Call], chosen: Any) -> None:
        self.__dict__.update(vars(original))
        self._original = original
        self._runs = runs
        chosen = chosen if callable(chosen) else _returning(chosen)
        self._given = 2 if chosen is original.function else arguments_taken(chosen)
        self._chosen = chosen
        self.is_async = is_async_function(chosen)
        self.function = self._call_async if self.is_async else self._call
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

    def _call(self, context: ActivityContext, *value: Any) -> Any:
        return self._counted(context, value)()

    async def _call_async(self, context: ActivityContext, *value: Any) -> Any:
        return await self._counted(context, value)()

    def _counted(self, context: ActivityContext, value: tuple[Any, ...]) -> Callable[[], Any]:
        self._runs[Call(self.name, context.instance_id, context.execution_id, context.task_id)] += 1
        arguments = (context, *value) if self._original.takes_context else value
        return partial(self._chosen, *arguments[len(arguments) - min(self._given, len(arguments)) :])


def arguments_taken(chosen: Callable[..., Any]) -> int:
    """How many positional arguments, of two, a function takes."""
    kinds = [parameter.kind for parameter in inspect.signature(chosen).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 2
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)


def is_async_function(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    called = getattr(function, "__call__", None)  # noqa: B004 - an object may have an async __call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _returning(value: Any) -> Callable[[], Any]:
    def give() -> Any:
        return value

    return give
