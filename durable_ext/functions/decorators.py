"""The decorators of an app and of a blueprint: orchestrators, activities, entities and the client (F1, R5).

They register a function and hand back the function itself, so that `ctx.call_activity(reserve, order)` has the type
that `reserve` returns. Names and arguments of azure-functions-durable are taken as they are.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar, Unpack, overload

import azure.functions as func
from azure.functions.decorators.function_app import FunctionBuilder

from durable_ext.authoring.options import ActivityTerms
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.functions.activity_shapes import as_activity
from durable_ext.functions.client_input import ClientInput
from durable_ext.functions.decorated import as_decorated
from durable_ext.functions.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])
_log = logging.getLogger("durable_ext.functions")


class DurableDecorators(func.DecoratorApi):
    """Mixed into a FunctionApp and into a Blueprint. Each has a registry of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType]
        self.registry = Registry()
        self._engine: Engine | None = None
        self.client_functions: list[Any] = []

    @property
    def engine(self) -> Engine:
        """What the functions of the app share. Raises ConfigurationError for a blueprint that is in no app yet."""
        if self._engine is None:
            raise ConfigurationError("this DurableBlueprint is in no app: call app.register_functions(blueprint)")
        return self._engine

    @overload
    def orchestrator(self, function: F, /) -> F: ...
    @overload
    def orchestrator(self, name: str | None = None, *, version: str | None = None) -> Callable[[F], F]: ...
    def orchestrator(self, name: Any = None, *, version: str | None = None) -> Any:
        """Register an orchestrator under its own or another name, or one `version` of several (docs/versions.md).

        Raises DuplicateNameError, ConfigurationError.
        """
        if callable(name):
            return self._orchestrator(None, None, version=version)(name)
        return self._orchestrator(name, None, version=version)

    @overload
    def activity(self, function: F, /) -> F: ...
    @overload
    def activity(self, name: str | None = None, **terms: Unpack[ActivityTerms]) -> Callable[[F], F]: ...
    def activity(self, name: Any = None, **terms: Unpack[ActivityTerms]) -> Any:
        """Register an activity under its own or another name, on the terms that ActivityTerms tells.

        Raises DuplicateNameError, ConfigurationError.
        """
        return self._activity(None, None, terms)(name) if callable(name) else self._activity(name, None, terms)

    def orchestration_trigger(
        self,
        context_name: str,
        orchestration: str | None = None,
        input_type: type[Any] | None = None,
        *,
        version: str | None = None,
    ) -> Callable[[F], F]:
        """As `orchestrator`; `context_name` has to be the function's first parameter.

        `input_type` says what the input is decoded to when the function does not annotate it.
        """
        _check_called("orchestration_trigger", "context_name", context_name)
        return self._orchestrator(orchestration, context_name, input_type, version=version)

    def activity_trigger(
        self, input_name: str, activity: str | None = None, **terms: Unpack[ActivityTerms]
    ) -> Callable[[F], F]:
        """As `activity`; `input_name` has to be a parameter of the function."""
        _check_called("activity_trigger", "input_name", input_name)
        return self._activity(activity, input_name, terms)

    @overload
    def entity(self, function: F, /) -> F: ...
    @overload
    def entity(self, name: str | None = None, *, rolls_back: bool = True) -> Callable[[F], F]: ...
    def entity(self, name: Any = None, *, rolls_back: bool = True) -> Any:
        """Register an entity, a function or a class, under its own or another name.

        Without `rolls_back` a failed operation leaves the state as it was when it failed. Raises DuplicateNameError,
        ConfigurationError, InvalidInputError.
        """
        if callable(name):
            return self._entity(None, rolls_back)(name)
        return self._entity(name, rolls_back)

    def entity_trigger(
        self, context_name: str, entity_name: str | None = None, *, rolls_back: bool = True
    ) -> Callable[[F], F]:
        """As `entity`; `context_name` has to be the function's one parameter, a class has none of that name."""
        _check_called("entity_trigger", "context_name", context_name)

        def register(decorated: F) -> F:
            function, _ = self._taken(decorated, keep=True)
            parameters = list(inspect.signature(function).parameters)
            if not inspect.isclass(function) and parameters != [context_name]:
                raise ConfigurationError(
                    f"entity {function.__name__!r} takes ({', '.join(parameters)}); "
                    f"its one parameter has to be {context_name!r}, as context_name says"
                )
            return self._entity(entity_name, rolls_back)(decorated)

        return register

    def durable_client_input(
        self, client_name: str, task_hub: str | None = None, connection_name: str | None = None
    ) -> Callable[[Any], Any]:
        """Hand the client of this app's hub, or of another one, to a function with a trigger of its own.

        Stands above or below the trigger's decorator. An `async def` gets a DurableClient, a `def` a BlockingClient.
        """
        _check_called("durable_client_input", "client_name", client_name)
        hand = ClientInput(lambda: self.engine, client_name, task_hub, connection_name)

        def decorate(decorated: Any) -> Any:
            function = hand(decorated)
            self.client_functions.append(function)
            return function

        return decorate

    def join(self, engine: Engine) -> None:
        """Bring the orchestrators and activities to an app's engine. Raises DuplicateNameError."""
        self.settle_names()
        engine.registry.include(self.registry)
        self._engine = engine

    def warn_of_uncalled(self) -> None:
        """Say which functions take a client and have no trigger: the host does not see them at all."""
        called: set[int] = set()
        for builder in self._function_builders:
            called.add(id(builder))
            function: Any = builder._function.get_user_function()  # pyright: ignore[reportPrivateUsage]
            while function is not None:
                called.add(id(function))
                function = getattr(function, "__wrapped__", None)
        for function in self.client_functions:
            if id(function) not in called:
                _log.warning(
                    "function %r takes a client and has no trigger, so nobody calls it; put a trigger above "
                    "durable_client_input, @app.route(...) for example",
                    getattr(function, "__name__", function),
                )

    def settle_names(self) -> None:
        """`function_name` above one of our decorators names the orchestrator or activity; it makes no function.

        Raises DuplicateNameError.
        """
        for builder in self._function_builders[:]:
            inner: Any = builder._function  # pyright: ignore[reportPrivateUsage]
            function = inner.get_user_function()
            definition = self.registry.find_definition(function)
            if definition is None or inner.get_trigger() is not None:
                continue
            named = inner.get_function_name() != function.__name__
            _check_unbound(inner)
            self.registry.rename(function, inner.get_function_name() if named else definition.name)
            self._function_builders.remove(builder)
            self.registry.note_function(builder, definition)  # the app's code calls by it

    def _orchestrator(
        self,
        name: str | None,
        context_name: str | None,
        input_type: type[Any] | None = None,
        *,
        version: str | None = None,
    ) -> Callable[[F], F]:
        def register(decorated: F) -> F:
            function, given = self._taken(decorated)
            parameters = list(inspect.signature(function).parameters)
            if context_name is not None and parameters[:1] != [context_name]:
                raise ConfigurationError(
                    f"orchestrator {function.__name__!r} takes ({', '.join(parameters)}); "
                    f"its first parameter has to be {context_name!r}, as context_name says"
                )
            definition = self.registry.add_orchestrator(function, name or given, input_type, version=version)
            definition.checks_plain_types = context_name is None
            return as_decorated(function, "orchestrator_function")

        return register

    def _activity(self, name: str | None, input_name: str | None, terms: ActivityTerms) -> Callable[[F], F]:
        def register(decorated: F) -> F:
            function, given = self._taken(decorated)
            called = function if input_name is None else as_activity(function, input_name)
            definition = self.registry.add_activity(called, name or given, **terms)
            definition.checks_plain_types = input_name is None
            self.registry.note_function(function, definition)
            return as_decorated(function)

        return register

    def _entity(self, name: str | None, rolls_back: bool) -> Callable[[F], F]:
        def register(decorated: F) -> F:
            function, given = self._taken(decorated)
            self.registry.add_entity(function, name or given, rolls_back=rolls_back)
            if not inspect.isclass(function):
                as_decorated(function, "entity_function")
            returned: Any = function
            return returned

        return register

    def _taken(self, decorated: Any, *, keep: bool = False) -> tuple[Any, str | None]:
        """The function, and the name that `function_name` below has given it; it is none of the host's any more."""
        if not isinstance(decorated, FunctionBuilder):
            return decorated, None
        inner: Any = decorated._function  # pyright: ignore[reportPrivateUsage]
        if inner.get_trigger() is not None:
            raise ConfigurationError("an orchestrator, activity or entity takes no other trigger; register it apart")
        _check_unbound(inner)
        if not keep:
            self._function_builders.remove(decorated)
        return inner.get_user_function(), inner.get_function_name()


def _check_unbound(function: Any) -> None:
    """Raises ConfigurationError for bindings beside the trigger of ours, which would be dropped without a word."""
    for binding in function.get_bindings():
        raise ConfigurationError(
            f"{function.get_user_function().__name__!r} has a binding {binding.name!r} of type {binding.type!r}, which "
            "no host fills in for an orchestrator, activity or entity; use the library of the service instead"
        )


def _check_called(decorator: str, argument: str, given: object) -> None:
    """Raises TypeError for the decorator without its parentheses, which would swallow the function."""
    if not isinstance(given, str):
        raise TypeError(f"{decorator} is called before it decorates: @app.{decorator}({argument}=...)")
