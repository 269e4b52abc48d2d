"""Users' values to JSON and back by annotation (R4)."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID

import pydantic
import pydantic.alias_generators
import pydantic.dataclasses
import pytest

from durable_ext.authoring import payload
from durable_ext.authoring.payload import JsonConverter
from durable_ext.errors import ConfigurationError, InvalidInputError, PayloadError
from durable_ext.records.payloads import stored

from .samples import Address, Level, Line, Order, Parcel, Point, Size

T = TypeVar("T")

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


class Text(str): ...


class Number(int): ...


class Share(float): ...


class Texts(list[str]): ...


class Names(dict[str, int]): ...


@pytest.mark.parametrize(
    "value",
    [
        Text("é"),
        {Text("key"): [Text("in"), Number(1), Share(0.5), Texts(["a"]), Names(b=2)]},
        {None: 1, True: 2, False: 3, 1.5: 4, 2: 5},
    ],
)
def test_what_json_of_python_carries(value: Any) -> None:
    """Subclasses of what JSON has, and keys: as the standard library writes them, and so azure-functions-durable."""
    assert json.loads(JsonConverter().encode(value)) == json.loads(json.dumps(value))


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


class Bill(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, alias_generator=pydantic.alias_generators.to_camel)
    total_amount: Decimal
    due_at: datetime
    parts: list[Part] = []


class Part(pydantic.BaseModel):
    sku: str


class Basket(pydantic.BaseModel, Generic[T]):
    items: list[T]


@pydantic.dataclasses.dataclass
class Label:
    text: str


def test_pydantic_models() -> None:
    converter = JsonConverter()
    bill = Bill(totalAmount=Decimal("1.50"), dueAt=datetime(2030, 1, 1, tzinfo=UTC), parts=[Part(sku="a")])  # pyright: ignore[reportCallIssue]
    text = converter.encode({"bill": bill})
    assert json.loads(text)["bill"]["totalAmount"] == "1.50"
    assert converter.decode(text, dict[str, Bill]) == {"bill": bill}
    assert converter.decode(b"null", Bill | None) is None
    basket = Basket[Part](items=[Part(sku="a")])
    assert converter.decode(converter.encode(basket), Basket[Part]) == basket
    assert converter.decode(converter.encode([Label("a")]), list[Label]) == [Label("a")]
    with pytest.raises(PayloadError, match=r"does not fit Part.*\n?.*sku\n  Input should be a valid string"):
        converter.decode(b'{"sku":5}', Part)


class Money:
    """As users of azure-functions-durable write them."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    @staticmethod
    def to_json(obj: Money) -> str:
        return str(obj.amount)

    @staticmethod
    def from_json(text: str) -> Money:
        return Money(int(text))


class Pair:
    def __init__(self, left: int) -> None:
        self.left = left

    def to_json(self) -> dict[str, int]:
        return {"left": self.left}

    @classmethod
    def from_json(cls, data: dict[str, int]) -> Pair:
        return cls(data["left"])


@dataclass
class Purse:
    coins: list[Money]
    first: Pair | None = None


def test_classes_with_methods_of_their_own() -> None:
    converter = JsonConverter()
    text = converter.encode(Purse([Money(5)], Pair(1)))
    assert text == b'{"coins":["5"],"first":{"left":1}}'
    back = converter.decode(text, Purse)
    assert isinstance(back.coins[0], Money)
    assert back.coins[0].amount == 5
    assert isinstance(back.first, Pair)
    assert converter.decode(text, Any) == {"coins": ["5"], "first": {"left": 1}}
    old = b'{"__class__":"Money","__module__":"elsewhere","__data__":"7"}'
    assert converter.decode(old, Money).amount == 7
    with pytest.raises(PayloadError, match=r"Pair\.from_json refused it: KeyError: 'left' - at `\$\[0\]`"):
        converter.decode(b"[{}]", list[Pair])


def test_marked_classes_come_back_without_an_annotation() -> None:
    converter = JsonConverter(marked=[Money])
    text = converter.encode({"all": [Money(5), Pair(1)]})
    mark = {"__class__": "Money", "__module__": __name__, "__data__": "5"}
    assert json.loads(text) == {"all": [mark, {"left": 1}]}
    back = converter.decode(text, Any)
    assert isinstance(back["all"][0], Money)
    assert back["all"][1] == {"left": 1}
    assert converter.decode(converter.encode(Money(5)), Money).amount == 5
    assert JsonConverter().decode(text, Any)["all"][0] == mark
    with pytest.raises(PayloadError, match=r"Money\.from_json refused it: ValueError"):
        converter.decode(json.dumps({**mark, "__data__": "many"}).encode(), Any)
    with pytest.raises(ConfigurationError, match="Line has no to_json and from_json"):
        JsonConverter(marked=[Line])


def test_nothing_is_imported_for_a_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what it names, nor what is loaded but was not marked."""
    (tmp_path / "planted_module.py").write_text("raise SystemExit", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for module, name in (("planted_module", "Bad"), (__name__, "Pair"), ("pathlib", "Path")):
        mark = {"__class__": name, "__module__": module, "__data__": {"left": 1}}
        for converter in (JsonConverter(), JsonConverter(marked=[Money])):
            assert converter.decode(json.dumps(mark).encode(), Any) == mark
    assert "planted_module" not in sys.modules


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
