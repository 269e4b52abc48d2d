"""The harness: an app as it is, virtual time, readable ends, and nothing left over."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import (
    ConfigurationError,
    InstanceStateError,
    OrchestrationContext,
    Registry,
    RuntimeStatus,
    StartOptions,
    TaskFailedError,
)
from durable_ext.testing import Harness, WaitsForeverError
from durable_ext.testing.scenario import StoreName
from durable_ext.testing.virtual_time import START

from . import orders, plain
from .orders import Order, app, parent, process_order, ship, thirty_days, wait_for_ever

STORES: tuple[StoreName, ...] = ("sqlite", "azure")


@pytest.mark.parametrize("store", STORES)
def test_a_whole_orchestration(store: StoreName) -> None:
    with Harness(app, store=store) as hub:
        order = hub.start(process_order, Order("A-1"))
        assert (order.runtime_status, order.custom_status) == (RuntimeStatus.RUNNING, "charging")
        hub.advance(timedelta(seconds=5))
        assert order.custom_status == "waiting"
        order.raise_event("approval", True)
        assert order.output == "shipped A-1"
        assert (hub.now, order.ended_at()) == (START + timedelta(seconds=5), hub.now)
        hub.calls.assert_order("charge", "ship")
        hub.assert_replays()


@pytest.mark.parametrize("store", STORES)
def test_thirty_days_are_cheap(store: StoreName) -> None:
    with Harness(app, store=store) as hub:
        assert hub.run(thirty_days, Order("A-1")) == ["shipped A-1"] * 30
        assert START + timedelta(days=30) <= hub.now < START + timedelta(days=30, minutes=1)
        # What one day costs; anything done at intervals would cost thousands.
        assert hub.storage_calls <= 30 * 30


def test_timers_fire_in_order_on_the_way() -> None:
    with Harness(app) as hub:
        hub.start(thirty_days, Order("A-1"))
        hub.advance(timedelta(hours=12))
        hub.start(thirty_days, Order("B-1"))
        hub.advance(timedelta(days=2))
        assert [(call.input.number, call.time - START) for call in hub.calls.of(ship)] == [
            ("A-1", timedelta(hours=24)),
            ("B-1", timedelta(hours=36)),
            ("A-1", timedelta(hours=48)),
            ("B-1", timedelta(hours=60)),
        ]


def test_an_event_that_nobody_raises_is_named() -> None:
    with Harness(app) as hub:
        with pytest.raises(WaitsForeverError, match="nothing is left to do") as caught:
            hub.run(wait_for_ever, instance_id="stuck")
        assert "instance 'stuck' (wait_for_ever) waits for event 'approval'" in str(caught.value)
        stuck = hub.instance("stuck")
        stuck.suspend()
        assert stuck.waits_for == ["event 'approval'", "being resumed, for it is suspended"]
        stuck.resume()
        stuck.raise_event("approval", "yes")
        assert stuck.output == "yes"
        assert stuck.waits_for == ()


def test_what_does_not_end_in_time() -> None:
    with Harness(app) as hub, pytest.raises(AssertionError, match=r"not ended within .*a timer at 2030-01-0"):
        hub.run(thirty_days, Order("A-1"), within=timedelta(hours=36))


def test_an_instance_that_has_no_output_yet() -> None:
    with Harness(app) as hub:
        order = hub.start(process_order, Order("A-1"))
        with pytest.raises(AssertionError, match="Running, and waits for activity 'charge'"):
            _ = order.output
        order.terminate("enough")
        with pytest.raises(AssertionError, match=r"Terminated \('enough'\)"):
            _ = order.output
        with pytest.raises(InstanceStateError):
            order.raise_event("approval")


def test_run_until_idle_leaves_who_waits_for_somebody() -> None:
    with Harness(app) as hub:
        waiting = hub.start(wait_for_ever)
        days = hub.start(thirty_days, Order("A-1"))
        hub.run_until_idle()
        assert (days.runtime_status, waiting.runtime_status) == (RuntimeStatus.COMPLETED, RuntimeStatus.RUNNING)
        assert hub.now == START + timedelta(days=30)
        assert [one.id for one in hub.instances()] == sorted([waiting.id, days.id])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("store", ["sqlite", "azure"])
@pytest.mark.parametrize("days", [100, 400, 20_000])
def test_time_is_exact_after_years(days: int, store: StoreName) -> None:
    with Harness(app, store=store) as hub:
        hub.advance(timedelta(days=days))
        for passed in range(1, 21):
            hub.advance(timedelta(seconds=0.1, microseconds=1))
            assert hub.now - START == timedelta(days=days) + passed * timedelta(microseconds=100_001)
        order = hub.start(thirty_days, Order("A-1"))
        hub.advance(timedelta(days=30))
        assert order.runtime_status is RuntimeStatus.COMPLETED


def test_names_and_wrong_names() -> None:
    with Harness(app) as hub:
        assert hub.run("parent", {"number": "A-1", "amount": 1}) == "child: shipped A-1"
        with pytest.raises(ConfigurationError, match="no orchestrator 'nobody'; registered: child, many"):
            hub.start("nobody")
        with pytest.raises(ConfigurationError, match="no activity, orchestrator or entity 'nobody'"):
            hub.mock("nobody", 1)


def test_a_failed_orchestration_raises_its_failure() -> None:
    with Harness(app) as hub:
        hub.mock(ship, ValueError("out of stock"))
        with pytest.raises(TaskFailedError, match="out of stock"):
            hub.run(parent, Order("A-1"))


@pytest.mark.parametrize("given", [plain, plain.function_app, plain.work, plain.work.registry])
def test_every_kind_of_app(given: Any) -> None:
    for _ in range(2):
        with Harness(given) as hub:
            assert hub.run(plain.shouting, "hello") == "HELLO"


def test_what_is_no_app() -> None:
    with pytest.raises(ConfigurationError, match="hand over a DurableApp"):
        Harness(42)
    with pytest.raises(ConfigurationError, match="0 apps and none called app"):
        Harness(threading)
    with pytest.raises(ConfigurationError, match="not open"):
        _ = Harness(app).now


def test_in_an_async_test() -> None:
    async def test() -> None:
        before = asyncio.current_task()
        async with Harness(orders) as hub:
            assert hub.run(parent, Order("A-1")) == "child: shipped A-1"
            assert asyncio.current_task() is before
        await asyncio.sleep(0)

    asyncio.run(test())


def test_nothing_is_left_over() -> None:
    with Harness(app) as hub:
        hub.start(process_order, Order("A-1"))
        hub.http("GET", "/api/nowhere")
        hub.run(parent, Order("A-1"))
    assert [thread.name for thread in threading.enumerate() if "harness" in thread.name] == []


def test_a_client_of_the_hub() -> None:
    with Harness(app) as hub:
        order = hub.start(process_order, Order("A-1"), instance_id="it")
        with pytest.raises(TimeoutError):
            hub.wait(hub.client.wait_for_completion("it", timedelta(hours=1)))
        assert hub.now == START + timedelta(hours=1)
        order.raise_event("approval", True)
        status = hub.wait(hub.client.wait_for_completion("it", timedelta(hours=1)))
        assert status.output == "shipped A-1"

        async def never() -> None:
            await asyncio.Event().wait()

        with pytest.raises(WaitsForeverError):
            hub.wait(never())


@pytest.mark.parametrize("given", [app, plain])
def test_http_functions(given: Any) -> None:
    for _ in range(2):
        with Harness(given) as hub:
            if given is plain:
                assert hub.http("GET", "/api/shout/hello").text == "HELLO"
                continue
            answer = hub.http("POST", "/api/orders/A-1", json={"amount": 3})
            assert answer.status == 202
            hub.advance(timedelta(minutes=1))
            hub.raise_event("A-1", "approval", True)
            status = hub.http("GET", answer.json()["statusQueryGetUri"])
            assert (status.status, status.json()["output"]) == (200, "shipped A-1")
            assert hub.http("GET", "/api/nothing").status == 404
            assert hub.calls.inputs("charge") == [Order("A-1", 3)]


def test_a_function_in_a_thread_that_waits_lets_time_pass() -> None:
    with Harness(app) as hub:
        hub.start(thirty_days, Order("A-1"), instance_id="it")
        hub.fail(ship)
        answer = hub.http("GET", "/api/waits/it").text
        assert answer == "TaskFailedError: ship failed: RuntimeError: ship was told to fail"
        assert hub.now - START >= timedelta(days=1)


def test_http_needs_a_function_app() -> None:
    with Harness(Registry()) as hub, pytest.raises(ConfigurationError, match="hand the app itself"):
        hub.http("GET", "/api/orders/1")


async def nap(ctx: OrchestrationContext, microseconds: int) -> None:
    await ctx.create_timer(timedelta(microseconds=microseconds))


def test_time_is_exact_to_the_microsecond() -> None:
    registry = Registry()
    registry.add_orchestrator(nap)
    steps = [90, 123_624_039, 81, 5, 853, 109_056_425, 5_903_924, 1, 333_333]
    for count in range(1, len(steps) + 1):
        with Harness(registry) as hub:
            instance = hub.start(nap, sum(steps[:count]))
            for step in steps[:count]:
                assert instance.runtime_status is RuntimeStatus.RUNNING
                hub.advance(timedelta(microseconds=step))
            assert instance.runtime_status is RuntimeStatus.COMPLETED
            assert hub.now == START + timedelta(microseconds=sum(steps[:count]))


def test_versions_are_started_typed_and_mocked() -> None:
    async def old(ctx: OrchestrationContext) -> int:
        return 1

    async def new(ctx: OrchestrationContext) -> str:
        return "2"

    app = Registry(default_version="1.0")
    app.add_orchestrator(old, "main", version="1.0")
    app.add_orchestrator(new, "main", version="2.0")
    with Harness(app) as hub:
        assert (hub.run(old), hub.run(new), hub.run("main")) == (1, "2", 1)
        hub.mock("main", "mocked")
        assert hub.run(new) == "mocked"
        assert hub.run("main", options=StartOptions(version="2.0")) == "mocked"
        hub.assert_replays()
