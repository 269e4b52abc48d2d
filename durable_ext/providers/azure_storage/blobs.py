"""Long contents: gzip JSON blobs under the folder of their instance (P1)."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.client import ListedBlob, StorageClient, StorageRefusedError
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.names import content_name, folder, size_in
from durable_ext.records.limits import MAX_BLOB_BYTES

# Above this, packing takes longer than handing it to a thread, which does not hold up the loop.
_IN_THREAD_BYTES = 256 * 1024
_LEVEL = 3
# What zlib calls the gzip format.
_GZIP = 31

Made = TypeVar("Made")


class Blobs:
    """The blobs of one hub."""

    def __init__(self, client: StorageClient, container: str) -> None:
        self._client = client
        self.container = container

    async def put_content(self, instance_id: str, data: bytes, owner: str = "") -> str:
        """Store a content under its instance, and under its owner there, and return its name.

        Doing it twice writes the same blob (P13).
        """
        name = folder(instance_id, owner) + await _threaded(content_name, data)
        await self.put(name, data)
        return name

    async def put(self, name: str, data: bytes) -> None:
        """Store a content under a name that is made of it, so that writing it twice is harmless (P13)."""
        await self._client.put_blob(self.container, name, await _threaded(_pack, data))

    async def get(self, name: str, size: int | None = None) -> bytes:
        """The content. Raises StorageError as `find`, and when the blob is gone."""
        data = await self.find(name, size)
        if data is None:
            raise StorageError(f"the blob {name!r} is gone; was its instance purged?")
        return data

    async def find(self, name: str, size: int | None = None) -> bytes | None:
        """The content, or None when the blob is gone. Raises StorageError when it is damaged, or not of the size that
        its name tells, or else `size`: no more than that is fetched and unpacked."""
        size = size_in(name) or size
        most = MAX_BLOB_BYTES if size is None else size
        packed = await self._client.get_blob(self.container, name, _packed_at_most(most))
        if packed is None:
            return None
        data = await _threaded(partial(_unpack, most=most), packed)
        if data is None:
            raise StorageError(f"the blob {name!r} is no gzip data, or holds more than {most} bytes")
        if size is not None and len(data) != size:
            raise StorageError(f"the blob {name!r} holds {len(data)} bytes instead of {size}")
        return data

    async def delete(self, name: str) -> None:
        """Delete one. Gone already is done (P13)."""
        await self._client.delete_blob(self.container, name)

    async def in_folder(self, instance_id: str) -> list[ListedBlob]:
        """All blobs of an instance, and none of a neighbour's: the prefix ends with the slash (P10)."""
        return await self._below(folder(instance_id))

    async def delete_all(self, names: Iterable[str]) -> None:
        """Delete these. Gone already is done (P13)."""
        await each(names, self.delete)

    async def delete_unchanged(self, blobs: Iterable[ListedBlob]) -> None:
        """Delete these unless somebody wrote them anew since they were listed. Gone already is done (P13)."""

        async def delete(blob: ListedBlob) -> None:
            try:
                await self._client.delete_blob(self.container, blob.name, blob.etag)
            except StorageRefusedError as refused:
                if refused.status != 412:
                    raise

        await each(blobs, delete)

    async def delete_below(self, prefix: str) -> None:
        """Delete all blobs whose names begin so. Gone already is done (P13)."""
        await self.delete_all([blob.name for blob in await self._below(prefix)])

    async def _below(self, prefix: str) -> list[ListedBlob]:
        blobs: list[ListedBlob] = []
        continuation: str | None = None
        while True:
            page = await self._client.list_blobs(self.container, prefix, continuation)
            blobs += page.blobs
            continuation = page.continuation
            if continuation is None:
                return blobs

    def url_of(self, name: str) -> str:
        """The address of a blob."""
        return self._client.url_of(self.container, name)


def _pack(data: bytes) -> bytes:
    # Without a time in it: equal contents are equal blobs.
    return gzip.compress(data, _LEVEL, mtime=0)


def _packed_at_most(size: int) -> int:
    """What a content takes that could not be made smaller, and then some."""
    return size + size // 100 + 1024


def _unpack(packed: bytes, most: int) -> bytes | None:
    """The content; None when there is more of it, or when it is damaged."""
    unpacking = zlib.decompressobj(wbits=_GZIP)
    try:
        data = unpacking.decompress(packed, most + 1)
    except zlib.error:
        return None
    return data if unpacking.eof and len(data) <= most else None


async def _threaded(call: Callable[[bytes], Made], data: bytes) -> Made:
    return call(data) if len(data) < _IN_THREAD_BYTES else await asyncio.to_thread(call, data)
