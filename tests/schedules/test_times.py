"""The times of a schedule: a grid without drift, time zones, ends, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from durable_ext.authoring.schedule_spec import ScheduleSpec, check_spec, first, following, latest
from durable_ext.errors import InvalidInputError

NOW = datetime(2030, 1, 1, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def spec(**fields: Any) -> ScheduleSpec:
    return ScheduleSpec(orchestrator="report", **fields)


def test_an_interval_lies_on_its_grid() -> None:
    hourly = spec(interval=HOUR)
    assert first(hourly, NOW) == NOW + HOUR
    assert following(hourly, NOW, NOW + timedelta(minutes=90)) == NOW + 2 * HOUR
    assert following(hourly, NOW, NOW + 2 * HOUR) == NOW + 3 * HOUR
    assert latest(hourly, NOW, NOW + HOUR, NOW + timedelta(hours=5, minutes=59)) == NOW + 5 * HOUR


def test_a_start_is_the_first_time() -> None:
    assert first(spec(interval=HOUR, start_at=NOW + 3 * HOUR), NOW) == NOW + 3 * HOUR
    past = NOW - timedelta(minutes=90)
    assert first(spec(interval=HOUR, start_at=past), NOW) == past + 2 * HOUR
    assert first(spec(interval=HOUR, start_at=past, start_immediately_if_late=True), NOW) == NOW
    assert first(spec(cron="0 12 * * *", start_at=NOW + timedelta(days=2)), NOW) == datetime(2030, 1, 3, 12, tzinfo=UTC)
    assert first(spec(cron="30 10 * * *", start_at=NOW), NOW - HOUR) == NOW


def test_an_end() -> None:
    ends = spec(interval=HOUR, end_at=NOW + 2 * HOUR)
    assert following(ends, NOW, NOW + HOUR) == NOW + 2 * HOUR
    assert following(ends, NOW, NOW + 2 * HOUR) is None
    late = spec(interval=HOUR, start_at=NOW - 9 * HOUR, end_at=NOW - HOUR, start_immediately_if_late=True)
    assert first(late, NOW) is None


def test_cron_keeps_to_its_time_zone() -> None:
    daily = spec(cron="0 9 * * *", time_zone="Europe/Berlin")
    before = following(daily, NOW, datetime(2030, 3, 30, tzinfo=UTC))
    assert before is not None
    assert before == datetime(2030, 3, 30, 8, tzinfo=UTC)
    assert following(daily, NOW, before) == datetime(2030, 3, 31, 7, tzinfo=UTC)
    assert latest(daily, NOW, before, before + timedelta(days=9)) == datetime(2030, 4, 8, 7, tzinfo=UTC)
    assert latest(daily, NOW, before, before) == before


def test_cron_with_seconds_comes_in_steps() -> None:
    times = [NOW]
    for _ in range(5):
        time = following(spec(cron="*/20 * * * * *"), NOW, times[-1])
        assert time is not None
        times.append(time)
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=20)}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "either an interval or a cron"),
        ({"interval": HOUR, "cron": "0 9 * * *"}, "either an interval or a cron"),
        ({"interval": timedelta(milliseconds=1)}, "at least a second"),
        ({"cron": "whenever"}, "cannot be read"),
        ({"interval": HOUR, "time_zone": "Mars/Olympus"}, "no time zone"),
        ({"interval": HOUR, "start_at": datetime(2030, 1, 1)}, "start_at of a schedule has no time zone"),  # noqa: DTZ001 - what is refused
        ({"interval": HOUR, "start_at": NOW, "end_at": NOW}, "after start_at"),
        ({"interval": HOUR, "instance_id": "{who}"}, "cannot be filled in"),
        ({"interval": HOUR, "instance_id": "a/b"}, "contains /"),
    ],
)
def test_what_cannot_be_followed(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        check_spec(spec(**fields))
