"""`import azure.durable_functions as df`, answered by this package: for apps whose imports are to stay as they are.

`install()` puts modules of that name and of its sub-modules into the interpreter. The classes in them are ours, so an
app may mix both names. With them the durable decorators of a plain func.FunctionApp work too.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from durable_ext.errors import ConfigurationError
from durable_ext.functions.submodules import BESIDE_MODELS, name_in_models, put_submodules

NAME = "azure.durable_functions"
_OURS = __name__.partition(".")[0]


class _Door(ModuleType):
    """A module whose names are looked up when they are used."""

    def __init__(self, name: str, look_up: Callable[[str], Any]) -> None:
        super().__init__(name, f"{_OURS} under the name {name}.")
        self.__spec__ = ModuleSpec(name, None, is_package=True)
        self.__path__ = []
        self._look_up = look_up

    def __getattr__(self, name: str) -> Any:
        return self._look_up(name)


def install() -> None:
    """Have `azure.durable_functions` and its sub-modules mean this package. A second call changes nothing.

    Raises ConfigurationError when the real package is imported already: then some of the app has its classes.
    """
    present = sys.modules.get(NAME)
    if isinstance(present, _Door):
        return
    if present is not None:
        raise ConfigurationError(
            f"{NAME} is imported already, from azure-functions-durable; import {_OURS}.drop_in before it, or "
            "uninstall that package"
        )
    door = _put(NAME, lambda name: getattr(sys.modules[_OURS], name))
    setattr(sys.modules["azure"], "durable_functions", door)  # noqa: B010 - a namespace package declares nothing
    vars(door)["models"] = _put(f"{NAME}.models", name_in_models)
    vars(door)["testing"] = _put(f"{NAME}.testing", _name_in_testing)
    _put(f"{NAME}.testing.OrchestratorGeneratorWrapper", _name_in_testing)
    put_submodules(f"{NAME}.models")
    put_submodules(NAME, BESIDE_MODELS)


def _put(name: str, look_up: Callable[[str], Any]) -> ModuleType:
    sys.modules[name] = _Door(name, look_up)
    return sys.modules[name]


def _name_in_testing(name: str) -> Any:
    return getattr(importlib.import_module(f"{_OURS}.testing"), name)
