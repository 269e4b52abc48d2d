"""Exit codes of the `durable` command: each one means one thing, so that scripts can tell (docs/cli.md)."""

from __future__ import annotations

from enum import IntEnum

from durable_ext.errors import (
    DurableError,
    HubNotFoundError,
    InstanceExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidInputError,
    StorageUnavailableError,
)


class ExitCode(IntEnum):
    """What a command ended with."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    WRONG_STATE = 4
    NO_STORAGE = 5
    INSTANCE_FAILED = 6
    TIMED_OUT = 7
    STALLED = 8
    INTERRUPTED = 130


_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (InvalidInputError, ExitCode.USAGE),
    (InstanceNotFoundError, ExitCode.NOT_FOUND),
    (HubNotFoundError, ExitCode.NOT_FOUND),
    (InstanceExistsError, ExitCode.WRONG_STATE),
    (InstanceStateError, ExitCode.WRONG_STATE),
    (StorageUnavailableError, ExitCode.NO_STORAGE),
    (TimeoutError, ExitCode.TIMED_OUT),
)


def exit_code(error: DurableError | TimeoutError) -> ExitCode:
    """The code of an error; FAILURE for one that has none of its own."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILURE)
