"""Stands for the services behind the order sample: a warehouse and a bank that book each key once.

State is in memory, which is enough for a sample; a real service keeps bookings and keys in one database transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


class OutOfStock(Exception):
    """There is not enough of an article. Trying again does not help."""

    retryable = False


class PaymentRefused(Exception):
    """The bank said no. Trying again does not help."""

    retryable = False


@dataclass
class Shop:
    """Booking a key again changes nothing; undoing one that was never booked changes nothing either."""

    stock: dict[str, int] = field(default_factory=lambda: {"book": 100, "lamp": 10})
    limit: Decimal = Decimal(5_000)
    reserved: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    paid: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    parcels: dict[str, str] = field(default_factory=dict[str, str])

    def reserve(self, key: str, articles: Mapping[str, int]) -> None:
        if key in self.reserved:
            return
        for article, quantity in articles.items():
            if self.stock.get(article, 0) < quantity:
                raise OutOfStock(f"{article}: {quantity} wanted, {self.stock.get(article, 0)} there")
        for article, quantity in articles.items():
            self.stock[article] -= quantity
        self.reserved[key] = dict(articles)

    def release(self, key: str) -> None:
        self.parcels.pop(key, None)
        for article, quantity in self.reserved.pop(key, {}).items():
            self.stock[article] += quantity

    def charge(self, key: str, amount: Decimal) -> None:
        if amount > self.limit:
            raise PaymentRefused(f"{amount} is above the limit of {self.limit}")
        self.paid.setdefault(key, amount)

    def refund(self, key: str) -> None:
        self.paid.pop(key, None)

    def ship(self, key: str) -> str:
        return self.parcels.setdefault(key, f"P{len(self.parcels) + 1:05}")


SHOP = Shop()
