"""Users' values to JSON and back by annotation (R4)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from durable_ext.authoring import payload
from durable_ext.authoring.payload import JsonConverter
from durable_ext.errors import InvalidInputError, PayloadError
from durable_ext.records.payloads import stored

from .samples import Address, Level, Line, Order, Parcel, Point, Size

ORDER = Order(
    id=UUID("12345678-1234-5678-1234-567812345678"),
    lines=[Line("a"), Line("b", 2)],
    price=Decimal("12.340"),
    size=Size.LARGE,
    placed=datetime(2030, 1, 1, 12, 30, 0, 5, tzinfo=UTC),
    due=date(2030, 2, 1),
    patience=timedelta(days=90, seconds=1),
    seal=b"\x00\xff",
    notes={"left": 1},
)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (ORDER, Order),
        ([ORDER], list[Order]),
        (Parcel(1.5, {"fragile"}), Parcel),
        (Address(street="Main", number=1), Address),
        (Point(1, 2), Point),
        (Size.SMALL, Size),
        (Level.HIGH, Level),
        (datetime(2030, 1, 1, tzinfo=UTC), datetime),
        (timedelta(hours=1), timedelta),
        (Decimal("0.10"), Decimal),
        (UUID(int=5), UUID),
        (b"bytes", bytes),
        ((1, "a"), tuple[int, str]),
        ({1: "a"}, dict[int, str]),
        (frozenset({1}), frozenset[int]),
        (None, type(None)),
        (None, Line | None),
        (Line("a"), Line | None),
        ("héllo", str),
        (2**70, int),
        (True, bool),
    ],
)
def test_there_and_back(value: Any, kind: Any) -> None:
    converter = JsonConverter()
    back = converter.decode(converter.encode(value), kind)
    assert back == value
    assert type(back) is type(value)


def test_without_an_annotation_the_plain_value_comes() -> None:
    converter = JsonConverter()
    assert converter.decode(converter.encode(Line("a")), Any) == {"sku": "a", "count": 1}
    assert json.loads(converter.encode(Size.LARGE)) == "l"


class Model:
    """What a pydantic model looks like from here."""

    def __init__(self, total: int) -> None:
        self.total = total

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return {"total": self.total}

    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> Model:
        if not isinstance(value.get("total"), int):
            raise ValueError("total: Input should be a valid integer")
        return cls(value["total"])


def test_models_with_the_methods_of_pydantic() -> None:
    converter = JsonConverter()
    assert converter.encode({"bill": Model(5)}) == b'{"bill":{"total":5}}'
    back = converter.decode(b'{"bill":{"total":5}}', dict[str, Model])
    assert isinstance(back["bill"], Model)
    assert back["bill"].total == 5
    with pytest.raises(PayloadError, match="Input should be a valid integer"):
        converter.decode(b'{"total":"five"}', Model)


@pytest.mark.parametrize(
    ("data", "kind", "why"),
    [
        (b'{"sku":1}', Line, r"does not fit Line: Expected `str`, got `int` - at `\$.sku`"),
        (b'{"count":1}', Line, "missing required field `sku`"),
        (b'"many"', int, "does not fit int"),
        (b'["x"]', list[int], r"does not fit list\[int\].*\$\[0\]"),
        (b'"x"', Size, "does not fit Size: Invalid enum value 'x'"),
        (b'"tomorrow"', datetime, "does not fit datetime"),
        (b"null", Line, "does not fit Line"),
        (b"{", Any, "does not fit"),
        (b"", int, "does not fit int"),
        (b"1", object, "object is not a type that JSON can be decoded to"),
        (b"1", Exception, "Exception is not a type"),
    ],
)
def test_a_misfit_says_what_and_where(data: bytes, kind: Any, why: str) -> None:
    with pytest.raises(PayloadError, match=why):
        JsonConverter().decode(data, kind)


def test_a_type_json_cannot_have() -> None:
    with pytest.raises(PayloadError, match="cannot be decoded from JSON"):
        JsonConverter().decode(b"1", int | Level)


class Circle:
    pass


def ring() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "object"),
        (Circle(), "Circle"),
        (print, "builtin_function_or_method"),
        (open, "builtin_function_or_method"),
        (1j, "complex"),
        ("\ud800", "str"),
        ([Circle()], "list"),
        ({(1, 2): 3}, "dict"),
        (ring(), "list"),
        (ValueError("x"), "ValueError"),
        (Circle, "type"),
    ],
)
def test_a_value_that_is_not_data_is_refused(value: Any, name: str) -> None:
    with pytest.raises(PayloadError, match=f"a value of type {name} cannot be carried as JSON") as found:
        JsonConverter().encode(value)
    assert "return plain data, a dataclass, a TypedDict or a msgspec Struct" in str(found.value)
    assert isinstance(found.value, InvalidInputError)
    assert not found.value.retryable


def test_an_unhashable_annotation() -> None:
    from typing import Annotated

    kind = Annotated[list[int], []]
    assert JsonConverter().decode(b"[1]", kind) == [1]


def test_nothing_is_none() -> None:
    assert payload.decode(JsonConverter(), None, int) is None


def test_payloads() -> None:
    converter = JsonConverter()
    packed = payload.encode(converter, {"n": 1})
    assert (packed.data, packed.size) == (b'{"n":1}', 7)
    assert payload.decode(converter, packed, dict[str, int]) == {"n": 1}
    with pytest.raises(LookupError):
        payload.decode(converter, stored("b", 1), Any)
