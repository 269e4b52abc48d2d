"""Users' values to JSON text and back (R4). Never pickle, never a class named by the data.

JSON goes through msgspec: dataclasses, Structs, attrs classes, TypedDicts, named tuples, enums, datetime, Decimal, UUID
and bytes are decoded by annotation; pydantic models too where pydantic is installed, and classes with `to_json` and
`from_json`. Without an annotation the plain value comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol, cast

import msgspec

from durable_ext.errors import ConfigurationError, PayloadError
from durable_ext.records.payloads import Payload, inline

NULL = b"null"
# Subclasses of what JSON has go as that.
_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    list: list,
}
# The keys by which azure-functions-durable says what an object is.
_MARK = {"__class__", "__module__", "__data__"}


class Converter(Protocol):
    """How an app turns values into JSON text and back. One per app; replaceable."""

    def encode(self, value: Any) -> bytes:
        """JSON text of a value. Raises PayloadError for what JSON cannot carry."""
        ...

    def decode(self, data: bytes, kind: Any) -> Any:
        """The value of JSON text as `kind` (Any: plain JSON). Raises PayloadError when it does not fit."""
        ...


def place_of(converter: Converter) -> str:
    """Where a child process finds the converter, as `module:name`; empty for the default one.

    Another converter says so itself, with an attribute `import_name`. Raises ConfigurationError when it does not.
    """
    place = getattr(converter, "import_name", "")
    if not place and (type(converter) is not JsonConverter or converter.is_marking):
        raise ConfigurationError(
            "an activity runs in a process, which has to find the converter of the app: keep the converter in a module "
            'of its own and give it an attribute import_name = "module:variable"'
        )
    return place


class JsonConverter:
    """The default converter.

    `marked` are classes with `to_json` and `from_json` whose objects say in JSON what they are, as
    azure-functions-durable has it, so that they come back without an annotation. Others come back by annotation only,
    and no class is looked up anywhere else.
    """

    def __init__(self, marked: Collection[type] = ()) -> None:
        self._marked = {(kind.__module__, kind.__name__): kind for kind in marked}
        for kind in marked:
            if not (callable(getattr(kind, "to_json", None)) and callable(getattr(kind, "from_json", None))):
                raise ConfigurationError(
                    f"{kind.__qualname__} has no to_json and from_json; add them, or do not mark it"
                )
        self._encoder = msgspec.json.Encoder(enc_hook=self._encode_foreign)
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    @property
    def is_marking(self) -> bool:
        """Whether it marks objects of some classes."""
        return bool(self._marked)

    def encode(self, value: Any) -> bytes:
        """JSON text of a value. Raises PayloadError for what JSON cannot carry."""
        try:
            return self._encoder.encode(value)
        except _ForgottenError as error:
            raise PayloadError(str(error)) from error
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PayloadError(
                f"a value of type {type(value).__qualname__} cannot be carried as JSON ({error}); "
                "return plain data, a dataclass, a TypedDict or a msgspec Struct"
            ) from error

    def decode(self, data: bytes, kind: Any) -> Any:
        """The value of JSON text as `kind` (Any: plain JSON). Raises PayloadError when it does not fit."""
        try:
            value = self._decoder(kind).decode(data)
            return self._unmarked(value) if kind is Any and self._marked else value
        except (msgspec.DecodeError, _RefusedError) as error:
            raise PayloadError(f"the payload does not fit {_type_name(kind)}: {error}") from error

    def _decoder(self, kind: Any) -> msgspec.json.Decoder[Any]:
        try:
            return self._decoders[kind]
        except KeyError:
            decoder = self._decoders[kind] = _make_decoder(kind)
            return decoder
        except TypeError:  # an unhashable annotation
            return _make_decoder(kind)

    def _encode_foreign(self, value: Any) -> Any:
        kind = cast("type[Any]", type(value))
        if callable(getattr(kind, "model_dump", None)):  # pydantic
            return value.model_dump(mode="json", by_alias=True)
        if callable(getattr(kind, "to_json", None)):
            data = kind.to_json(value)  # by the class: with azure-functions-durable it may be static
            marked = self._marked.get((kind.__module__, kind.__name__)) is kind
            return {"__class__": kind.__name__, "__module__": kind.__module__, "__data__": data} if marked else data
        if value is None or isinstance(value, bool):  # a key of an object; as values they never come here
            return msgspec.json.encode(value).decode()
        for plain in _PLAIN:
            if isinstance(value, plain):
                return _PLAIN[plain](value)
        if isinstance(value, Awaitable):
            raise _ForgottenError(kind)
        raise TypeError(f"{kind.__qualname__} is not data")

    def _unmarked(self, value: Any) -> Any:
        """The value with marked objects in their places."""
        if isinstance(value, list):
            return [self._unmarked(item) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        found = cast("dict[str, Any]", value)
        kind = self._marked.get((found.get("__module__", ""), found.get("__class__", ""))) if _is_mark(found) else None
        if kind is not None:
            return _from_json(kind, found["__data__"])
        return {key: self._unmarked(item) for key, item in found.items()}


class _ForgottenError(TypeError):
    """A call stands where its result belongs."""

    def __init__(self, kind: type) -> None:
        super().__init__(
            f"what is to be carried as JSON is a call that nobody waited for ({kind.__qualname__}), not its result; "
            "put yield in front of the call, or await in async code"
        )


class _RefusedError(ValueError):
    """A class of the user's does not take what is there."""


def _is_mark(value: Any) -> bool:
    return isinstance(value, dict) and cast("dict[str, Any]", value).keys() == _MARK


def _from_json(kind: Any, value: Any) -> Any:
    try:
        return kind.from_json(value)
    except Exception as error:
        raise _RefusedError(f"{_type_name(kind)}.from_json refused it: {type(error).__name__}: {error}") from error


# Where a child process finds it for an app whose own converter is another one on top of it.
DEFAULT = JsonConverter()


def _make_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    try:
        return msgspec.json.Decoder(kind, dec_hook=_decode_foreign)
    except TypeError as error:
        raise PayloadError(f"{_type_name(kind)} cannot be decoded from JSON: {error}") from error


def _decode_foreign(kind: Any, value: Any) -> Any:
    validate = getattr(kind, "model_validate_json", None)  # pydantic
    if callable(validate):
        return validate(msgspec.json.encode(value))
    if callable(getattr(kind, "from_json", None)):
        return _from_json(kind, value["__data__"] if _is_mark(value) else value)
    raise TypeError(f"{_type_name(kind)} is not a type that JSON can be decoded to")


def _type_name(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)


class OrNone(msgspec.Struct, frozen=True):
    """A type to decode to, with null staying None whatever the type, as azure-functions-durable has it."""

    kind: Any


def or_none(kind: Any) -> Any:
    """The type with null staying None."""
    return kind if kind is Any or isinstance(kind, OrNone) else OrNone(kind)


def encode(converter: Converter, value: Any) -> Payload:
    """The value as an inline payload; a msgspec.Raw is JSON text already. Raises PayloadError."""
    return inline(bytes(value) if isinstance(value, msgspec.Raw) else converter.encode(value))


def decode(converter: Converter, payload: Payload | None, kind: Any) -> Any:
    """The value of an inline payload; None for no payload. Raises PayloadError."""
    if payload is None:
        return None
    if isinstance(kind, OrNone):
        return None if payload.data == NULL else converter.decode(payload.data, kind.kind)
    return converter.decode(payload.data, kind)
