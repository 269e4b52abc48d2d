"""Blobs: bytes by name, listed in the order of their names."""

from __future__ import annotations

from durable_ext.providers.azure_storage.client import BlobPage, refusal

_MAX_PAGE = 5000


class Blobs:
    """The blob service of one account. A page has `page_names` names at most."""

    def __init__(self, page_names: int) -> None:
        self._page_names = min(page_names, _MAX_PAGE)
        self._containers: dict[str, dict[str, bytes]] = {}

    def create(self, container: str) -> None:
        """One that is there stays as it is."""
        self._containers.setdefault(container, {})

    def delete(self, container: str) -> None:
        """With all its blobs."""
        self._containers.pop(container, None)

    def put(self, container: str, name: str, data: bytes) -> None:
        """Whatever is there."""
        self._blobs("put blob", container)[name] = data

    def get(self, container: str, name: str) -> bytes | None:
        """None when the blob or its container is gone."""
        return self._containers.get(container, {}).get(name)

    def list(self, container: str, prefix: str, continuation: str | None) -> BlobPage:
        """A continuation names the blob that comes next."""
        blobs = self._blobs("list blobs", container)
        names = sorted(name for name in blobs if name.startswith(prefix) and name >= (continuation or ""))
        page, rest = names[: self._page_names], names[self._page_names :]
        return BlobPage(page, rest[0] if rest else None)

    def remove(self, container: str, name: str) -> None:
        """One that is gone is no error."""
        self._containers.get(container, {}).pop(name, None)

    def _blobs(self, call: str, container: str) -> dict[str, bytes]:
        blobs = self._containers.get(container)
        if blobs is None:
            raise refusal(call, 404, "ContainerNotFound")
        return blobs
