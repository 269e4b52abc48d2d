"""Failures cross the durable boundary as data, never as pickled exceptions (R4)."""

from __future__ import annotations

import re
import traceback
from typing import Any

import msgspec

from durable_ext.errors import TaskFailedError

_MAX_TEXT = 8 * 1024
_MAX_CAUSES = 10
# What gives access to storage or to a service, as connection strings, addresses and headers spell it.
_SECRET = re.compile(
    r"(?i)\b(account_?key|shared_?access_?key|sig|password|pwd|client_?secret|bearer)(\s*[=: ]\s*)[^\s;&,'\"]+"
)


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What went wrong, as data: exception type (qualified name), message, traceback and cause chain."""

    type: str
    message: str
    traceback: str = ""
    cause: Failure | None = None
    retryable: bool = True
    properties: dict[str, Any] = {}

    @property
    def summary(self) -> str:
        """One line for people: the short type name and the message."""
        return f"{self.type.rpartition('.')[2]}: {self.message}"

    def is_caused_by(self, kind: type[BaseException] | str) -> bool:
        """Whether this failure or one of its causes has the type, given as a class or as a (qualified) name."""
        wanted = qualified_name(kind) if isinstance(kind, type) else kind
        link: Failure | None = self
        while link is not None:
            if wanted in (link.type, link.type.rpartition(".")[2]):
                return True
            link = link.cause
        return False


def qualified_name(kind: type) -> str:
    """`module.Class`, without the module for builtins."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def failure_from(error: BaseException) -> Failure:
    """The exception and its causes as data. A TaskFailedError keeps the failure it carries as its cause."""
    return _convert(error, _MAX_CAUSES)


def reason_of(error: BaseException) -> str:
    """One line for an operator: the qualified type and the message, bounded and without secrets."""
    return _plain(f"{qualified_name(type(error))}: {_message_of(error)}")


def stack_of(error: BaseException) -> str:
    """The traceback of an error and of its causes for an operator, bounded and without secrets (P11)."""
    return _plain("".join(traceback.format_exception(error)))


def _plain(text: str) -> str:
    return _bounded(_SECRET.sub(r"\1\2...", text))


def _convert(error: BaseException, depth: int) -> Failure:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(error, TaskFailedError):
        inner: Failure | None = error.failure
    elif cause is not None and depth > 0:
        inner = _convert(cause, depth - 1)
    else:
        inner = None
    lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
    return Failure(
        type=qualified_name(type(error)),
        message=_bounded(_message_of(error)),
        traceback=_bounded("".join(lines)),
        cause=inner,
        retryable=bool(getattr(error, "retryable", True)),
    )


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
