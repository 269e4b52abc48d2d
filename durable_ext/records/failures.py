"""Failures cross the durable boundary as data, never as pickled exceptions (R4)."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import msgspec

from durable_ext.errors import TaskFailedError

_MAX_TEXT = 8 * 1024
_MAX_CAUSES = 10
_MAX_BASES = 20
# Every exception has these.
_ROOTS = ("Exception", "BaseException")
# What gives access to storage or to a service, as connection strings, addresses and headers spell it.
_SECRET = re.compile(
    r"(?i)\b(account_?key|shared_?access_?key|sig|password|pwd|client_?secret|bearer)(\s*[=: ]\s*)[^\s;&,'\"]+"
)


# What an exception says of itself beside its text, for programs; None: nothing.
PropertiesOf = Callable[[BaseException], Mapping[str, Any] | None]


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What went wrong, as data: exception type (qualified name), message, traceback and cause chain.

    `bases` are the qualified names of the type's own bases, nearest first, without those every exception has.
    `properties` are plain JSON values for programs.
    """

    type: str
    message: str
    traceback: str = ""
    cause: Failure | None = None
    retryable: bool = True
    properties: dict[str, Any] = {}
    bases: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for people: the short type name and the message."""
        return f"{self.type.rpartition('.')[2]}: {self.message}"

    def is_caused_by(self, kind: type[BaseException] | str) -> bool:
        """Whether this failure or one of its causes is of the type or of one derived from it.

        The type is given as a class, or as a name, qualified or not. Nothing is imported: names are compared.
        """
        wanted = qualified_name(kind) if isinstance(kind, type) else kind
        return wanted in _ROOTS or any(link.is_a(wanted) for link in self.chain())

    def is_a(self, name: str) -> bool:
        """Whether this failure itself is of the type, or of one derived from it, by its name, qualified or not."""
        return any(name in (known, known.rpartition(".")[2]) for known in (self.type, *self.bases))

    def chain(self) -> Iterator[Failure]:
        """This failure and its causes, outermost first."""
        link: Failure | None = self
        while link is not None:
            yield link
            link = link.cause


def qualified_name(kind: type) -> str:
    """`module.Class`, without the module for builtins."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def own_properties(error: BaseException) -> Mapping[str, Any] | None:
    """The mapping an exception has as its attribute `properties`, if it has one."""
    found = getattr(error, "properties", None)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else None


def failure_from(error: BaseException, properties_of: PropertiesOf = own_properties) -> Failure:
    """The exception and its causes as data. A TaskFailedError keeps the failure it carries as its cause."""
    return _convert(error, _MAX_CAUSES, properties_of)


def reason_of(error: BaseException) -> str:
    """One line for an operator: the qualified type and the message, bounded and without secrets."""
    return _plain(f"{qualified_name(type(error))}: {_message_of(error)}")


def stack_of(error: BaseException) -> str:
    """The traceback of an error and of its causes for an operator, bounded and without secrets (P11)."""
    return _plain("".join(traceback.format_exception(error)))


def _plain(text: str) -> str:
    return _bounded(_SECRET.sub(r"\1\2...", text))


def _convert(error: BaseException, depth: int, properties_of: PropertiesOf) -> Failure:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    is_envelope = isinstance(error, TaskFailedError)
    if isinstance(error, TaskFailedError):
        inner: Failure | None = error.failure
    elif cause is not None and depth > 0:
        inner = _convert(cause, depth - 1, properties_of)
    else:
        inner = None
    lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
    return Failure(
        type=qualified_name(type(error)),
        message=_bounded(_message_of(error)),
        traceback=_bounded("".join(lines)),
        cause=inner,
        retryable=bool(getattr(error, "retryable", True)),
        # Of an envelope the failure inside counts, whatever class this process made of it.
        properties={} if is_envelope else _properties(error, properties_of),
        bases=() if is_envelope else _bases(type(error)),
    )


def _bases(kind: type[BaseException]) -> tuple[str, ...]:
    names = [qualified_name(base) for base in kind.__mro__[1:] if issubclass(base, BaseException)]
    return tuple(name for name in names if name not in _ROOTS)[:_MAX_BASES]


def _properties(error: BaseException, properties_of: PropertiesOf) -> dict[str, Any]:
    """What the exception says of itself, as plain JSON values; what is no data is told as text in its place."""
    try:
        found = dict(properties_of(error) or {})
    except Exception as broken:  # noqa: BLE001 - the user's code may do anything, and the failure has to be recorded
        return {"properties": f"they cannot be had: {type(broken).__qualname__}"}
    kept: dict[str, Any] = {}
    room = _MAX_TEXT
    for key, value in found.items():
        plain, size = _plain_value(value)
        room -= size + len(str(key))
        if room < 0:
            kept["..."] = f"{len(found) - len(kept)} more are left out: properties are at most {_MAX_TEXT} bytes"
            break
        kept[str(key)] = plain
    return kept


def _plain_value(value: Any) -> tuple[Any, int]:
    try:
        text = msgspec.json.encode(value)
        return msgspec.json.decode(text), len(text)
    except (TypeError, ValueError, OverflowError, RecursionError):
        told = f"not data: {type(value).__qualname__}"
        return told, len(told)


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may do anything, and the failure has to be recorded
        return f"the text of the exception cannot be had: its __str__ raised {type(broken).__qualname__}"


def _bounded(text: str) -> str:
    # JSON carries no lone surrogates, which the names of files that are not UTF-8 have.
    text = text.encode(errors="backslashreplace").decode()
    # The end of a traceback tells more than its start; a failure has to fit into a row.
    return text if len(text) <= _MAX_TEXT else "..." + text[-_MAX_TEXT:]
