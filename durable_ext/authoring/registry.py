"""Names to functions. Refuses duplicates and signatures that cannot be called, when they are registered."""

from __future__ import annotations

import inspect
import typing
from datetime import timedelta
from functools import cache, cached_property
from typing import Any, TypeVar, Unpack

from durable_ext.authoring.definition import AnyFunction, Definition, own_name
from durable_ext.authoring.entities import EntityDefinition
from durable_ext.authoring.names import Names, check_callable, described
from durable_ext.authoring.options import ActivityTerms
from durable_ext.authoring.orchestrator_versions import OrchestratorVersions, checked_version
from durable_ext.authoring.payload import Converter, JsonConverter, or_none
from durable_ext.errors import (
    ConfigurationError,
    DuplicateNameError,
    DurableError,
    VersionMismatchError,
)
from durable_ext.records.failures import PropertiesOf, own_properties, qualified_name
from durable_ext.records.given import check_version
from durable_ext.records.ids import check_name

_Error = TypeVar("_Error", bound=type[Exception])
# Schedules (schedule_rounds.py): nothing of them is loaded before there is one.
SCHEDULE = "durable.schedule"
_CONTEXT_NAMES = frozenset({"ctx", "context"})


class OrchestratorDefinition(Definition):
    """`async def f(ctx)`, `async def f(ctx, input)`, or a generator of the same shapes (R2)."""

    kind = "orchestrator"

    def __init__(self, name: str, function: AnyFunction, input_type: Any = None, version: str | None = None) -> None:
        super().__init__(name, function)
        self.version = checked_version(name, version)
        self._declared_input_type = input_type
        if len(self._parameters) not in (1, 2):
            raise self._refuse("(ctx) or (ctx, input)")
        if inspect.isasyncgenfunction(function):
            raise ConfigurationError(f"orchestrator {name!r} is an async generator; use await, or def with yield")
        self.is_generator = inspect.isgeneratorfunction(function)
        self.is_async = inspect.iscoroutinefunction(function)

    @property
    def input_type(self) -> Any:
        """Annotation of the input parameter, else the type that was declared at registration; Any without both."""
        annotated, declared = super().input_type, self._declared_input_type
        if annotated is not Any or declared is None:
            return annotated
        return declared if self.checks_plain_types else or_none(declared)

    @property
    def _input_name(self) -> str | None:
        return self._parameters[1].name if len(self._parameters) == 2 else None

    @property
    def output_type(self) -> Any:
        """Annotation of the result; for a generator that of its `return`."""
        hint = super().output_type
        if not self.is_generator:
            return hint
        arguments = typing.get_args(hint)
        return arguments[2] if len(arguments) == 3 else Any


class ActivityDefinition(Definition):
    """A function of `()`, `(input)` or `(ctx, input)`, async or not. One that is not runs in a thread."""

    kind = "activity"

    def __init__(self, name: str, function: AnyFunction, **terms: Unpack[ActivityTerms]) -> None:
        super().__init__(name, function)
        unknown = terms.keys() - ActivityTerms.__annotations__.keys()
        if unknown:
            raise TypeError(f"activity {name!r} has unknown options: {', '.join(sorted(unknown))}")
        if len(self._parameters) > 2:
            raise self._refuse("(), (input) or (ctx, input)")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(f"{self.kind} {name!r} is a generator; return a value instead")
        self.is_async = inspect.iscoroutinefunction(function)
        self.at_most_once = terms.get("at_most_once", False)
        self.time_limit = _checked_limit(name, terms.get("time_limit"))
        self.max_concurrent = _checked_most(name, terms.get("max_concurrent"))
        self.in_process = _checked_process(name, function, terms.get("run_in", "thread"))
        after_fault = terms.get("after_fault")
        self.after_fault = None if after_fault is None else self._after_fault(after_fault)
        self.terms = (self.at_most_once, after_fault, self.time_limit, self.max_concurrent, self.in_process)

    def _after_fault(self, function: AnyFunction) -> ActivityDefinition:
        if not self.at_most_once:
            raise ConfigurationError(
                f"activity {self.name!r} has after_fault but runs at least once, so nobody would call it; "
                "add at_most_once=True or leave after_fault out"
            )
        if not callable(function):
            raise ConfigurationError(f"after_fault of activity {self.name!r} is no function but {function!r}")
        return _FaultDefinition(self.name, function, at_most_once=True, time_limit=self.time_limit)

    @cached_property
    def takes_context(self) -> bool:
        """Whether the first parameter is the activity context: there are two, or it is annotated or named so."""
        if len(self._parameters) == 2:
            return True
        if not self._parameters:
            return False
        annotation = self._parameters[0].annotation
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if text.rpartition(".")[2] == "ActivityContext":
            return True
        return annotation is inspect.Parameter.empty and self._parameters[0].name in _CONTEXT_NAMES

    @property
    def _input_name(self) -> str | None:
        position = 1 if self.takes_context else 0
        return self._parameters[position].name if len(self._parameters) > position else None


