"""Types and functions that an app might have, at module level as annotations need them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypedDict
from uuid import UUID

import msgspec


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Line:
    sku: str
    count: int = 1


@dataclass(frozen=True)
class Order:
    id: UUID
    lines: list[Line]
    price: Decimal
    size: Size
    placed: datetime
    due: date
    patience: timedelta
    seal: bytes
    notes: dict[str, int] = field(default_factory=dict[str, int])


class Parcel(msgspec.Struct):
    weight: float
    labels: set[str]


class Address(TypedDict):
    street: str
    number: int


class Point(NamedTuple):
    x: int
    y: int
