"""What is known of a registered function: its name, and what its signature says about input and result."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

from durable_ext.authoring.payload import or_none
from durable_ext.errors import ConfigurationError
from durable_ext.records.ids import check_name

AnyFunction = Callable[..., Any]
_PLAIN = frozenset({str, int, float, bool, None, type(None), list, dict, typing.List, typing.Dict, Any, object})  # noqa: UP006


class Definition:
    """A registered function, its name, and what its signature says about input and result."""

    kind = "function"
    terms: tuple[Any, ...] = ()
    checks_plain_types = True
    """False, as in azure-functions-durable: an annotation that is plain JSON, as `str` or `list[int]`, is a remark, and
    so is one that nothing can be decoded to; null stays None whatever the annotation."""

    def __init__(self, name: str, function: AnyFunction) -> None:
        self.name = check_name(f"{self.kind} name", name)
        self.function = function
        self._hints: dict[str, Any] = {}
        self._parameters = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]

    @property
    def input_type(self) -> Any:
        """Annotation of the input parameter; Any without one."""
        name = self._input_name
        return Any if name is None else self._hint(name)

    @property
    def output_type(self) -> Any:
        """Annotation of the result; Any without one."""
        return self._hint("return")

    @property
    def _input_name(self) -> str | None:
        raise NotImplementedError

    @property
    def takes_input(self) -> bool:
        return self._input_name is not None

    def _hint(self, name: str) -> Any:
        if name not in self._hints:
            self._hints[name] = self._resolved(name)
        hint = self._hints[name]
        if self.checks_plain_types:
            return hint
        return Any if _is_plain(hint) or _is_foreign(hint) else or_none(hint)

    def _resolved(self, name: str) -> Any:
        try:
            return self._resolve(name)
        except ConfigurationError:
            if self.checks_plain_types:
                raise
            return Any  # there for type checkers only, which is a remark too

    def _resolve(self, name: str) -> Any:
        # Each annotation on its own: the one of the context may be there for type checkers only.
        plain = inspect.unwrap(self.function)

        def holder() -> None: ...

        holder.__annotations__ = {name: getattr(plain, "__annotations__", {}).get(name, Any)}
        try:
            return typing.get_type_hints(holder, globalns=getattr(plain, "__globals__", {}))[name]
        except (NameError, AttributeError) as error:
            raise ConfigurationError(
                f"an annotation of {self.kind} {self.name!r} cannot be resolved: {error}; "
                "define the type at module level"
            ) from error

    def _refuse(self, wanted: str) -> ConfigurationError:
        found = ", ".join(parameter.name for parameter in self._parameters)
        return ConfigurationError(f"{self.kind} {self.name!r} has the parameters ({found}); it takes {wanted}")


def own_name(function: Any) -> str:
    """The name that a function is registered under when nobody gives it another. Raises ConfigurationError."""
    name: str | None = getattr(function, "__name__", None)
    if name is None:
        raise ConfigurationError(f"{function!r} has no name of its own; register it under one")
    return name


def _is_plain(hint: Any) -> bool:
    """Whether JSON gives values of this type by itself."""
    if typing.get_origin(hint) in (list, dict, typing.Union, types.UnionType):
        return all(_is_plain(argument) for argument in typing.get_args(hint))
    return hint in _PLAIN if isinstance(hint, Hashable) else False


def _is_foreign(hint: Any) -> bool:
    """Whether it is a class that JSON cannot be decoded to."""
    return isinstance(hint, type) and _is_foreign_class(hint)


@cache
def _is_foreign_class(kind: type) -> bool:
    import msgspec.inspect

    if callable(getattr(kind, "from_json", None)) or callable(getattr(kind, "model_validate_json", None)):
        return False
    return isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.CustomType)