class _FaultDefinition(ActivityDefinition):
    """Called instead of an activity, under its name and within its time limit; nobody claims it."""

    kind = "after_fault of activity"


def _checked_limit(name: str, time_limit: Any) -> timedelta | None:
    if time_limit is not None and not (isinstance(time_limit, timedelta) and time_limit > timedelta(0)):
        raise ConfigurationError(
            f"time_limit of activity {name!r} is {time_limit!r}; it takes a timedelta longer than zero"
        )
    return time_limit


def _checked_most(name: str, most: Any) -> int | None:
    if most is not None and not (isinstance(most, int) and most >= 1):
        raise ConfigurationError(f"max_concurrent of activity {name!r} is {most!r}; it takes a number of at least 1")
    return most


def _checked_process(name: str, function: AnyFunction, run_in: Any) -> bool:
    if run_in not in ("thread", "process"):
        raise ConfigurationError(f'run_in of activity {name!r} is {run_in!r}; it takes "thread" or "process"')
    found = f"{function.__module__}.{getattr(function, '__qualname__', '<nameless>')}"
    if run_in == "process" and ("<" in found or function.__module__ == "__main__"):
        raise ConfigurationError(
            f"activity {name!r} cannot run in a process: a new process has to import it, and cannot find {found}; "
            "define it at module level, in a module that is imported by name"
        )
    return run_in == "process"


