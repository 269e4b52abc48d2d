"""An order: reserve, charge, have a person approve it, ship. What was done is undone when the order is not shipped.

Activities may run more than once: a process can die before a result is stored, and a failed one is tried again. So the
orchestration chooses the keys under which the services book things, the same for every attempt; and undoing what was
never done, or perhaps done, is harmless too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from durable_ext import DurableBlueprint, OrchestrationContext, RetryPolicy, TaskFailedError
from examples.shop import SHOP

bp = DurableBlueprint()

TIME_TO_APPROVE = timedelta(days=3)
PATIENTLY = RetryPolicy(first_interval=timedelta(seconds=5), max_attempts=4, coefficient=2)


@dataclass(frozen=True)
class Line:
    article: str
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class Order:
    number: str
    lines: list[Line]

    @property
    def total(self) -> Decimal:
        return sum((line.quantity * line.price for line in self.lines), start=Decimal(0))


@dataclass(frozen=True)
class Reservation:
    key: str
    order: Order


@dataclass(frozen=True)
class Charge:
    key: str
    amount: Decimal


@dataclass(frozen=True)
class Approval:
    approved: bool
    by: str


@dataclass(frozen=True)
class Outcome:
    shipped: bool
    total: Decimal
    detail: str


class Refused(Exception):
    """The order is not to be shipped; the message says why."""


@bp.activity
async def reserve_stock(wanted: Reservation) -> None:
    SHOP.reserve(wanted.key, {line.article: line.quantity for line in wanted.order.lines})


@bp.activity
async def release_stock(key: str) -> None:
    SHOP.release(key)


@bp.activity
async def charge_payment(wanted: Charge) -> None:
    SHOP.charge(wanted.key, wanted.amount)


@bp.activity
async def refund_payment(key: str) -> None:
    SHOP.refund(key)


@bp.activity
async def ship(key: str) -> str:
    return SHOP.ship(key)


@bp.orchestrator
async def order_approval(ctx: OrchestrationContext, order: Order) -> Outcome:
    goods, money = ctx.new_uuid(), ctx.new_uuid()
    try:
        ctx.set_custom_status("reserving")
        await ctx.call_activity(reserve_stock, Reservation(goods, order), retry=PATIENTLY)
        ctx.set_custom_status("charging")
        await ctx.call_activity(charge_payment, Charge(money, order.total), retry=PATIENTLY)
        ctx.set_custom_status("waiting for approval")
        approver = await approved_by(ctx)
        ctx.set_custom_status("shipping")
        parcel = await ctx.call_activity(ship, goods, retry=PATIENTLY)
    except (Refused, TaskFailedError) as error:
        ctx.set_custom_status("undoing")
        await ctx.call_activity(refund_payment, money, retry=PATIENTLY)
        await ctx.call_activity(release_stock, goods, retry=PATIENTLY)
        return Outcome(shipped=False, total=order.total, detail=str(error))
    ctx.set_custom_status("shipped")
    return Outcome(shipped=True, total=order.total, detail=f"parcel {parcel}, approved by {approver}")


async def approved_by(ctx: OrchestrationContext) -> str:
    """Who approved the order. Raises Refused when somebody refused it or nobody answered in time."""
    try:
        answer: Approval = await ctx.wait_for_external_event("approval", Approval, timeout=TIME_TO_APPROVE)
    except TimeoutError as error:
        raise Refused("nobody approved in time") from error
    if not answer.approved:
        raise Refused(f"refused by {answer.by}")
    return answer.by
