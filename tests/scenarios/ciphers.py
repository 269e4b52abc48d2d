"""A cipher for tests: what it encrypts cannot be read by chance, and a test can tell."""

from __future__ import annotations


class Mirrored:
    """Turns every bit round."""

    def encrypt(self, data: bytes) -> tuple[str, bytes]:
        return "mirror", bytes(byte ^ 0xFF for byte in data)

    def decrypt(self, key_id: str, data: bytes) -> bytes:
        if key_id != "mirror":
            raise LookupError(key_id)
        return bytes(byte ^ 0xFF for byte in data)
