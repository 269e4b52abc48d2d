"""Which registration a function means: the one of this very function, never one of another that is called the same.

A wrapper (functools.wraps) means what it wraps, and the other way round, where only one registration fits. A bound
method is its function on its object. A partial is nobody but itself: what it holds would be lost on the way.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Hashable, Iterator
from types import MethodType
from typing import Any, Protocol, cast

from durable_ext.authoring.definition import AnyFunction, Definition
from durable_ext.errors import ConfigurationError, InvalidInputError
from durable_ext.records.given import check_version

_VERBS = {"activity": "call_activity", "orchestrator": "call_sub_orchestrator", "entity": "call_entity"}


class Naming(Protocol):
    """Turns functions into names: a Registry, or `ByName` for who knows no app."""

    def name_of(self, called: AnyFunction | str, kind: str = "") -> str:
        """The name of an activity, an orchestrator or an entity, given by function or by name."""
        ...

    def operation_of(self, entity: str, operation: AnyFunction | str) -> str:
        """The name of an operation, given by method or by name."""
        ...

    def version_for(self, called: AnyFunction | str, asked: str | None = None) -> str | None:
        """The version of what is started; "" asks for none."""
        ...


class ByName:
    """Takes names only."""

    def name_of(self, called: AnyFunction | str, kind: str = "") -> str:
        """The name. Raises ConfigurationError for a function."""
        del kind
        return _name(called)

    def operation_of(self, entity: str, operation: AnyFunction | str) -> str:
        """The name. Raises ConfigurationError for a method."""
        del entity
        return _name(operation)

    def version_for(self, called: AnyFunction | str, asked: str | None = None) -> str | None:
        """The version asked for."""
        del called
        return check_version(asked) or None


class Names:
    """The registrations of one app, by function. One function may be of several kinds, once of each."""

    def __init__(self) -> None:
        self._exactly: dict[Hashable, dict[str, Definition]] = {}
        self._unwrapped: dict[Hashable, dict[str, list[Definition]]] = {}
        self._alive: list[AnyFunction] = []  # identities are unique among what lives

    def enter(self, function: AnyFunction, definition: Definition) -> None:
        """Have a function mean a registration, of its kind the only one from now on."""
        self._alive.append(function)
        self._exactly.setdefault(_identity(function), {})[definition.kind] = definition
        others = self._unwrapped.setdefault(_identity(_plain(function)), {}).setdefault(definition.kind, [])
        if definition not in others:
            others.append(definition)

    def update(self, other: Names) -> None:
        """Take over all of another app's."""
        for function in other._alive:
            for definition in other._exactly[_identity(function)].values():
                self.enter(function, definition)

    def find(self, function: AnyFunction, kind: str = "") -> Definition | None:
        """The registration that a function means, of a kind or of any; None when it means none, or several."""
        exact = self._exactly.get(_identity(function), {})
        if exact:
            return exact.get(kind) if kind else next(iter(exact.values()))
        found = list(self._alike(function, kind))
        return found[0] if len(found) == 1 else None

    def _alike(self, function: AnyFunction, kind: str) -> Iterator[Definition]:
        for known, definitions in self._unwrapped.get(_identity(_plain(function)), {}).items():
            if kind in ("", known):
                yield from definitions

    def unknown(self, function: AnyFunction, kind: str, namesake: Definition | None) -> ConfigurationError:
        """The error for a function that means no registration of a kind."""
        what, wanted = described(function), kind or "durable function"
        other = self.find(function)
        if other is not None:
            return ConfigurationError(
                f"{what} is registered, but not as {_a(wanted)}: {other.kind} {other.name!r} is called by "
                f"{_VERBS.get(other.kind, 'its own verb')}"
            )
        if len(several := list(self._alike(function, kind))) > 1:
            named = ", ".join(repr(one.name) for one in several)
            return ConfigurationError(f"{what} is registered several times, wrapped: {named}; call it by name")
        hint = "" if namesake is None else f" Another function has that name: {described(namesake.function)}."
        return ConfigurationError(
            f"{what} is not registered as {_a(wanted)} of this app.{hint} Decorate it, or have the app take over the "
            "blueprint it is decorated in (register_functions); what another app runs is called by its name, as text"
        )


def _name(called: AnyFunction | str) -> str:
    if isinstance(called, str):
        return called
    check_callable(called)
    raise ConfigurationError(f"{described(called)} is registered in no app that is known here; give its name, as text")


def check_callable(function: object) -> None:
    """Raises InvalidInputError for what is neither a name nor a function."""
    if not callable(function):
        raise InvalidInputError(f"a function or its name is called, not what is of type {type(function).__qualname__}")


def described(function: Any) -> str:
    """A function as errors name it: with its module and line."""
    named = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or repr(function)
    code = getattr(_plain(function), "__code__", None)
    module = getattr(_plain(function), "__module__", "") or ""
    return f"function {named!r}" + (f" ({module}:{code.co_firstlineno})" if code is not None else f" ({module})")


def _identity(function: Any) -> Hashable:
    if isinstance(function, MethodType):  # a new object each time it is looked up
        return (id(function.__self__), id(function.__func__))
    return id(function)


def _plain(function: Any) -> Any:
    """What is at the bottom of wrappers, and of the builders that azure.functions makes of decorated functions."""
    if isinstance(function, functools.partial):
        return cast("Any", function)
    user_function = getattr(getattr(function, "_function", None), "get_user_function", None)
    if user_function is not None and not inspect.isfunction(function):
        function = user_function()
    try:
        return inspect.unwrap(function)
    except ValueError:  # it wraps itself
        return function


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeo" else f"a {kind}"
