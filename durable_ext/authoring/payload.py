"""Users' values to JSON text and back (R4). Never pickle, never a class named by the data.

JSON goes through msgspec: dataclasses, Structs, TypedDicts, named tuples, enums, datetime, Decimal, UUID and bytes are
decoded by annotation; pydantic models too where pydantic is installed. Without an annotation the plain value comes.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from durable_ext.errors import PayloadError
from durable_ext.records.payloads import Payload, inline

NULL = b"null"


class Converter(Protocol):
    """How an app turns values into JSON text and back. One per app; replaceable."""

    def encode(self, value: Any) -> bytes:
        """JSON text of a value. Raises PayloadError for what JSON cannot carry."""
        ...

    def decode(self, data: bytes, kind: Any) -> Any:
        """The value of JSON text as `kind` (Any: plain JSON). Raises PayloadError when it does not fit."""
        ...


class JsonConverter:
    """The default converter."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=_encode_foreign)
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    def encode(self, value: Any) -> bytes:
        """JSON text of a value. Raises PayloadError for what JSON cannot carry."""
        try:
            return self._encoder.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PayloadError(
                f"a value of type {type(value).__qualname__} cannot be carried as JSON ({error}); "
                "return plain data, a dataclass, a TypedDict or a msgspec Struct"
            ) from error

    def decode(self, data: bytes, kind: Any) -> Any:
        """The value of JSON text as `kind` (Any: plain JSON). Raises PayloadError when it does not fit."""
        try:
            return self._decoder(kind).decode(data)
        except msgspec.DecodeError as error:
            raise PayloadError(f"the payload does not fit {_type_name(kind)}: {error}") from error

    def _decoder(self, kind: Any) -> msgspec.json.Decoder[Any]:
        try:
            return self._decoders[kind]
        except KeyError:
            decoder = self._decoders[kind] = _make_decoder(kind)
            return decoder
        except TypeError:  # an unhashable annotation
            return _make_decoder(kind)


def _make_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    try:
        return msgspec.json.Decoder(kind, dec_hook=_decode_foreign)
    except TypeError as error:
        raise PayloadError(f"{_type_name(kind)} cannot be decoded from JSON: {error}") from error


def _encode_foreign(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)  # pydantic
    if callable(dump):
        return dump(mode="json")
    raise TypeError(f"{type(value).__qualname__} is not data")


def _decode_foreign(kind: Any, value: Any) -> Any:
    validate = getattr(kind, "model_validate", None)  # pydantic
    if callable(validate):
        return validate(value)
    raise TypeError(f"{_type_name(kind)} is not a type that JSON can be decoded to")


def _type_name(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)


def encode(converter: Converter, value: Any) -> Payload:
    """The value as an inline payload; a msgspec.Raw is JSON text already. Raises PayloadError."""
    return inline(bytes(value) if isinstance(value, msgspec.Raw) else converter.encode(value))


def decode(converter: Converter, payload: Payload | None, kind: Any) -> Any:
    """The value of an inline payload; None for no payload. Raises PayloadError."""
    return None if payload is None else converter.decode(payload.data, kind)
