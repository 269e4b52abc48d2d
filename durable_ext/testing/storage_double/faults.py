"""A storage client that can fail at any call: before its effect, or after it with the answer lost (T3, P13)."""

from __future__ import annotations

import abc

from durable_ext.providers.azure_storage.client import StorageClient
from durable_ext.testing.injection import FaultGate, Plan, forwarding, no_faults

_NOT_CALLS = frozenset({"close", "url_of"})


class FaultyStorageClient(FaultGate, StorageClient):
    """Hands every call to `inner` unless the plan has a fault for it."""

    def __init__(self, inner: StorageClient, plan: Plan = no_faults, *, repeats: bool = False) -> None:
        super().__init__(plan, repeats=repeats)
        self.inner = inner

    async def close(self) -> None:
        """Close the inner client."""
        await self.inner.close()

    def url_of(self, container: str, name: str) -> str:
        return self.inner.url_of(container, name)


for _name in StorageClient.__abstractmethods__ - _NOT_CALLS:
    setattr(FaultyStorageClient, _name, forwarding(_name))
abc.update_abstractmethods(FaultyStorageClient)
