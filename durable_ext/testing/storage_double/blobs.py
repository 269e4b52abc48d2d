"""Blobs: bytes by name, listed in the order of their names."""

from __future__ import annotations

from itertools import count

from durable_ext.providers.azure_storage.client import BlobPage, ListedBlob, refusal
from durable_ext.providers.contract import Clock

_MAX_PAGE = 5000


class Blobs:
    """The blob service of one account. A page has `page_names` names at most."""

    def __init__(self, clock: Clock, page_names: int) -> None:
        self._clock = clock
        self._page_names = min(page_names, _MAX_PAGE)
        self._containers: dict[str, dict[str, tuple[ListedBlob, bytes]]] = {}
        self._numbers = count(1)

    def create(self, container: str) -> None:
        """One that is there stays as it is."""
        self._containers.setdefault(container, {})

    def delete(self, container: str) -> None:
        """With all its blobs."""
        self._containers.pop(container, None)

    def put(self, container: str, name: str, data: bytes) -> None:
        """Whatever is there."""
        # Times that people see have no fractions.
        written = self._clock().replace(microsecond=0)
        blobs = self._blobs("put blob", container)
        blobs[name] = ListedBlob(name, f'"{next(self._numbers)}"', written), data

    def get(self, container: str, name: str) -> bytes | None:
        """None when the blob or its container is gone."""
        found = self._containers.get(container, {}).get(name)
        return None if found is None else found[1]

    def list(self, container: str, prefix: str, continuation: str | None) -> BlobPage:
        """A continuation names the blob that comes next."""
        blobs = self._blobs("list blobs", container)
        names = sorted(name for name in blobs if name.startswith(prefix) and name >= (continuation or ""))
        page, rest = names[: self._page_names], names[self._page_names :]
        return BlobPage([blobs[name][0] for name in page], rest[0] if rest else None)

    def remove(self, container: str, name: str, etag: str) -> None:
        """412 when it is another, or gone and an etag was named; else one that is gone is no error."""
        blobs = self._containers.get(container, {})
        if etag != "*" and (name not in blobs or blobs[name][0].etag != etag):
            raise refusal("delete blob", 412, "ConditionNotMet")
        blobs.pop(name, None)

    def _blobs(self, call: str, container: str) -> dict[str, tuple[ListedBlob, bytes]]:
        blobs = self._containers.get(container)
        if blobs is None:
            raise refusal(call, 404, "ContainerNotFound")
        return blobs
