"""The state of an entity while an operation runs: JSON text outside, a value of the author's type inside."""

from __future__ import annotations

from typing import Any

from durable_ext.authoring.payload import Converter, encode
from durable_ext.records.payloads import Payload

_UNREAD = object()
# Nothing can be changed inside of these.
_SCALARS = (int, float, str, bytes, bool, type(None))


class EntityState:
    """Decoded when somebody asks, encoded when the operation has ended."""

    def __init__(self, payload: Payload | None, converter: Converter) -> None:
        self._payload = payload
        self._converter = converter
        self._value: Any = _UNREAD
        self._kind: Any = Any
        self._is_set = False

    @property
    def exists(self) -> bool:
        return self._value is not None if self._is_set else self._payload is not None

    def get(self, kind: Any) -> Any:
        """The value; the same object every time while the type is the same. Raises PayloadError on a misfit."""
        if self._value is _UNREAD or (kind is not self._kind and not self._is_set):
            data = b"null" if self._payload is None else self._payload.data
            self._value, self._kind = self._converter.decode(data, kind), kind
        return self._value

    def set(self, value: Any) -> None:
        """Replace the value; None: there is no state."""
        self._value, self._is_set = value, True

    def encoded(self) -> Payload | None:
        """The state as JSON: the very payload it was made from when nothing has changed. Raises PayloadError."""
        if self._is_set:
            changed = None if self._value is None else encode(self._converter, self._value)
        elif self._value is _UNREAD or isinstance(self._value, _SCALARS):
            return self._payload
        else:
            changed = encode(self._converter, self._value)
        same = changed is not None and self._payload is not None and changed.data == self._payload.data
        return self._payload if same else changed