class Registry:
    """The orchestrators, activities and entities of one app, by name, and how the app turns values into JSON.

    `properties_of` says what of an exception its Failure keeps as `properties`; by default the attribute of that name.
    `default_version` is given to what this app starts without saying a version. `orchestrators` is by name alone: of
    several functions under a name the one without a version, else the newest.
    """

    def __init__(
        self,
        converter: Converter | None = None,
        properties_of: PropertiesOf = own_properties,
        default_version: str | None = None,
    ) -> None:
        self.converter: Converter = converter or JsonConverter()
        self.properties_of = properties_of
        self.default_version = checked_version("default_version", default_version)
        self.orchestrators: dict[str, OrchestratorDefinition] = {}
        self.versions = OrchestratorVersions(self.orchestrators)
        self.activities: dict[str, ActivityDefinition] = {}
        self.errors: dict[str, type[Exception]] = {}
        self.entities: dict[str, EntityDefinition] = {}
        self._names = Names()

    def add_orchestrator(
        self, function: AnyFunction, name: str | None = None, input_type: Any = None, *, version: str | None = None
    ) -> OrchestratorDefinition:
        """Register an orchestrator. Raises DuplicateNameError and ConfigurationError.

        `input_type` is what its input is decoded to when the function does not annotate it. Several functions may have
        one name, each with a `version`: an execution runs the one of its own version, else the one without a version.
        """
        definition = OrchestratorDefinition(name or own_name(function), function, input_type, version)
        self._enter(definition)
        self._names.enter(function, definition)
        return definition

    def _enter(self, definition: OrchestratorDefinition) -> None:
        if definition.version is not None:
            self.versions.add(definition)
            return
        present = self.orchestrators.get(definition.name)
        if present is not None and present.version is not None:  # shown for want of one without a version
            del self.orchestrators[definition.name]
        _insert(self.orchestrators, definition)

    def add_activity(
        self, function: AnyFunction, name: str | None = None, **terms: Unpack[ActivityTerms]
    ) -> ActivityDefinition:
        """Register an activity, on these terms. Raises DuplicateNameError and ConfigurationError."""
        definition = ActivityDefinition(name or own_name(function), function, **terms)
        _insert(self.activities, definition)
        self._names.enter(function, definition)
        return definition

    def note_function(self, function: AnyFunction, definition: Definition) -> None:
        """Have calls by this function mean this registration: it is a wrapper of what is registered, or wrapped."""
        self._names.enter(function, definition)

    def find_definition(self, function: AnyFunction) -> Definition | None:
        """What a function is registered as; None when it is not."""
        return self._names.find(function)

    def rename(self, function: AnyFunction, name: str) -> bool:
        """Have a registered function go by another name; False when it is not registered. Raises DuplicateNameError."""
        definition = self._names.find(function)
        if definition is None:
            return False
        if isinstance(definition, OrchestratorDefinition):
            self.versions.take_out(definition)
            definition.name = check_name("orchestrator name", name)
            self._enter(definition)
            return True
        table: dict[str, Any] = self.entities if isinstance(definition, EntityDefinition) else self.activities
        del table[definition.name]
        definition.name = check_name(f"{definition.kind} name", name.lower() if table is self.entities else name)
        _insert(table, definition)
        return True

    def add_error(self, kind: _Error, name: str | None = None) -> _Error:
        """Have orchestrators catch failures of this type by its class, in every process; a class decorator too.

        `name` is the qualified name failures have it under, when the class was moved. Raises DuplicateNameError.
        """
        name = name or qualified_name(kind)
        if self.errors.setdefault(name, kind) is not kind:
            raise DuplicateNameError(f"two errors are called {name!r}; give one of them another name")
        return kind

    def add_entity(
        self, function: AnyFunction, name: str | None = None, *, rolls_back: bool = True
    ) -> EntityDefinition:
        """Register an entity: a function or a class. Names are case-insensitive.

        Without `rolls_back` a failed operation leaves the state and what it sent as they were when it failed, as in
        azure-functions-durable 1.x. Raises DuplicateNameError, ConfigurationError and InvalidInputError.
        """
        definition = EntityDefinition(name or own_name(function), function, rolls_back=rolls_back)
        _insert(self.entities, definition)
        self._names.enter(function, definition)
        return definition

    def include(self, other: Registry) -> None:
        """Take over all of another registry, a blueprint's for example. Raises DuplicateNameError."""
        for name in other.orchestrators:
            for orchestrator in other.versions.of(name):
                self._enter(orchestrator)
        for activity in other.activities.values():
            _insert(self.activities, activity)
        for name, kind in other.errors.items():
            self.add_error(kind, name)
        for entity in other.entities.values():
            _insert(self.entities, entity)
        self._names.update(other._names)

    def knows_orchestrator(self, name: str) -> bool:
        """Whether there is an orchestrator of this name, in whatever version."""
        return name in self.orchestrators or _built_in(name) is not None

    def is_built_in(self, name: str) -> bool:
        """Whether every app has this orchestrator; it has no versions."""
        return name not in self.orchestrators and _built_in(name) is not None

    def find_orchestrator(self, name: str, version: str | None = None) -> OrchestratorDefinition | None:
        """What runs an execution pinned to a version: of the app's functions of this name the one of that version, else
        the one without a version; or an orchestrator that every app has."""
        return self.versions.find(name, version) or _built_in(name)

    def check_orchestrator(self, name: str) -> None:
        """Raises ConfigurationError, which says what there is, for a name that no orchestrator has."""
        if not self.knows_orchestrator(name):
            raise ConfigurationError(str(self.missing(name, None)))

    def check_entity(self, name: str) -> None:
        """Raises ConfigurationError, which says what there is, for a name that no entity has."""
        if name not in self.entities:
            raise self.missing_entity(name)

    def missing(self, name: str, version: str | None) -> DurableError:
        """The error for an orchestrator that `find_orchestrator` does not find; it says what there is."""
        several = self.versions.of(name)
        if not several:
            known = ", ".join(sorted(self.orchestrators)) or "none"
            hint = f"; {name!r} is an activity, which call_activity calls" if name in self.activities else ""
            return DurableError(f"no orchestrator is registered under the name {name!r}; registered: {known}{hint}")
        known = ", ".join(str(one.version) for one in several)
        wanted = "without a version" if version is None else f"for version {version!r}"
        return VersionMismatchError(
            f"orchestrator {name!r} has no function {wanted}; registered versions: {known}; "
            "register one, or one without a version for all others"
        )

    def missing_activity(self, name: str) -> ConfigurationError:
        """The error for an activity that is not registered; it says what there is."""
        known = ", ".join(sorted(self.activities)) or "none"
        hint = f"; {name!r} is an orchestrator, which call_sub_orchestrator calls" if name in self.orchestrators else ""
        return ConfigurationError(f"no activity is registered under the name {name!r}; registered: {known}{hint}")

    def missing_entity(self, name: str) -> ConfigurationError:
        """The error for an entity that is not registered; it says what there is."""
        known = ", ".join(sorted(self.entities)) or "none"
        return ConfigurationError(f"no entity is registered under the name {name!r}; registered: {known}")

    def version_for(self, called: AnyFunction | str, asked: str | None = None) -> str | None:
        """The version of what is started: the one that is asked for, where "" means none, else that of the function
        called, else the default of the app."""
        if check_version(asked) is not None:
            return asked or None
        if isinstance(called, str):
            return None if _built_in(called) else self.default_version
        definition = self._names.find(called, OrchestratorDefinition.kind)
        own = definition.version if isinstance(definition, OrchestratorDefinition) else None
        return own or self.default_version

    def name_of(self, called: AnyFunction | str, kind: str = "") -> str:
        """The name that a function is registered under as an activity, an orchestrator or, by default, anything.

        A name is taken as it is. Raises ConfigurationError for a function that is not registered so.
        """
        if isinstance(called, str):
            return called
        check_callable(called)
        definition = self._names.find(called, kind)
        if definition is None:
            raise self._names.unknown(called, kind, self._namesake(getattr(called, "__name__", "")))
        return definition.name

    def operation_of(self, entity: str, operation: AnyFunction | str) -> str:
        """The name of an operation, given by name or as a method of the entity's class or of a base of that.

        Raises ConfigurationError for a method of another class, InvalidInputError for what is neither.
        """
        if isinstance(operation, str):
            return operation
        check_callable(operation)
        definition = self.entities.get(entity)
        if definition is None:
            raise self.missing_entity(entity)
        found = definition.operation_named_by(operation)
        if found is None:
            raise ConfigurationError(
                f"{described(operation)} is no operation of entity {entity!r}, which is "
                f"{described(definition.function)}; give a method of that class, or the operation's name as text"
            )
        return found

    def _namesake(self, name: str) -> Definition | None:
        return self.activities.get(name) or self.orchestrators.get(name) or self.entities.get(name.lower())


@cache
def _built_in(name: str) -> OrchestratorDefinition | None:
    if name != SCHEDULE:
        return None
    from durable_ext.authoring.schedule_rounds import run_schedule

    return OrchestratorDefinition(SCHEDULE, run_schedule)


def _insert(table: dict[str, Any], definition: Definition) -> None:
    present = table.get(definition.name)
    if present is not None and present.function is not definition.function:
        raise DuplicateNameError(
            f"two {definition.kind} functions are called {definition.name!r}: {_place(present.function)} and "
            f"{_place(definition.function)}; give one of them another name"
        )
    if present is not None and present.terms != definition.terms:
        raise DuplicateNameError(
            f"{definition.kind} {definition.name!r} is registered twice with different options; leave one of them out"
        )
    table[definition.name] = definition


def _place(function: AnyFunction) -> str:
    code = getattr(function, "__code__", None)
    return f"{function.__module__}:{code.co_firstlineno}" if code is not None else function.__module__
