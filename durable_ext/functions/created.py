"""`Orchestrator.create` and `Entity.create`: how a body of the classic model says what it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from durable_ext.functions.decorated import as_decorated

F = TypeVar("F", bound=Callable[..., Any])


class Orchestrator:
    """`main = Orchestrator.create(function)`."""

    @classmethod
    def create(cls, fn: F) -> F:
        """The function, marked as an orchestrator: `DFApp.from_classic` registers it under its folder's name."""
        return as_decorated(_checked(fn), "orchestrator_function")


class Entity:
    """`main = Entity.create(function)`."""

    @classmethod
    def create(cls, fn: F) -> F:
        """The function, marked as an entity: `DFApp.from_classic` registers it under its folder's name."""
        return as_decorated(_checked(fn), "entity_function")


def _checked(fn: F) -> F:
    given: object = fn
    if not inspect.isfunction(given):
        raise TypeError(f"create takes the function itself, not what is of type {type(fn).__qualname__}")
    return fn
