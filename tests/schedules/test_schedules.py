"""Schedules through their client, over the whole engine on virtual time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import (
    DurableApp,
    InstanceNotFoundError,
    InvalidInputError,
    OrchestrationContext,
    Registry,
    ScheduleClient,
    ScheduleDescription,
    ScheduleExistsError,
    ScheduleNotFoundError,
)
from durable_ext.testing import Harness
from durable_ext.testing.scenario import StoreName
from durable_ext.testing.virtual_time import START

app = DurableApp()
HOUR = timedelta(hours=1)
STORES: tuple[StoreName, ...] = ("sqlite", "azure")


@dataclass(frozen=True)
class Order:
    minutes: int


@app.activity
def note(text: str) -> str:
    return text


@app.orchestrator
async def report(ctx: OrchestrationContext, order: Order) -> str:
    text = await ctx.call_activity(note, f"{order.minutes}")
    await asyncio.sleep(60 * order.minutes)
    return text


@app.orchestrator
async def failing(ctx: OrchestrationContext) -> None:
    raise ValueError("no paper")


def times(hub: Harness) -> list[timedelta]:
    return [timedelta(seconds=round((call.time - START).total_seconds())) for call in hub.calls.of(note)]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("doubled", [False, True])
def test_an_interval_does_not_drift(store: StoreName, doubled: bool) -> None:
    with Harness(app, store=store, doubled=doubled) as hub:
        schedules = ScheduleClient(hub.client)
        made = hub.wait(schedules.create("r", report, HOUR, input=Order(7)))
        assert (made.status, made.next_run_at) == ("active", (made.created_at or START) + HOUR)
        hub.advance(timedelta(hours=24, minutes=30))
        assert times(hub) == [hours * HOUR for hours in range(1, 25)]
        found = hub.wait(schedules.describe("r"))
        assert (found.runs, found.is_running, found.last_failure) == (24, False, None)
        assert hub.status(found.last_instance_id or "").output == "7"
        hub.assert_replays()


def test_pause_resume_trigger_update_delete() -> None:
    with Harness(app) as hub:
        schedules = ScheduleClient(hub.client)
        hub.wait(schedules.create("r", "report", "0 * * * *", input=Order(0)))
        with pytest.raises(ScheduleExistsError, match="'r' exists"):
            hub.wait(schedules.create("r", report, HOUR))
        assert hub.wait(schedules.pause("r")).status == "paused"
        hub.advance(timedelta(hours=5))
        assert times(hub) == []
        run = hub.wait(schedules.trigger("r"))
        assert hub.status(run).output == "0"
        assert hub.wait(schedules.resume("r")).next_run_at == START + timedelta(hours=6)
        hub.advance(HOUR)
        changed = hub.wait(schedules.update("r", every=timedelta(minutes=10), input=Order(1)))
        assert (changed.spec.cron, changed.spec.interval) == (None, timedelta(minutes=10))
        hub.advance(timedelta(minutes=25))
        assert [round(time / timedelta(minutes=1)) for time in times(hub)] == [300, 360, 370, 380]
        with pytest.raises(InvalidInputError, match="cannot be read"):
            hub.wait(schedules.update("r", every="never"))
        with pytest.raises(InvalidInputError, match="cannot be changed so"):
            hub.wait(schedules.update("r", **{"overlap": "perhaps"}))  # pyright: ignore[reportArgumentType] - what is refused
        hub.wait(schedules.delete("r"))
        for verb in (schedules.describe, schedules.pause, schedules.delete):
            with pytest.raises(ScheduleNotFoundError, match="no schedule 'r'") as caught:
                hub.wait(verb("r"))
            assert isinstance(caught.value, InstanceNotFoundError)
        hub.advance(timedelta(days=1))
        assert len(times(hub)) == 4
        assert hub.wait(schedules.create("r", report, HOUR, input=Order(0))).runs == 0


def test_the_list() -> None:
    async def names(schedules: ScheduleClient) -> list[str]:
        return [schedule.schedule_id async for schedule in schedules.list()]

    with Harness(app) as hub:
        schedules = ScheduleClient(hub.client)
        hub.run(report, Order(0))
        for name in ("b", "a"):
            hub.wait(schedules.create(name, report, HOUR, input=Order(0)))
        assert hub.wait(names(schedules)) == ["a", "b"]
        hub.wait(schedules.delete("a"))
        assert hub.wait(names(schedules)) == ["b"]


@pytest.mark.parametrize(("overlap", "minutes"), [("skip", [60, 180, 300]), ("allow", [60, 120, 180, 240, 300])])
def test_overlap(overlap: Any, minutes: list[int]) -> None:
    with Harness(app) as hub:
        schedules = ScheduleClient(hub.client)
        hub.wait(schedules.create("r", report, HOUR, input=Order(90), overlap=overlap))
        hub.advance(timedelta(hours=1, minutes=5))
        assert hub.wait(schedules.describe("r")).is_running == (overlap == "skip")
        hub.advance(timedelta(hours=4, minutes=10))
        assert times(hub) == [timedelta(minutes=minute) for minute in minutes]


def test_commands_while_a_run_goes_on() -> None:
    with Harness(app) as hub:
        schedules = ScheduleClient(hub.client)
        hub.wait(schedules.create("r", report, HOUR, input=Order(30)))
        hub.advance(timedelta(minutes=61))
        assert hub.wait(schedules.trigger("r")) != hub.wait(schedules.trigger("r"))
        assert hub.wait(schedules.pause("r")).is_running
        hub.advance(timedelta(hours=5))
        assert len(times(hub)) == 3
        hub.wait(schedules.resume("r"))
        hub.advance(HOUR)
        assert len(times(hub)) == 4
        hub.wait(schedules.delete("r"))
        hub.run_until_idle()
        assert {one.runtime_status.value for one in hub.instances()} == {"Completed"}


@pytest.mark.parametrize(("missed", "minutes"), [("once", [600]), ("all", [600] * 10), ("skip", [])])
def test_what_was_missed(missed: Any, minutes: list[int]) -> None:
    with Harness(app) as hub:
        schedules = ScheduleClient(hub.client)
        hub.wait(schedules.create("r", report, HOUR, input=Order(0), missed=missed))
        # Nobody works for ten hours, as when the app is down.
        hub.do(hub.engine.process.kill())
        hub.advance(timedelta(hours=10))
        hub.restart()
        hub.advance(timedelta(minutes=2))
        assert [time // timedelta(minutes=1) for time in times(hub)] == minutes
        hub.advance(HOUR)
        assert len(times(hub)) == len(minutes) + 1


def test_an_end_and_a_failure() -> None:
    with Harness(app) as hub:
        schedules = ScheduleClient(hub.client)
        hub.wait(schedules.create("r", failing, HOUR, end_at=START + timedelta(hours=2, minutes=30)))
        hub.advance(timedelta(hours=9))
        found = hub.wait(schedules.describe("r"))
        assert (found.status, found.runs) == ("ended", 2)
        assert found.last_failure == "failing failed: ValueError: no paper"
        assert hub.wait(schedules.update("r", end_at=None)).status == "active"


@pytest.mark.parametrize("store", STORES)
def test_a_crash_at_each_call(store: StoreName) -> None:
    def play(hub: Harness) -> ScheduleDescription:
        schedules = ScheduleClient(hub.client)
        hub.wait(schedules.create("r", report, HOUR, input=Order(10)))
        hub.advance(timedelta(hours=1, minutes=20))
        hub.wait(schedules.trigger("r"))
        hub.advance(timedelta(hours=1, minutes=20))
        return hub.wait(schedules.describe("r"))

    with Harness(app, store=store) as hub:
        assert play(hub).runs == 3
        calls = hub.storage_calls
    for call in range(0, calls, 3):
        for when in ("before", "after"):
            with Harness(app, store=store) as hub:
                hub.crash_at(call, when)
                found = play(hub)
                assert found.runs == 3
                assert len({(one.instance_id, one.task_id) for one in hub.calls}) == 3
                assert found.next_run_at is not None
                assert (found.next_run_at - (found.created_at or START)) % HOUR == timedelta(0)
                hub.assert_replays()


def test_it_costs_nothing_when_it_is_not_used() -> None:
    assert Registry().orchestrators == {}
    code = "import sys, durable_ext.worker.worker, durable_ext.functions.app as a; a.DurableApp(); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"cronsim", "zoneinfo", "durable_ext.authoring.schedule_rounds"} & set(shown.stdout.split()) == set()
