"""A user's value on its way through storage: JSON text in place, or the name of the blob that holds it (P1)."""

from __future__ import annotations

import msgspec


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Exactly one of `json` (the value itself) and `blob` (where it is) counts; `size` is the length in bytes."""

    json: msgspec.Raw = msgspec.Raw(b"null")
    blob: str | None = None
    size: int = 0

    @property
    def inline(self) -> bool:
        """Whether the value itself is here."""
        return self.blob is None

    @property
    def data(self) -> bytes:
        """The JSON text. Only for an inline payload."""
        if self.blob is not None:
            raise LookupError(f"the payload is in blob {self.blob!r} and was not loaded")
        return bytes(self.json)


def inline(data: bytes) -> Payload:
    """A payload that carries its JSON text itself."""
    return Payload(json=msgspec.Raw(data), size=len(data))


def stored(blob: str, size: int) -> Payload:
    """A payload that names the blob which holds its JSON text."""
    return Payload(blob=blob, size=size)
