"""Activities of the shapes that a Functions app may give them, as those that the engine calls.

The worker of Functions calls by name: the input has the name that the trigger says, wherever it stands, and a
parameter `context` gets what the host knows of the call. The engine calls `(input)` or `(ctx, input)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.errors import ConfigurationError
from durable_ext.functions.invocation import LocalContext

_CONTEXT = "context"


def as_activity(function: Callable[..., Any], input_name: str) -> Callable[..., Any]:
    """The function, or one that calls it by names. Raises ConfigurationError for parameters that nothing fills."""
    parameters = inspect.signature(function).parameters
    names = list(parameters)
    if input_name not in names:
        raise ConfigurationError(
            f"activity {function.__name__!r} takes ({', '.join(names)}); "
            f"{input_name!r}, which input_name says, is not among them"
        )
    if names == [input_name] and input_name not in ("ctx", _CONTEXT):
        return function
    if names.index(input_name) == 1 and len(names) == 2 and not _is_of_the_host(parameters[names[0]]):
        return function
    extra = [name for name in names if name != input_name and parameters[name].default is inspect.Parameter.empty]
    if extra not in ([], [_CONTEXT]):
        raise ConfigurationError(
            f"activity {function.__name__!r} takes ({', '.join(names)}); beside its input {input_name!r} it may have "
            "`context` only: an activity has no bindings of the host's, use the library of the service instead"
        )
    return _calls_by_name(function, input_name, with_context=bool(extra))


def _is_of_the_host(parameter: inspect.Parameter) -> bool:
    """Whether it is annotated as func.Context."""
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return text.rpartition(".")[2] == "Context"


def _calls_by_name(function: Callable[..., Any], input_name: str, *, with_context: bool) -> Callable[..., Any]:
    def arguments(value: Any) -> dict[str, Any]:
        if not with_context:
            return {input_name: value}
        folder = str(Path(inspect.getfile(function)).parent)
        return {input_name: value, _CONTEXT: LocalContext(function.__name__, folder)}

    if inspect.iscoroutinefunction(function):

        async def call_async(_: ActivityContext, value: Any) -> Any:
            return await function(**arguments(value))

        wrapper: Callable[..., Any] = call_async
    else:

        def call(_: ActivityContext, value: Any) -> Any:
            return function(**arguments(value))

        wrapper = call
    functools.update_wrapper(wrapper, function)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    shown = [inspect.Parameter(name, kind) for name in ("_", input_name)]
    wrapper.__dict__["__signature__"] = inspect.Signature(shown)
    return wrapper
