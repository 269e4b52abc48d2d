"""Failures as exceptions an orchestrator can catch by type. They stay data: no class is ever imported for one (R4).

What is raised is a TaskFailedError, and of the failure's own type as well where that type is known: registered with
the app, built in, or loaded by somebody before. A failure names its bases too, so that of a type known in one process
only, every process knows the same bases that the code can name: whether an `except` clause catches a failure does not
depend on the process.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from durable_ext.errors import TaskFailedError, failed_text
from durable_ext.records.failures import Failure, qualified_name

_ENVELOPE = qualified_name(TaskFailedError)
# The text itself, whatever a class made of the name.
_ARGUMENTS: Any = vars(BaseException)["args"]
# A future cannot carry the first two; a group is taken apart by `except*`, and there is nothing in it.
_NOT_RAISED = (StopIteration, StopAsyncIteration, BaseExceptionGroup, TaskFailedError)
_MOST_MIXED = 1000


def task_failed(task_name: str, failure: Failure, errors: Mapping[str, type[Exception]]) -> TaskFailedError:
    """The exception for a failed activity or child; `errors` are the classes that the app has registered.

    A child that let a failure of its own activities through has failed with that one.
    """
    thrown = next((link for link in failure.chain() if link.type != _ENVELOPE), failure)
    kinds = _known(thrown, errors)
    mixed = _mixed(kinds) if kinds else None
    if mixed is None:
        return TaskFailedError(task_name, failure)
    error = _made(mixed, failed_text(task_name, failure))
    # Not by setattr: the class may have made that its own, or frozen.
    vars(error).update(task_name=task_name, failure=failure, _thrown=thrown)
    return error


def _known(failure: Failure, errors: Mapping[str, type[Exception]]) -> tuple[type[Exception], ...]:
    """The classes of a failure that are known here, the nearest ones: none is a base of another."""
    chosen: list[type[Exception]] = []
    for name in (failure.type, *failure.bases):
        kind = errors.get(name) or _loaded(name)
        if kind is not None and not issubclass(kind, _NOT_RAISED) and not any(issubclass(one, kind) for one in chosen):
            chosen.append(kind)
    return tuple(chosen)


def _loaded(name: str) -> type[Exception] | None:
    """The exception class of a qualified name, if its module is loaded. Nothing is imported, nothing is called."""
    parts = name.split(".")
    for split in range(len(parts) - 1, -1, -1):
        module = sys.modules.get(".".join(parts[:split])) if split else builtins
        if module is None:
            continue
        # By the dictionary: a module or a class may answer getattr with an import.
        found: Any = module
        for part in parts[split:]:
            found = getattr(found, "__dict__", {}).get(part)
        if isinstance(found, type) and issubclass(found, Exception) and qualified_name(found) == name:
            return found
    return None


def _text(error: BaseException) -> str:
    return str(_ARGUMENTS.__get__(error)[0])


def _told(error: BaseException) -> str:
    return f"{TaskFailedError.__name__}({_text(error)!r})"


def _missing(error: BaseException, name: str) -> Any:
    """An attribute that nobody set: a property of the failure stands in for it, or all of them."""
    thrown: Failure | None = None if name.startswith("_") else vars(error).get("_thrown")
    if thrown is None:
        raise AttributeError(name)
    if name == "properties":
        return thrown.properties
    if name in thrown.properties:
        return thrown.properties[name]
    raise AttributeError(
        f"this {thrown.type.rpartition('.')[2]} was made from a failure, and its __init__ was not called: it has no "
        f"{name!r}, only what the exception had as `properties`: {', '.join(sorted(thrown.properties)) or 'nothing'}"
    )


# What a mixed class says of itself, whatever its other bases say.
_NAMESPACE: dict[str, Any] = {
    "__module__": TaskFailedError.__module__,
    "__qualname__": TaskFailedError.__qualname__,
    "__doc__": TaskFailedError.__doc__,
    "__str__": _text,
    "__repr__": _told,
    "__getattr__": _missing,
    "__eq__": object.__eq__,
    "__hash__": object.__hash__,
    "task_name": "",
    "failure": None,
    "retryable": TaskFailedError.retryable,
}


@lru_cache(maxsize=_MOST_MIXED)
def _mixed(kinds: tuple[type[Exception], ...]) -> type[TaskFailedError] | None:
    """A class of all these, of the nearest if they do not go together, or None."""
    return _class_of(kinds) or _class_of(kinds[:1])


def _class_of(kinds: tuple[type[Exception], ...]) -> type[TaskFailedError] | None:
    try:
        mixed = type(TaskFailedError.__name__, (TaskFailedError, *kinds), dict(_NAMESPACE))
        _made(mixed, "")
    except Exception:  # noqa: BLE001 - the layout, or code of the class itself, allows no such class
        return None
    return mixed


def _made(mixed: type[TaskFailedError], text: str) -> TaskFailedError:
    """By the `__new__` of the built-in class it is made of: the user's own takes who knows what."""
    builtin: Any = next(base for base in mixed.__mro__ if base.__module__ == "builtins")
    error: TaskFailedError = builtin.__new__(mixed, text)
    _ARGUMENTS.__set__(error, (text,))  # some leave that to __init__
    return error
