"""Group commit: all writes that wait become one transaction, and each caller hears of its own when it is committed.

Statements run on the event loop's own thread. They take some ten microseconds each, less than handing them to another
thread and far less than the wait for the interpreter's lock after each. Only what really waits leaves the loop: with
`synchronous=FULL` the commit, which waits for the disk, runs in a thread, and what comes meanwhile is the next group.
Another process may hold the lock: then the group waits and tries again, without blocking the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from durable_ext.errors import DurableError, StorageError
from durable_ext.providers.sqlite.failures import is_locked, storage_error

T = TypeVar("T")

# One transaction holds the loop for some milliseconds at most.
_LARGEST_GROUP = 128
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
# How long another process may hold the lock before callers are told.
_PATIENCE = 20.0


class _Write(msgspec.Struct, eq=False):
    operation: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self, failure: BaseException | None = None) -> None:
        if self.future.done():
            return  # its caller was cancelled
        error = failure or self.error
        if error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(error)


class Writer:
    """The one connection of this process that writes.

    An operation may run more than once, each time on a database without its effects. It raises a DurableError only
    before it wrote anything; after any other error the group is rolled back and tried one by one, so that none spoils
    the others. `check_file` raises a StorageError when nobody could find again what was written.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        where: str,
        check_file: Callable[[], None] = lambda: None,
        *,
        waits_for_disk: bool,
    ) -> None:
        self.connection = connection
        self._where = where
        self._check_file = check_file
        self._committer = ThreadPoolExecutor(1, "sqlite-commit") if waits_for_disk else None
        self._waiting: deque[_Write] = deque()
        self._is_scheduled = False
        self._is_committing = False
        self._blocked_since: float | None = None
        self._pause = _FIRST_PAUSE

    async def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run the operation in a transaction and return its result once it is committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Write(operation, future))
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._write_group)
        return await future

    async def close(self) -> None:
        """Write what waits, then end."""
        while self._waiting or self._is_committing:
            await self.write(_nothing)
        if self._committer is not None:
            self._committer.shutdown()

    def _write_group(self) -> None:
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._put_off(error)
            return
        self._blocked_since = None
        self._pause = _FIRST_PAUSE
        group = self._next_group()
        try:
            for write in group:
                self._run(write)
        except Exception:  # noqa: BLE001 - one of the group failed half way; below each is tried alone and tells
            self._one_by_one(group)
            return
        self._commit(group)

    def _next_group(self) -> list[_Write]:
        waiting = self._waiting
        group = [waiting.popleft() for _ in range(min(len(waiting), _LARGEST_GROUP))]
        return [write for write in group if not write.future.done()]

    def _run(self, write: _Write) -> None:
        write.result = write.error = None
        try:
            write.result = write.operation(self.connection)
        except DurableError as error:
            write.error = error

    def _commit(self, group: list[_Write]) -> None:
        if self._committer is None:
            self._settle(group, _failure_of(self.connection.commit))
            self._go_on()
            return
        self._is_committing = True
        loop = asyncio.get_running_loop()
        commit = loop.run_in_executor(self._committer, _failure_of, self.connection.commit)

        def committed(done: asyncio.Future[sqlite3.Error | None]) -> None:
            self._is_committing = False
            self._settle(group, done.result())
            self._go_on()

        commit.add_done_callback(committed)

    def _settle(self, group: list[_Write], failure: sqlite3.Error | None) -> None:
        if failure is not None:
            _failure_of(self.connection.rollback)
        error = self._lost_file() or (None if failure is None else storage_error(failure, self._where))
        for write in group:
            write.settle(error)

    def _lost_file(self) -> StorageError | None:
        """Asked after a commit, so that nobody is told of one that went into a deleted file."""
        try:
            self._check_file()
        except StorageError as error:
            return error
        return None

    def _one_by_one(self, group: list[_Write]) -> None:
        _failure_of(self.connection.rollback)
        for write in group:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                self._run(write)
                self.connection.commit()
            except Exception as error:  # noqa: BLE001 - handed to the caller whose write it is
                _failure_of(self.connection.rollback)
                known = isinstance(error, sqlite3.Error | OverflowError | UnicodeError)
                write.settle(storage_error(error, self._where) if known else error)
            else:
                write.settle(self._lost_file())
        self._go_on()

    def _go_on(self) -> None:
        self._is_scheduled = bool(self._waiting)
        if self._is_scheduled:
            asyncio.get_running_loop().call_soon(self._write_group)

    def _put_off(self, error: sqlite3.Error) -> None:
        loop = asyncio.get_running_loop()
        if self._blocked_since is None:
            self._blocked_since = loop.time()
        if is_locked(error) and loop.time() - self._blocked_since < _PATIENCE:
            loop.call_later(self._pause, self._write_group)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            return
        self._blocked_since = None
        failure = self._lost_file() or storage_error(error, self._where)
        group = list(self._waiting)
        self._waiting.clear()
        for write in group:
            write.settle(failure)
        self._go_on()


def _failure_of(end: Callable[[], None]) -> sqlite3.Error | None:
    """End the transaction; the error if it cannot be."""
    try:
        end()
    except sqlite3.Error as error:
        return error
    return None


def _nothing(_db: sqlite3.Connection) -> None:
    pass
