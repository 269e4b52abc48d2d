"""An activity's bindings beside its trigger, as function.json may give it: nobody fills them in here.

The app is loaded all the same, and a test may mock the activity: the call fails, and says what to do, when it comes to
what a binding would have brought or taken.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import azure.functions as func

from durable_ext.errors import ConfigurationError


class _Unfilled(func.Out[Any]):
    """An output that nobody takes."""

    def __init__(self, activity: str, binding: Mapping[str, Any]) -> None:
        self._activity, self._binding = activity, binding

    def set(self, val: Any) -> NoReturn:
        raise _refusal(self._activity, self._binding)

    def get(self) -> None:
        return None


def without_bindings(name: str, body: Callable[..., Any], bindings: Sequence[Mapping[str, Any]]) -> Callable[..., Any]:
    """The activity without the parameters of these bindings; itself when there are none."""
    signature = inspect.signature(body)
    unfilled = {binding["name"]: binding for binding in bindings if binding["name"] in signature.parameters}
    if not unfilled:
        return body

    def arguments() -> dict[str, Any]:
        for binding in unfilled.values():
            if str(binding.get("direction", "in")).lower() != "out":
                raise _refusal(name, binding)
        return {parameter: _Unfilled(name, binding) for parameter, binding in unfilled.items()}

    if inspect.iscoroutinefunction(body):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await body(*args, **arguments(), **kwargs)

        wrapper: Callable[..., Any] = call_async
    else:

        def call(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **arguments(), **kwargs)

        wrapper = call
    functools.update_wrapper(wrapper, body)
    shown = [parameter for parameter in signature.parameters.values() if parameter.name not in unfilled]
    wrapper.__dict__["__signature__"] = signature.replace(parameters=shown)
    return wrapper


def _refusal(activity: str, binding: Mapping[str, Any]) -> ConfigurationError:
    return ConfigurationError(
        f"activity {activity!r} uses its binding {binding['name']!r} of type {binding.get('type')!r}, which no host "
        "fills in for an activity; use the library of the service instead"
    )
