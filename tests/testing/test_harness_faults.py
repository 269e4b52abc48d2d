"""Mocks and faults of the harness."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import (
    ActivityContext,
    NonDeterminismError,
    OrchestrationContext,
    Registry,
    RuntimeStatus,
    StorageError,
    TaskFailedError,
)
from durable_ext.testing import Harness, in_turn
from durable_ext.testing.scenario import StoreName

from .orders import Order, app, charge, child, many, parent, process_order, ship, thirty_days, wait_for_ever

STORES: tuple[StoreName, ...] = ("sqlite", "azure")


async def _number(order: Order) -> str:
    await asyncio.sleep(0)
    return order.number


def _got(order: Order) -> str:
    return f"got {order.number}"


def _key(ctx: ActivityContext, order: Order) -> str:
    return f"{order.number} {ctx.instance_id}"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("there", "child: there"),
        (_number, "child: A-1"),
        (_key, "child: A-1 it child"),
        (lambda: "called", "child: called"),
        (in_turn("first", "second"), "child: first"),
    ],
)
@pytest.mark.parametrize("target", [ship, "ship"])
def test_an_activity_has_another_outcome(outcome: Any, expected: str, target: Any) -> None:
    with Harness(app) as hub:
        hub.mock(target, outcome)
        output = hub.run(parent, Order("A-1"), instance_id="it")
        assert output.replace(hub.calls[0].instance_id, "it child") == expected
        hub.calls.assert_called(ship, Order("A-1"), times=1)
        hub.unmock(target)
        assert hub.run(parent, Order("A-2")) == "child: shipped A-2"


def test_outcomes_in_turn() -> None:
    with Harness(app) as hub:
        hub.mock(child, in_turn("one", ValueError("no"), _got))
        assert hub.run(parent, Order("A-1")) == "child: one"
        with pytest.raises(TaskFailedError, match="ValueError: no"):
            hub.run(parent, Order("A-2"))
        assert hub.run(parent, Order("A-3")) == "child: got A-3"
        assert hub.run(parent, Order("A-4")) == "child: got A-4"
        assert [order.number for order in hub.calls.inputs(child)] == ["A-1", "A-2", "A-3", "A-4"]
        hub.calls.assert_not_called(ship)
        hub.unmock(child)
        assert hub.run(parent, Order("A-5")) == "child: shipped A-5"
        hub.assert_replays()


def test_a_child_fails_and_is_its_own_again() -> None:
    with Harness(app, from_scratch=True) as hub:
        assert hub.run(parent, Order("A-0")) == "child: shipped A-0"
        hub.fail(child, error=KeyError("gone"))
        with pytest.raises(TaskFailedError, match="gone"):
            hub.run(parent, Order("A-1"))
        assert hub.run(parent, Order("A-2")) == "child: shipped A-2"
        hub.assert_replays()


def test_an_activity_fails_a_few_times() -> None:
    with Harness(app) as hub:
        hub.fail(charge, times=2)
        order = hub.start(process_order, Order("A-1"))
        order.raise_event("approval", True)
        assert order.result() == "shipped A-1"
        times = [call.time - hub.calls[0].time for call in hub.calls.of(charge)]
        assert times == [timedelta(0), timedelta(seconds=10), timedelta(seconds=20)]


def test_a_slow_activity() -> None:
    with Harness(app) as hub:
        hub.slow(ship, timedelta(hours=2))
        before = hub.now
        hub.run(parent, Order("A-1"))
        assert hub.now - before == timedelta(hours=2)


def test_assertions_on_calls_tell_what_was_called() -> None:
    with Harness(app) as hub:
        hub.run(many, 2)
        assert [(call.order, call.attempt) for call in hub.calls] == [(0, 1), (1, 1)]
        hub.calls.assert_called(ship, times=2)
        with pytest.raises(AssertionError, match="ship was called 2 times, not once; calls:\n    0: ship"):
            hub.calls.assert_called(ship, times=1)
        with pytest.raises(AssertionError, match=r"ship was called never with Order\(number='9'"):
            hub.calls.assert_called(ship, Order("9"))
        with pytest.raises(AssertionError, match="charge was called never, not at all"):
            hub.calls.assert_called(charge)
        with pytest.raises(AssertionError, match="called were"):
            hub.calls.assert_order(charge, ship)
        hub.calls.clear()
        hub.calls.assert_not_called(ship)


def test_activities_without_await_run_one_at_a_time_in_order() -> None:
    names: set[str] = set()

    def noted(order: Order) -> str:
        names.add(threading.current_thread().name)
        return asyncio.run(_number(order)) if order.number == "3" else order.number

    with Harness(app) as hub:
        hub.mock(ship, noted)
        assert hub.run(many, 5) == ["0", "1", "2", "3", "4"]
        assert [call.input.number for call in hub.calls] == ["0", "1", "2", "3", "4"]
    assert len(names) == 1
    assert threading.current_thread().name not in names


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("doubled", [False, True])
def test_a_crash_at_each_call(store: StoreName, doubled: bool) -> None:
    with Harness(app, store=store) as hub:
        hub.run(many, 3)
        calls = hub.storage_calls
    for call in range(calls):
        for when in ("before", "after"):
            with Harness(app, store=store, doubled=doubled) as hub:
                hub.crash_at(call, when)
                assert hub.run(many, 3) == ["shipped 0", "shipped 1", "shipped 2"]
                assert len(hub.engine.processes) == 2
                hub.assert_replays()


@pytest.mark.parametrize("store", STORES)
def test_a_restart_in_the_middle(store: StoreName) -> None:
    with Harness(app, store=store) as hub:
        order = hub.start(process_order, Order("A-1"))
        hub.restart()  # the charge is under way, and comes back
        hub.advance(timedelta(minutes=2))
        assert order.custom_status == "waiting"
        hub.restart()
        order.raise_event("approval", True)
        assert order.output == "shipped A-1"
        assert [call.task_id for call in hub.calls.of(charge)] == [0, 0]


def test_every_message_twice() -> None:
    with Harness(app, doubled=True) as hub:
        assert hub.run(thirty_days, Order("A-1")) == ["shipped A-1"] * 30


def test_code_that_is_moody_does_not_replay() -> None:
    registry, moods = Registry(), iter(range(10))

    async def moody(ctx: OrchestrationContext) -> None:
        if next(moods):
            await ctx.create_timer(timedelta(days=1))
        await ctx.wait_for_external_event("end")

    registry.add_orchestrator(moody)
    with Harness(registry) as hub:
        hub.start(moody)
        with pytest.raises(NonDeterminismError, match="in moody"):
            hub.assert_replays()


@pytest.mark.parametrize("store", STORES)
def test_a_call_that_runs_again_has_the_outcome_it_had(store: StoreName) -> None:
    with Harness(app, store=store) as hub:
        hub.mock(ship, in_turn("one", "two"))
        hub.slow(ship, timedelta(seconds=20))
        order = hub.start(parent, Order("A-1"))
        hub.advance(timedelta(seconds=5))
        hub.restart()
        assert order.result() == "child: one"
        assert len(hub.calls.of(ship)) == 2
        assert hub.run(parent, Order("A-2")) == "child: two"


def test_what_began_before_a_mock_goes_on_as_it_was() -> None:
    with Harness(app, from_scratch=True) as hub:
        old = hub.start(wait_for_ever)
        hub.mock(wait_for_ever, "mocked")
        hub.restart()
        assert hub.run(wait_for_ever) == "mocked"
        old.raise_event("approval", "its own")
        assert old.result() == "its own"
        hub.assert_replays()


def test_a_start_that_was_lost_is_found_by_the_janitor() -> None:
    with Harness(app) as hub:
        hub.http("GET", "/api/nothing")
        hub.crash_at(1)
        with pytest.raises(StorageError):
            hub.http("POST", "/api/orders/A-1", json={"amount": 3})
        assert hub.instance("A-1").runtime_status is RuntimeStatus.PENDING
        hub.advance(timedelta(minutes=3))
        assert hub.instance("A-1").custom_status == "waiting"
