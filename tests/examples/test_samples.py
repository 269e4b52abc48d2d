"""The samples on a store in memory and virtual time: days of waiting pass at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from durable_ext.authoring.status import InstanceStatus
from durable_ext.records.instance import RuntimeStatus
from examples import order_approval, transcoder
from examples.order_approval import Approval, Line, Order, Outcome
from examples.shop import SHOP, Shop

from .drive import World, in_world

LONG = timedelta(days=30)


async def finished(world: World, name: str, given: Any = None) -> InstanceStatus:
    instance_id = await world.client.start(name, given)
    return await world.client.wait_for_completion(instance_id, LONG)


def output_of(name: str, given: Any = None) -> Any:
    async def run(world: World) -> Any:
        return (await finished(world, name, given)).output_as(Any)

    return in_world(run)


def test_chaining() -> None:
    assert output_of("chaining") == ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]


def test_fan_out_fan_in() -> None:
    assert output_of("fan_out_fan_in", ["a rose", "is a rose", "", "is a rose"]) == 8


def test_parent_child() -> None:
    rollout = {"version": "2.1", "regions": ["north", "", "south"]}
    assert output_of("parent_child", rollout) == [
        "north runs 2.1 and is healthy",
        "failed: deploy failed: ValueError: a region needs a name",
        "south runs 2.1 and is healthy",
    ]


def test_monitor_looks_at_growing_intervals() -> None:
    async def run(world: World) -> None:
        transcoder.TRANSCODER.looks.clear()
        before = world.clock()
        status = await finished(world, "monitor", {"video": "holiday"})
        assert status.output == "holiday is ready"
        assert status.custom_status == {"percent": 100}
        passed = world.clock() - before
        # Four pauses: 30, 60, 120 and 240 seconds.
        assert timedelta(seconds=450) <= passed < timedelta(seconds=480)

    in_world(run)


def test_monitor_gives_up() -> None:
    watch = {"video": "short patience", "give_up_after": "PT40S"}
    assert output_of("monitor", watch) == "short patience was not ready in 0:00:40"


def test_eternal_starts_over() -> None:
    async def run(world: World) -> None:
        before = world.clock()
        status = await finished(world, "eternal", {"rounds": 4})
        assert status.output == 1 + 0 + 2 + 1
        assert status.row.execution.generation == 3
        assert world.clock() - before >= timedelta(hours=3)
        turns = await world.client.history(status.instance_id)
        assert {turn.execution.generation for turn in turns} == {3}

    in_world(run)


ORDER = Order("2024-1", [Line("book", 2, Decimal("19.90")), Line("lamp", 1, Decimal("0.20"))])


@pytest.fixture
def shop() -> Iterator[Shop]:
    """The shop as it is when the app starts; the samples' functions keep their reference to it."""
    SHOP.__init__()
    yield SHOP
    SHOP.__init__()


async def waiting_order(world: World, order: Order = ORDER) -> str:
    """An order that has come to its approval."""
    instance_id = await world.client.start("order_approval", order)
    await world.until(instance_id, "waiting for approval")
    return instance_id


async def outcome_of(world: World, instance_id: str) -> Outcome:
    status = await world.client.wait_for_completion(instance_id, LONG)
    assert status.runtime_status is RuntimeStatus.COMPLETED
    return status.output_as(Outcome)


def test_an_approved_order_is_shipped(shop: Shop) -> None:
    async def run(world: World) -> None:
        instance_id = await waiting_order(world)
        assert shop.stock == {"book": 98, "lamp": 9}
        assert list(shop.paid.values()) == [Decimal("40.00")]
        await world.client.raise_event(instance_id, "approval", Approval(approved=True, by="Ada"))
        outcome = await outcome_of(world, instance_id)
        assert outcome == Outcome(shipped=True, total=Decimal("40.00"), detail="parcel P00001, approved by Ada")
        assert (await world.client.wait_for_completion(instance_id, LONG)).custom_status == "shipped"
        assert list(shop.paid.values()) == [Decimal("40.00")]

    in_world(run)


def is_as_it_was(shop: Shop) -> bool:
    return (shop.stock, shop.paid, shop.reserved, shop.parcels) == ({"book": 100, "lamp": 10}, {}, {}, {})


def test_a_refused_order_is_undone(shop: Shop) -> None:
    async def run(world: World) -> None:
        instance_id = await waiting_order(world)
        await world.client.raise_event(instance_id, "approval", {"approved": False, "by": "Bob"})
        assert await outcome_of(world, instance_id) == Outcome(False, Decimal("40.00"), "refused by Bob")

    in_world(run)
    assert is_as_it_was(shop)


def test_an_order_that_nobody_approves_is_undone_after_three_days(shop: Shop) -> None:
    async def run(world: World) -> None:
        before = world.clock()
        instance_id = await waiting_order(world)
        await world.let_pass(order_approval.TIME_TO_APPROVE - timedelta(minutes=1))
        assert not is_as_it_was(shop)
        outcome = await outcome_of(world, instance_id)
        assert (outcome.shipped, outcome.detail) == (False, "nobody approved in time")
        passed = world.clock() - before
        assert timedelta(days=3) <= passed < timedelta(days=3, minutes=1)

    in_world(run)
    assert is_as_it_was(shop)


def test_a_refused_payment_gives_the_goods_back(shop: Shop) -> None:
    async def run(world: World) -> None:
        before = world.clock()
        dear = Order("2024-2", [Line("book", 10, Decimal(501))])
        outcome = await outcome_of(world, await world.client.start("order_approval", dear))
        assert not outcome.shipped
        assert "PaymentRefused: 5010 is above the limit of 5000" in outcome.detail
        # A refusal is final: nothing was tried again after a pause.
        assert world.clock() - before < order_approval.PATIENTLY.first_interval

    in_world(run)
    assert is_as_it_was(shop)


def test_what_is_not_in_stock_is_not_charged(shop: Shop) -> None:
    async def run(world: World) -> None:
        outcome = await outcome_of(
            world, await world.client.start("order_approval", Order("2024-3", [Line("lamp", 11, Decimal(1))]))
        )
        assert "OutOfStock: lamp: 11 wanted, 10 there" in outcome.detail

    in_world(run)
    assert is_as_it_was(shop)


def test_a_shipment_that_fails_is_tried_again_and_then_undone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []

    def broken(key: str) -> str:
        attempts.append(key)
        raise ConnectionError("the carrier does not answer")

    async def run(world: World) -> None:
        monkeypatch.setattr(shop, "ship", broken)
        instance_id = await waiting_order(world)
        await world.client.raise_event(instance_id, "approval", Approval(approved=True, by="Ada"))
        assert "the carrier does not answer" in (await outcome_of(world, instance_id)).detail

    in_world(run)
    assert len(attempts) == order_approval.PATIENTLY.max_attempts
    assert len(set(attempts)) == 1
    assert is_as_it_was(shop)


def test_a_payment_whose_answer_was_lost_is_booked_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    book, calls = shop.charge, 0

    def loses_its_first_answer(key: str, amount: Decimal) -> None:
        nonlocal calls
        calls += 1
        book(key, amount)
        if calls == 1:
            raise TimeoutError("no answer from the bank")

    async def run(world: World) -> None:
        monkeypatch.setattr(shop, "charge", loses_its_first_answer)
        await waiting_order(world)

    in_world(run)
    assert calls == 2
    assert list(shop.paid.values()) == [Decimal("40.00")]
