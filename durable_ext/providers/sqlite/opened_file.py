"""The file that a provider has opened, told from another one that stands under its name later.

SQLite goes on with a file that somebody deleted: it writes into what nobody will find again. So the provider looks
before each of its answers whether the name still leads to the file that is open, which takes a microsecond.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from durable_ext.errors import StorageUnavailableError

logger = logging.getLogger("durable_ext.sqlite")


class OpenedFile:
    """The first file that was opened under a path: by device and inode, which a file keeps when it is moved."""

    def __init__(self, path: str | Path) -> None:
        self._path = os.path.abspath(path)
        self._identity: tuple[int, int] | None = None
        self._is_missed = False

    def opened(self) -> None:
        """A connection is open: the first one decides which file is meant. Raises as `check`."""
        if self._identity is None:
            self._identity = self._found()
        self.check()

    def check(self) -> None:
        """Raises StorageUnavailableError while another file, or none, has the name of the one that is open."""
        if self._identity is None or self._found() == self._identity:
            self._is_missed = False
            return
        message = (
            f"the SQLite file {self._path} was deleted or replaced while it was open, and nothing is accepted"
            " until it is back; put it back, or stop every process that uses it and start again"
        )
        if not self._is_missed:
            self._is_missed = True
            logger.error("%s", message)
        raise StorageUnavailableError(message)

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino
