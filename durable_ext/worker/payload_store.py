"""Payloads on their way in and out of storage: encrypted if the app wants it; long ones put before anything names them
(P1), and loaded when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_ext.authoring.encryption import Seal
from durable_ext.records.payloads import Payload, inline, stored

if TYPE_CHECKING:
    from durable_ext.authoring.payload import Converter
    from durable_ext.providers.contract import Provider

# Long payloads this process wrote or read lately, so that a session does not fetch what it just put.
_KEPT_BYTES = 16 * 1024 * 1024


class PayloadStore:
    """Moves payloads between the form code has them in and the stored one. The converter says whether to encrypt."""

    def __init__(self, provider: Provider, converter: Converter | None = None) -> None:
        self._provider = provider
        self.seal = Seal(converter)
        self._kept: dict[str, bytes] = {}
        self._kept_bytes = 0

    async def put(self, instance_id: str, payload: Payload, owner: str = "") -> Payload:
        """The payload as rows and messages may carry it: itself when short, else its stored reference (P1).

        `owner` as the provider's put_payload has it.
        """
        if payload.blob is None and self.seal.encrypts and not self.seal.is_closed(payload.data):
            payload = inline(self.seal.close(payload.data))
        if self.stays(payload):
            return payload
        reference = await self._provider.put_payload(instance_id, payload.data, owner=owner)
        self._keep(reference, payload.data)
        return reference

    def stays(self, payload: Payload) -> bool:
        """Whether `put` has nothing to do."""
        if payload.blob is not None:
            return True
        closed = not self.seal.encrypts or self.seal.is_closed(payload.data)
        return closed and payload.size <= self._provider.inline_limit

    async def get(self, payload: Payload) -> Payload:
        """The payload inline and open. Raises StorageError when its blob is gone, PayloadError without its key."""
        if self.is_open(payload):
            return payload
        stored = await self._inline(payload)
        return inline(self.seal.open(stored.data)) if self.seal.is_closed(stored.data) else stored

    def is_open(self, payload: Payload) -> bool:
        """Whether `get` has nothing to do."""
        return payload.blob is None and not self.seal.encrypts

    def is_away(self, payload: Payload) -> bool:
        """Whether code could not read the payload as it is."""
        return payload.blob is not None or (self.seal.encrypts and self.seal.is_closed(payload.data))

    async def _inline(self, payload: Payload) -> Payload:
        if payload.blob is None:
            return payload
        data = self._kept.get(payload.blob)
        if data is None:
            data = await self._provider.get_payload(payload)
            self._keep(stored(payload.blob, len(data)), data)
        return inline(data)

    async def move(self, instance_id: str, payload: Payload, owner: str = "") -> Payload:
        """The payload under another instance's name: what one instance sends must outlive its own purge (P10)."""
        if payload.blob is None:
            return payload
        return await self.put(instance_id, await self._inline(payload), owner)

    def _keep(self, reference: Payload, data: bytes) -> None:
        name = reference.blob
        if name is None or name in self._kept or len(data) > _KEPT_BYTES // 4:
            return
        self._kept[name] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > _KEPT_BYTES:
            oldest = next(iter(self._kept))
            self._kept_bytes -= len(self._kept.pop(oldest))
