"""The code of entities: functions, classes with a context, and plain classes that are their own state.

    def counter(context: EntityContext) -> None:          a function takes every operation
        ...

    class Counter(DurableEntity):                          a method for each operation; the state by get_state
        def add(self, amount: int) -> int: ...

    @dataclass
    class Counter:                                         the object itself is the state
        value: int = 0
        def add(self, amount: int) -> int: ...

Functions and methods may be async; one that is not runs in a thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from durable_ext.authoring.definition import Definition
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.errors import ConfigurationError, InvalidInputError
from durable_ext.records.entity_id import EntityId

_CONTEXT_NAMES = frozenset({"ctx", "context"})
_DELETE = "delete"


class DurableEntity:
    """Base of entity classes that keep their state through the context. A new object is made for every operation.

    Public methods of the class are its operations: `()`, `(input)`, or with an EntityContext as one parameter more. The
    operation `delete` deletes the state unless the class defines it.
    """

    context: EntityContext

    @property
    def entity_id(self) -> EntityId:
        return self.context.entity_id

    def get_state(self, intended_type: Any = None, default: Any = None) -> Any:
        """The state decoded to a type, or the default when there is none."""
        return self.context.get_state(expected_type=intended_type, default=default)

    def set_state(self, state: Any) -> None:
        """Replace the state; None deletes it."""
        self.context.set_state(state)

    def signal_entity(
        self, entity_id: EntityId, operation: str, input_: Any = None, *, signal_time: datetime | None = None
    ) -> None:
        """As EntityContext.signal_entity."""
        self.context.signal_entity(entity_id, operation, input_, signal_time=signal_time)

    def schedule_new_orchestration(
        self, name: Any, input_: Any = None, *, instance_id: str | None = None, version: str | None = None
    ) -> str:
        """As EntityContext.schedule_new_orchestration."""
        return self.context.schedule_new_orchestration(name, input_, instance_id=instance_id, version=version)


class EntityDefinition(Definition):
    """A registered entity. `rolls_back`: a failed operation leaves neither a state nor anything sent behind."""

    kind = "entity"

    def __init__(self, name: str, function: Callable[..., Any], *, rolls_back: bool = True) -> None:
        super().__init__(EntityId(name, "-").name, function)
        self.rolls_back = rolls_back
        self.terms = (rolls_back,)
        self.is_class = inspect.isclass(function)
        if not self.is_class and len(self._parameters) != 1:
            raise self._refuse("(context)")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(f"entity {name!r} is a generator; set the result or return it")
        if self.is_class and not self.operations:
            raise ConfigurationError(f"entity class {name!r} has no public method; each operation is one")

    @property
    def _input_name(self) -> str | None:
        return None

    @cached_property
    def operations(self) -> dict[str, OperationDefinition]:
        """The operations of a class by name."""
        members = inspect.getmembers_static(self.function) if self.is_class else []
        inherited = dir(DurableEntity)
        return {
            name: OperationDefinition(f"{self.name}.{name}", member)
            for name, member in members
            if inspect.isfunction(member) and not name.startswith("_") and name not in inherited
        }

    def operation_named_by(self, method: Any) -> str | None:
        """The name of the operation that a method is, of this class or of one of its bases; None for any other."""
        plain = inspect.unwrap(getattr(method, "__func__", method))
        for kind in inspect.getmro(self._class) if self.is_class else ():
            for name, member in vars(kind).items():
                if callable(member) and inspect.unwrap(member) is plain:
                    return name
        return None

    def is_async(self, operation: str) -> bool:
        """Whether an operation is async."""
        found = self._operation(operation) if self.is_class else None
        return inspect.iscoroutinefunction(self.function if found is None else found.function)

    def result_type(self, operation: str) -> Any:
        """What an operation of a class returns, as annotated; Any without."""
        found = self._operation(operation) if self.is_class else None
        return Any if found is None else found.output_type

    def call(self, context: EntityContext) -> Any:
        """Run the operation of a context; the result of an async one is awaitable.

        Raises InvalidInputError for an operation that a class does not have, and what the code raises.
        """
        if not self.is_class:
            return self.function(context)
        found = self._operation(context.operation)
        if found is not None:
            return found.function(self._target(context), *found.arguments(context))
        if context.operation.lower() == _DELETE:
            return context.delete_state()
        known = ", ".join(sorted({*self.operations, _DELETE}))
        raise InvalidInputError(f"entity {self.name!r} has no operation {context.operation!r}; it has {known}")

    def _target(self, context: EntityContext) -> Any:
        """The object whose method is called."""
        if issubclass(self._class, DurableEntity):
            target = self._class()
            target.context = context
            return target
        state = context.get_state(self._class)
        context.set_state(state)
        return state

    def _operation(self, name: str) -> OperationDefinition | None:
        """Clients of .NET do not mind capitals; so one operation may be meant, but not one of two."""
        exact = self.operations.get(name)
        alike = [found for known, found in self.operations.items() if known.lower() == name.lower()]
        return exact or (alike[0] if len(alike) == 1 else None)

    @property
    def _class(self) -> Any:
        return self.function


class OperationDefinition(Definition):
    """A method of an entity class: `(self)`, `(self, input)`, and a context as one parameter more."""

    kind = "operation"

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name, function)
        self._parameters = self._parameters[1:]
        self._context_names = [parameter.name for parameter in self._parameters if _is_context(parameter)]
        if len(self._parameters) - len(self._context_names) > 1 or len(self._context_names) > 1:
            raise self._refuse("at most an input and a context")

    @property
    def _input_name(self) -> str | None:
        return next((found.name for found in self._parameters if found.name not in self._context_names), None)

    def arguments(self, context: EntityContext) -> list[Any]:
        """What it is called with after `self`. Raises PayloadError for an input that does not fit."""
        return [
            context if parameter.name in self._context_names else self._input(context, parameter)
            for parameter in self._parameters
        ]

    def _input(self, context: EntityContext, parameter: inspect.Parameter) -> Any:
        if not context.has_input and parameter.default is not inspect.Parameter.empty:
            return parameter.default
        return context.get_input(self.input_type)


def _is_context(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    if text.rpartition(".")[2] in ("EntityContext", "DurableEntityContext"):
        return True
    return annotation is inspect.Parameter.empty and parameter.name in _CONTEXT_NAMES
