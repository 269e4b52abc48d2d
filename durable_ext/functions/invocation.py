"""Calls one function of an app as the Functions worker does: the same converters, the same rules for parameters.

A coroutine function runs on the loop, another in a thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
import typing
import uuid
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from durable_ext.errors import ConfigurationError

TRIGGERS = frozenset({"httpTrigger", "queueTrigger", "timerTrigger"})
_OUTPUTS = frozenset({"http"})
_RETURN = "$return"


class Binding(typing.NamedTuple):
    """One binding of a function, as the host reads it."""

    kind: str
    name: str
    fields: dict[str, Any]


class LocalContext(func.Context):
    """What a function with a `context` parameter gets. There is no tracing and no retry here."""

    def __init__(self, function_name: str, folder: str) -> None:
        self._function_name = function_name
        self._folder = folder
        self._invocation_id = uuid.uuid4().hex
        self._storage = threading.local()

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return self._storage

    @property
    def function_name(self) -> str:
        return self._function_name

    @property
    def function_directory(self) -> str:
        return self._folder

    @property
    def trace_context(self) -> Any:
        return None

    @property
    def retry_context(self) -> Any:
        return None


class UserFunction:
    """A function of the app with its bindings. Raises ConfigurationError when they do not fit its parameters."""

    def __init__(self, function: func.Function, threads: Executor) -> None:
        self.name = function.get_function_name() or ""
        self.bindings = [_binding(raw) for raw in function.get_raw_bindings()]
        self._function = function.get_user_function()
        self._threads = threads
        self._takes_context = self._check_parameters()

    @property
    def trigger(self) -> Binding:
        """The binding that calls the function."""
        return next(binding for binding in self.bindings if binding.kind.endswith("Trigger"))

    def unserved(self) -> str:
        """Type of the first binding that is none of ours, or nothing."""
        served = TRIGGERS | _OUTPUTS
        return next((binding.kind for binding in self.bindings if binding.kind not in served), "")

    async def call(self, data: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        """Call the function with what its trigger brought; its encoded result. Raises what the function raises."""
        trigger = self.trigger
        arguments: dict[str, Any] = {trigger.name: _converter(trigger.kind).decode(data, trigger_metadata=metadata)}
        if self._takes_context:
            folder = str(Path(inspect.getfile(self._function)).parent)
            arguments["context"] = LocalContext(self.name, folder)
        result = await self._run(arguments)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(f"function {self.name!r} returned {result.__qualname__}(...) unawaited; put await in front")
        output = next((binding for binding in self.bindings if binding.name == _RETURN), None)
        if output is not None:
            return None if result is None else _converter(output.kind).encode(result, expected_type=None)
        if result is not None:
            raise TypeError(f"function {self.name!r} without a $return binding returned a non-None value")
        return None

    async def _run(self, arguments: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return await self._function(**arguments)
        call = partial(contextvars.copy_context().run, partial(self._function, **arguments))
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _check_parameters(self) -> bool:
        found = set(inspect.signature(self._function).parameters)
        wanted = {binding.name for binding in self.bindings} - {_RETURN}
        takes_context = "context" in found - wanted
        missing, unbound = wanted - found, found - wanted - {"context"}
        if missing or unbound:
            raise ConfigurationError(
                f"function {self.name!r} has the parameters {sorted(found)} and the bindings {sorted(wanted)}; "
                "they have to be the same"
            )
        return takes_context


def _binding(raw: str) -> Binding:
    fields = json.loads(raw)
    return Binding(kind=fields["type"], name=fields["name"], fields=fields)


def _converter(kind: str) -> Any:
    registry: Any = func.get_binding_registry()
    return registry.get(kind)
