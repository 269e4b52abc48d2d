"""What azure-functions-durable lets people do with a decorated function, on the function itself.

There a decorator returns a builder, and unit tests get at the code by `decorated.build().get_user_function()`, whose
`.orchestrator_function` or `.entity_function` is what was decorated. Here the function stays what it is (R5) and has
these names too, and `decorated._function._func`, by which older tests get at it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Built:
    """What `build()` of a decorated function returns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._func = function

    def get_user_function(self) -> Callable[..., Any]:
        """The function that was decorated."""
        return self._func

    def get_function_name(self) -> str:
        """Its own name, not the one that a decorator gave it."""
        return self._func.__name__


def as_decorated(function: F, attribute: str | None = None) -> F:
    """The function, which names itself by the attribute that azure-functions-durable has for its kind."""
    if attribute is not None:
        function.__dict__[attribute] = function
    function.__dict__["build"] = lambda: Built(function)
    function.__dict__["_function"] = Built(function)
    return function
