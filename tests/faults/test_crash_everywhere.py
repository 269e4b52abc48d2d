"""The one line that users write: what it takes, what it reports, and what it refuses (T3)."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from durable_ext.authoring.context import ActivityContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError, InvalidInputError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing import faults
from durable_ext.testing.crash_points import CrashReport, Plans
from durable_ext.testing.faults import CrashOptions, CrashPointError, Played, Scenario, crash_everywhere
from durable_ext.testing.scenario import ScenarioOptions
from durable_ext.worker.client import Client
from tests.scenarios.engine import pause

from . import orders
from .orders import Order, Receipt, app, process_order, side

ORDER = Order("A-1", 10)
APPROVAL = [("approval", True)]


def test_an_order_survives_every_crash() -> None:
    report = crash_everywhere(app, process_order, ORDER, expect=Receipt("A-1", 10), events=APPROVAL)
    assert report.all_survived
    assert report.survived == report.points
    assert report.points > 120
    assert timedelta(seconds=20) < report.slowest < timedelta(minutes=3)
    assert report.unreached == 0
    assert report.output == {"number": "A-1", "charged": 10}
    assert report.storage_calls["insert_entity"] >= 4
    assert report.activity_runs == {"charge": 2, "tell-the-customer": 2}


def test_the_report_can_be_read() -> None:
    text = str(crash_everywhere(app, process_order, ORDER, events=APPROVAL, worlds=["cached"], ways=["before"]))
    first, calls, runs, slowest, longest = text.splitlines()
    assert first.startswith("process_order: ")
    assert first.endswith(" survived")
    assert calls.startswith("storage calls without faults: ")
    assert "delete_message 2" in calls
    assert runs == "runs of one activity call at worst: charge 2, tell-the-customer 2"
    assert slowest.startswith("slowest recovery: ")
    assert longest.startswith("longest wait for nothing: ")


@pytest.mark.parametrize("store", ["azure", "sqlite"])
def test_both_stores(store: Any) -> None:
    report = crash_everywhere(side, "quick", 1, expect=2, store=store, ways=["lost"], worlds=["scratch"])
    assert ("append" in report.storage_calls) == (store == "sqlite")
    assert ("insert_entity" in report.storage_calls) == (store == "azure")


def test_an_app_a_blueprint_and_a_registry() -> None:
    registry = Registry()
    registry.add_orchestrator(orders.quick, name="renamed")
    for owner, orchestrator in ((side, orders.quick), (registry, orders.quick), (registry, "renamed")):
        report = crash_everywhere(owner, orchestrator, 1, expect=2, ways=["before"], worlds=["cached"])
        assert report.orchestrator == ("quick" if owner is side else "renamed")


def test_days_pass_in_no_time() -> None:
    report = crash_everywhere(app, orders.in_a_generator, expect="told 3", within=timedelta(days=4), worlds=["cached"])
    assert report.all_survived
    assert report.points < 200


def test_events_have_pauses() -> None:
    times: list[float] = []

    def check(played: Played) -> None:
        first, last = played.history[0].time, played.history[-1].time
        times.append((last - first).total_seconds())

    events = [("tick", "a"), ("tick", "b", timedelta(minutes=10)), ("tick", "c", timedelta(minutes=10))]
    crash_everywhere(app, orders.three_events, expect=["a", "b", "c"], events=events, check=check, ways=["before"])
    # A crash may keep the first one back for a lease.
    assert min(times) >= 1200 - 30


def _two_more(order: Order) -> int:
    return order.amount + 2


async def _other(ctx: ActivityContext, order: Order) -> int:
    assert isinstance(order, Order)
    assert ctx.instance_id == "order-7"
    return order.amount + 1


@pytest.mark.parametrize(("other", "charged"), [(7, 7), (lambda: 8, 8), (_two_more, 12), (_other, 11)])
def test_activities_are_replaced(other: Any, charged: int) -> None:
    orders.charges.clear()
    report = crash_everywhere(
        app,
        process_order,
        ORDER,
        events=APPROVAL,
        expect=Receipt("A-1", charged),
        mocks={orders.charge: other, "tell-the-customer": "told"},
        instance_id="order-7",
        worlds=["cached"],
        ways=["before"],
    )
    assert report.activity_runs == {"charge": 2, "tell-the-customer": 2}
    assert not orders.charges


def test_what_happens_from_outside() -> None:
    async def first(client: Client) -> None:
        await client.start("process_order", ORDER, instance_id="neighbour")

    async def then(client: Client) -> None:
        await pause(5)
        for instance_id in ("it", "neighbour"):
            await client.terminate(instance_id, "closed")

    report = crash_everywhere(
        app,
        process_order,
        ORDER,
        first=first,
        then=then,
        status=RuntimeStatus.TERMINATED,
        expect="closed",
        worlds=["cached"],
    )
    assert report.all_survived


def test_a_scheduled_start() -> None:
    crash_everywhere(side, "quick", 1, starts_after=timedelta(minutes=2), expect=2, worlds=["cached"], ways=["after"])


def test_any_output() -> None:
    assert crash_everywhere(side, "quick", 1, expect=ANY, worlds=["cached"], ways=["lost"]).output == 2


def test_fresh_is_called_before_each_run() -> None:
    calls: list[None] = []
    report = crash_everywhere(side, "quick", 1, fresh=lambda: calls.append(None), worlds=["cached", "doubled"])
    assert len(calls) == report.points + 2


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    report = crash_everywhere(
        side, "quick", 1, ways=["lost"], worlds=["cached"], progress=lambda tried, of: seen.append((tried, of))
    )
    assert seen == [(number, report.points) for number in range(1, report.points + 1)]


def test_one_point_alone() -> None:
    whole = crash_everywhere(side, "quick", 1, worlds=["cached"], ways=["after"])
    alone = crash_everywhere(side, "quick", 1, only="azure cached after 1")
    assert whole.points > alone.points == alone.survived == 1
    assert crash_everywhere(side, "quick", 1, only="sqlite doubled lost -1").points == 0


@pytest.mark.parametrize("point", ["", "azure cached after", "azure cached sideways 1", "paper cached after 1"])
def test_a_point_that_is_none(point: str) -> None:
    with pytest.raises(InvalidInputError, match="is no point"):
        crash_everywhere(side, "quick", 1, only=point)


def test_wrong_worlds_ways_and_stores() -> None:
    wrong: Any = "sideways"
    with pytest.raises(InvalidInputError, match="'sideways' is none of cached, scratch, doubled"):
        crash_everywhere(side, "quick", 1, worlds=[wrong])
    with pytest.raises(InvalidInputError, match="'sideways' is none of before, after, lost"):
        crash_everywhere(side, "quick", 1, ways=[wrong])
    with pytest.raises(InvalidInputError, match="'azure' or 'sqlite'"):
        crash_everywhere(side, "quick", 1, store=wrong)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no orchestrator is registered under the name 'slow'; registered: "):
        crash_everywhere(side, "slow")
    with pytest.raises(ConfigurationError, match="there is no activity 'chargge' to replace"):
        crash_everywhere(app, process_order, ORDER, mocks={"chargge": 1})
    options: Any = {"event": APPROVAL}
    with pytest.raises(ConfigurationError, match="no option event"):
        crash_everywhere(app, process_order, ORDER, **options)


def test_an_event_loop_is_refused() -> None:
    async def main() -> None:
        crash_everywhere(side, "quick", 1)

    with pytest.raises(ConfigurationError, match="plain def test"):
        asyncio.run(main())


def test_logs_are_as_before() -> None:
    log = logging.getLogger("durable_ext")
    before = log.level, log.propagate, list(log.handlers)
    crash_everywhere(side, "quick", 1, worlds=["cached"])
    assert (log.level, log.propagate, list(log.handlers)) == before


def test_failures_are_raised_or_returned() -> None:
    with pytest.raises(CrashPointError) as raised:
        crash_everywhere(app, "refusing", worlds=["cached"])
    report = crash_everywhere(app, "refusing", worlds=["cached"], raises=False)
    assert raised.value.report == report
    assert str(raised.value) == str(report)
    assert isinstance(raised.value, AssertionError)
    assert not report.all_survived
    assert isinstance(report, CrashReport)


def test_every_option_has_its_place() -> None:
    parts = set(Scenario.__struct_fields__) - {"registry", "orchestrator", "input"}
    assert set(ScenarioOptions.__annotations__) == parts
    assert set(CrashOptions.__annotations__) == parts | set(Plans.__struct_fields__) | {"progress", "raises"}
    documented = crash_everywhere.__doc__ or ""
    assert [name for name in CrashOptions.__annotations__ if f"`{name}`" not in documented] == []
    assert set(faults.__all__) <= set(dir(faults))
