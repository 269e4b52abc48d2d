"""One Azurite for one folder of data, however many processes want it.

The process that starts it writes down where it is; others find it there and leave it running. One whose starter died
is about to end by itself: it is waited for, because two over the same files would spoil them.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from durable_ext.errors import ConfigurationError, StorageUnavailableError
from durable_ext.host.azurite import Azurite

_NOTE = "running.json"
_LAST_WORDS = 20.0
_LOOK = 0.2


class Running(msgspec.Struct, frozen=True):
    """An Azurite that was started: by which process, and how to reach it."""

    starter: int
    connection: str
    endpoint: str

    @property
    def answers(self) -> bool:
        """Whether something listens there."""
        url = urlsplit(self.endpoint)
        try:
            socket.create_connection((url.hostname or "", url.port or 0), timeout=2).close()
        except OSError:
            return False
        return True

    @property
    def starter_lives(self) -> bool:
        """Whether the process that started it is there."""
        try:
            os.kill(self.starter, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@asynccontextmanager
async def emulator(folder: Path) -> AsyncGenerator[str]:
    """The connection string of an Azurite over the folder, started and stopped here if need be.

    Raises ConfigurationError when it cannot be started, StorageUnavailableError when it does not come up.
    """
    running = await _found(folder)
    if running is not None:
        yield running.connection
        return
    azurite = Azurite(folder / "data")
    await asyncio.to_thread(azurite.start)
    try:
        note = Running(os.getpid(), azurite.connection_string, _an_endpoint(azurite.connection_string))
        _write(folder / _NOTE, note)
        yield note.connection
    finally:
        (folder / _NOTE).unlink(missing_ok=True)
        await asyncio.to_thread(azurite.stop)


async def _found(folder: Path) -> Running | None:
    running = _read(folder / _NOTE)
    if running is None or not running.answers:
        return None
    if running.starter_lives:
        return running
    try:
        async with asyncio.timeout(_LAST_WORDS):
            while running.answers:  # noqa: ASYNC110 - another process; there is nothing to wait on
                await asyncio.sleep(_LOOK)
    except TimeoutError as error:
        raise StorageUnavailableError(
            f"an Azurite that nobody owns any more still runs over {folder}; stop that process"
        ) from error
    return None


def _read(file: Path) -> Running | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Running)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{file} cannot be read ({error}); delete it when no Azurite runs") from error


def _write(file: Path, running: Running) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(running))


def _an_endpoint(connection: str) -> str:
    parts = dict(part.split("=", 1) for part in connection.split(";") if part)
    return parts["QueueEndpoint"]
