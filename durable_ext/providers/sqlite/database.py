"""The connections of one provider: one that writes, and for a file others that read beside it (WAL).

Reads of a few rows run on the event loop's own thread, as writes do (see writer.py); a scan of the whole hub runs in a
thread with a connection of its own. In memory there is one connection, and everything runs at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from durable_ext.errors import ConfigurationError, StorageError
from durable_ext.providers.sqlite.failures import is_locked, storage_error
from durable_ext.providers.sqlite.opened_file import OpenedFile
from durable_ext.providers.sqlite.writer import Writer

T = TypeVar("T")

_MEMORY = ":memory:"
# How long a read waits for another process that recovers or closes the file. Writes wait without blocking the loop.
_READ_PATIENCE = 5.0
# What a write-ahead log that was large once keeps of its size.
_LOG_BYTES = 64 * 1024 * 1024


class Synchronous(StrEnum):
    """What a commit survives: NORMAL the death of the process, FULL a power cut too."""

    NORMAL = "NORMAL"
    FULL = "FULL"


class Database:
    """One file, or memory. Use it in one event loop only."""

    def __init__(self, path: str | Path, synchronous: Synchronous) -> None:
        self.in_memory = str(path) == _MEMORY
        self._path = path
        self._file = None if self.in_memory else OpenedFile(path)
        self._synchronous = synchronous
        self._writer: Writer | None = None
        self._reader: sqlite3.Connection | None = None
        self._is_closed = False

    def create(self) -> None:
        """Create the folder of the file. Raises ConfigurationError."""
        if self.in_memory:
            return
        folder = Path(self._path).absolute().parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"the folder of the SQLite file cannot be created: {error}") from error

    def exists(self) -> bool:
        """Whether there is anything to delete."""
        return self._writer is not None if self.in_memory else Path(self._path).exists()

    async def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """The result of an operation once it is committed. Raises StorageError, and what the operation raises."""
        return await self._writing().write(operation)

    async def read(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """The result of an operation that reads a few rows. Raises StorageError."""
        await asyncio.sleep(0)  # as with any store, others get their turn
        return self._guarded(operation, self._reading())

    async def scan(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """The result of an operation that may read the whole hub. Raises StorageError."""
        if self.in_memory:
            return await self.read(operation)

        def apart() -> T:
            connection = self._connect(patience=_READ_PATIENCE)
            try:
                return self._guarded(operation, connection)
            finally:
                connection.close()

        return await asyncio.get_running_loop().run_in_executor(None, apart)

    async def close(self) -> None:
        """Write what waits and close, for good. Repeatable."""
        self._is_closed = True
        if self._writer is not None:
            await self._writer.close()
        for connection in {self._reader, None if self._writer is None else self._writer.connection} - {None}:
            if connection is not None:
                connection.close()
        self._writer = self._reader = None

    def _writing(self) -> Writer:
        if self._writer is None:
            waits = self._synchronous == Synchronous.FULL and not self.in_memory
            self._writer = Writer(self._connect(patience=0), self.where, self._check_file, waits_for_disk=waits)
        return self._writer

    def _reading(self) -> sqlite3.Connection:
        if self.in_memory:
            return self._writing().connection
        if self._reader is None:
            self._reader = self._connect(patience=_READ_PATIENCE)
        return self._reader

    def _guarded(self, operation: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
        try:
            found = operation(connection)
        except sqlite3.Error as error:
            self._check_file()
            raise storage_error(error, self.where) from error
        self._check_file()
        return found

    def _check_file(self) -> None:
        if self._file is not None:
            self._file.check()

    @property
    def where(self) -> str:
        """The store as errors name it."""
        return "the SQLite hub in memory" if self.in_memory else f"the SQLite file {self._path}"

    def _connect(self, *, patience: float) -> sqlite3.Connection:
        if self._is_closed:
            raise StorageError(f"{self.where} was closed")
        self._check_file()  # a connection would make a file where none is
        with ExitStack() as undo:
            try:
                connection = sqlite3.connect(
                    self._path, timeout=_READ_PATIENCE, isolation_level=None, check_same_thread=False
                )
                undo.callback(connection.close)
                _prepare_to_shrink(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
                connection.execute(f"PRAGMA synchronous = {Synchronous(self._synchronous).value}")
                connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
            except sqlite3.DatabaseError as error:
                if is_locked(error):
                    raise storage_error(error, self.where) from error
                raise ConfigurationError(f"{self.where} cannot be opened: {error}") from error
            if self._file is not None:
                self._file.opened()
            undo.pop_all()
        return connection


def _prepare_to_shrink(connection: sqlite3.Connection) -> None:
    """Before its first table a file learns that a purge gives room back to the disk; afterwards it cannot."""
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
