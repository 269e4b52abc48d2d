"""SQLite's errors as ours: what another try may cure is StorageUnavailableError, the rest StorageError."""

from __future__ import annotations

import sqlite3

from durable_ext.errors import StorageError, StorageUnavailableError

# Primary result codes: the low byte of an extended one.
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PASSING = _LOCKED | {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
}


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock just now."""
    return _code(error) in _LOCKED


def storage_error(error: sqlite3.Error | OverflowError | UnicodeError, where: str) -> StorageError:
    """The error to raise instead; `where` names the file."""
    if isinstance(error, sqlite3.Error) and _code(error) in _PASSING:
        return StorageUnavailableError(f"{where}: {error}; it is tried again")
    return StorageError(f"{where}: {error}")


def _code(error: sqlite3.Error) -> int:
    # An error that the sqlite3 module itself raised, such as the use of a closed connection, has no code.
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else 0
