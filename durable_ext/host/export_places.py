"""Where an export goes: a folder, or a blob container. Each writes a file whole or not at all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

from durable_ext.errors import InvalidInputError
from durable_ext.providers.azure_storage.client import StorageClient


class ExportPlace(Protocol):
    """A place that keeps files by name. Writing a file again replaces it."""

    async def read(self, name: str) -> bytes | None:
        """The file, or None when there is none. Raises StorageError or InvalidInputError."""
        ...

    async def write(self, name: str, data: bytes) -> None:
        """Write the whole file. Raises StorageError or InvalidInputError."""
        ...


class FolderPlace:
    """A folder, made when it is not there."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def __str__(self) -> str:
        return str(self._folder)

    async def read(self, name: str) -> bytes | None:
        try:
            return await asyncio.to_thread((self._folder / name).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidInputError(f"{self._folder / name} cannot be read: {error.strerror}") from error

    async def write(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, name, data)

    def _write(self, name: str, data: bytes) -> None:
        part = self._folder / (name + ".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._folder / name)
        except OSError as error:
            raise InvalidInputError(f"{self._folder / name} cannot be written: {error.strerror}") from error


class ContainerPlace:
    """A blob container, made when it is not there. `prefix` comes before each name, `exports/2030/` for example."""

    def __init__(self, client: StorageClient, container: str, prefix: str = "") -> None:
        self._client = client
        self._container = container
        self._prefix = prefix
        self._is_there = False

    def __str__(self) -> str:
        return f"{self._container}/{self._prefix}".rstrip("/")

    async def read(self, name: str) -> bytes | None:
        await self._create()
        return await self._client.get_blob(self._container, self._prefix + name)

    async def write(self, name: str, data: bytes) -> None:
        await self._create()
        # Whole and under its own name: doing it twice writes the same (P13).
        await self._client.put_blob(self._container, self._prefix + name, data)

    async def _create(self) -> None:
        if not self._is_there:
            await self._client.create_container(self._container)
            self._is_there = True
