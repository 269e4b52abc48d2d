"""Activities for child processes, which import this file by name."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any

from durable_ext.authoring.activity_context import ActivityContext


class StockError(Exception):
    def __init__(self, sku: str) -> None:
        super().__init__(f"no {sku}")
        self.properties = {"sku": sku}


@dataclass
class Order:
    sku: str
    count: int


def double(order: Order) -> Order:
    assert isinstance(order, Order)
    print("what is printed is no answer")  # noqa: T201
    return Order(order.sku, 2 * order.count)


async def process_id() -> int:
    return os.getpid()


def told(ctx: ActivityContext, order: Order) -> dict[str, Any]:
    return {"id": ctx.instance_id, "key": ctx.idempotency_key, "attempt": ctx.attempt, "wanted": ctx.heartbeat()}


def logs(ctx: ActivityContext) -> str:
    ctx.logger.info("not shown")
    ctx.logger.warning("%s today", "slow")
    return ctx.name


def refuse(order: Order) -> None:
    raise StockError(order.sku)


def leave(code: int) -> None:
    sys.exit(code)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def spin() -> None:
    threading.Event().wait()


def report_and_spin(ctx: ActivityContext, value: None) -> None:
    ctx.heartbeat("begun")
    spin()


def not_data() -> object:
    return object()


class Shouting:
    """A converter of an app's own."""

    import_name = f"{__name__}:SHOUTING"

    def encode(self, value: Any) -> bytes:
        return f'"{str(value).upper()}"'.encode()

    def decode(self, data: bytes, kind: Any) -> Any:
        return data.decode().strip('"').lower()


SHOUTING = Shouting()


def greet(name: str) -> str:
    return f"hello {name}"
