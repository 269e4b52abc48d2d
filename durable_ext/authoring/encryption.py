"""Payloads that are stored encrypted, with keys and an algorithm of the app's own.

An app's code, and whoever asks a client that has the cipher, sees plain values. Storage has JSON text with the key's
id in it: {"$encrypted": {"key": "k1", "data": "..."}}.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from durable_ext.authoring.payload import Converter, JsonConverter, place_of
from durable_ext.errors import PayloadError
from durable_ext.records.failures import Failure

_MARK = "$encrypted"
_PREFIX = b'{"$encrypted":'
_HIDDEN = "(encrypted)"


class PayloadCipher(Protocol):
    """How an app encrypts. Called on the event loop with whole values: no I/O, keys at hand."""

    def encrypt(self, data: bytes) -> tuple[str, bytes]:
        """The id of the key that is used now, and the encrypted data."""
        ...

    def decrypt(self, key_id: str, data: bytes) -> bytes:
        """The data that was encrypted with this key. Raises anything for a wrong key or data that was changed."""
        ...


class EncryptedConverter:
    """A converter whose values are stored encrypted: `DurableApp(converter=EncryptedConverter(cipher))`.

    `inner` turns values into JSON, by default the JsonConverter. `failures` says whether messages, tracebacks and
    properties of failures are encrypted, too; their types never are.
    """

    def __init__(self, cipher: PayloadCipher, inner: Converter | None = None, *, failures: bool = True) -> None:
        self.cipher = cipher
        self.inner: Converter = inner or JsonConverter()
        self.failures = failures

    @property
    def import_name(self) -> str:
        """Child processes get plain values over a pipe, and need the inner converter only."""
        return place_of(self.inner) or "durable_ext.authoring.payload:DEFAULT"

    def encode(self, value: Any) -> bytes:
        """JSON text of a value, not encrypted yet: that is done on the way to storage. Raises PayloadError."""
        return self.inner.encode(value)

    def decode(self, data: bytes, kind: Any) -> Any:
        """The value of JSON text. Raises PayloadError."""
        return self.inner.decode(data, kind)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    data: bytes


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    envelope: _Envelope = msgspec.field(name=_MARK)


_sealed = msgspec.json.Decoder(_Sealed)
_failure = msgspec.json.Decoder(Failure)


class Seal:
    """What a converter says about encryption, on the way to and from storage. Without a cipher nothing changes.

    `encrypts`: whether there is a cipher.
    """

    def __init__(self, converter: Converter | None) -> None:
        encrypted = converter if isinstance(converter, EncryptedConverter) else None
        self._cipher = None if encrypted is None else encrypted.cipher
        self._failures = encrypted is not None and encrypted.failures
        self.encrypts = encrypted is not None

    def is_closed(self, data: bytes) -> bool:
        """Whether JSON text is encrypted and can be opened here."""
        return self._cipher is not None and data.startswith(_PREFIX)

    def close(self, data: bytes) -> bytes:
        """JSON text as it is stored."""
        if self._cipher is None:
            return data
        key, closed = self._cipher.encrypt(data)
        return msgspec.json.encode(_Sealed(_Envelope(key, closed)))

    def open(self, data: bytes) -> bytes:
        """JSON text as code gets it. Raises PayloadError when it cannot be opened."""
        if self._cipher is None or not data.startswith(_PREFIX):
            return data
        try:
            found = _sealed.decode(data).envelope
        except msgspec.DecodeError:
            return data  # a value of the user's that only begins alike
        try:
            return self._cipher.decrypt(found.key, found.data)
        except Exception as error:
            raise PayloadError(
                f"a payload encrypted with key {found.key!r} cannot be decrypted: {type(error).__name__}; "
                "keep old keys as long as instances have payloads of theirs"
            ) from error

    def close_failure(self, failure: Failure) -> Failure:
        """A failure as it is stored: with `failures` only its types are there to be read."""
        if not self._failures or _MARK in failure.properties:
            return failure
        closed = msgspec.json.decode(self.close(msgspec.json.encode(failure)))
        return Failure(
            type=failure.type, message=_HIDDEN, retryable=failure.retryable, properties=closed, bases=failure.bases
        )

    def open_failure(self, failure: Failure) -> Failure:
        """A failure as code gets it. Raises PayloadError when it cannot be opened."""
        if self._cipher is None or _MARK not in failure.properties:
            return failure
        return _failure.decode(self.open(msgspec.json.encode(failure.properties)))
