"""Long payloads on their way in and out of storage: put before anything names them (P1), loaded when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_ext.records.payloads import Payload, inline, stored

if TYPE_CHECKING:
    from durable_ext.providers.contract import Provider

# Long payloads this process wrote or read lately, so that a session does not fetch what it just put.
_KEPT_BYTES = 16 * 1024 * 1024


class PayloadStore:
    """Moves payloads between their inline and their stored form."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._kept: dict[str, bytes] = {}
        self._kept_bytes = 0

    async def put(self, instance_id: str, payload: Payload) -> Payload:
        """The payload as rows and messages may carry it: itself when short, else its stored reference (P1)."""
        if payload.blob is not None or payload.size <= self._provider.inline_limit:
            return payload
        reference = await self._provider.put_payload(instance_id, payload.data)
        self._keep(reference, payload.data)
        return reference

    async def get(self, payload: Payload) -> Payload:
        """The payload inline. Raises StorageError when its blob is gone."""
        if payload.blob is None:
            return payload
        data = self._kept.get(payload.blob)
        if data is None:
            data = await self._provider.get_payload(payload)
            self._keep(stored(payload.blob, len(data)), data)
        return inline(data)

    async def move(self, instance_id: str, payload: Payload) -> Payload:
        """The payload under another instance's name: what one instance sends must outlive its own purge (P10)."""
        if payload.blob is None:
            return payload
        return await self.put(instance_id, await self.get(payload))

    def _keep(self, reference: Payload, data: bytes) -> None:
        name = reference.blob
        if name is None or name in self._kept or len(data) > _KEPT_BYTES // 4:
            return
        self._kept[name] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > _KEPT_BYTES:
            oldest = next(iter(self._kept))
            self._kept_bytes -= len(self._kept.pop(oldest))
