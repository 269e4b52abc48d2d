"""Timers: when they fire, and that neither a slow nor a failed run disturbs the schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from durable_ext.errors import ConfigurationError, StorageUnavailableError
from durable_ext.host.outage import Outage
from durable_ext.host.timers import Timers

from . import virtual
from .virtual import pass_time


async def nothing() -> None:
    return


@dataclass
class Timer:
    name: str
    schedule: str
    run_on_startup: bool = False
    work: Callable[[], Awaitable[None]] = nothing
    fired: list[float] = field(default_factory=list[float])

    async def invoke(self, past_due: bool = False) -> None:
        assert not past_due
        self.fired.append(asyncio.get_running_loop().time())
        await self.work()


def fired(seconds: float, *timers: Timer) -> list[list[float]]:
    async def run() -> None:
        running = asyncio.create_task(Timers(timers, {}, virtual.now, Outage()).run())
        await pass_time(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual.run(run)
    return [[round(time, 3) for time in timer.fired] for timer in timers]


def test_each_fires_by_its_own_schedule() -> None:
    every_ten, hourly = Timer("a", "*/10 * * * * *"), Timer("b", "0 0 * * * *")
    assert fired(3601, every_ten, hourly) == [[10.0 * i for i in range(1, 361)], [3600]]


def test_on_startup() -> None:
    assert fired(61, Timer("a", "0 * * * * *", run_on_startup=True)) == [[0, 60]]


def test_runs_do_not_overlap_and_missed_ones_are_left_out() -> None:
    async def slow() -> None:
        await pass_time(25)

    assert fired(101, Timer("a", "*/10 * * * * *", work=slow)) == [[10, 40, 70, 100]]


def test_a_failed_run_does_not_end_the_schedule(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("on purpose")

    assert fired(121, Timer("a", "0 * * * * *", work=fail)) == [[60, 120]]
    assert caplog.text.count("timer a failed") == 2


def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise StorageUnavailableError("down")

    assert fired(301, Timer("a", "0 * * * * *", work=fail)) == [[60, 120, 180, 240, 300]]
    assert len(caplog.records) == 1


def test_a_time_span() -> None:
    assert fired(100, Timer("a", "00:00:45")) == [[45, 90]]


def test_a_wrong_schedule_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError):
        Timers([Timer("a", "now and then")], {}, virtual.now, Outage())
