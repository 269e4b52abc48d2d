"""Schedules: six fields, five fields, time spans, all fields must match (functions-host.md 5)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.host.schedules import read_schedule

# A Tuesday.
START = datetime(2030, 1, 1, 10, 7, 13, 500_000, tzinfo=UTC)


def first(schedule: str, after: datetime = START) -> datetime | None:
    return read_schedule(schedule, {})(after)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/10 * * * * *", "2030-01-01T10:07:20Z"),
        ("0 * * * * *", "2030-01-01T10:08:00Z"),
        ("0 */5 * * * *", "2030-01-01T10:10:00Z"),
        ("*/5 * * * *", "2030-01-01T10:10:00Z"),
        ("30 9 * * 1-5", "2030-01-02T09:30:00Z"),
        ("0 30 9 * * Mon", "2030-01-07T09:30:00Z"),
        ("0 30 9 * Feb,Mar *", "2030-02-01T09:30:00Z"),
        ("5/20 7 10 1 1 *", "2030-01-01T10:07:25Z"),
        ("0 0 0 29 2 *", "2032-02-29T00:00:00Z"),
        ("0 0 0 * * 0", "2030-01-06T00:00:00Z"),
    ],
)
def test_the_next_occurrence(schedule: str, expected: str) -> None:
    assert first(schedule) == datetime.fromisoformat(expected)


def test_day_of_month_and_day_of_week_must_both_match() -> None:
    # Unix cron would take any 13th and any Friday.
    assert first("0 0 0 13 * 5") == datetime(2030, 9, 13, tzinfo=UTC)


def test_an_occurrence_is_after_the_moment_asked_for() -> None:
    at = datetime(2030, 1, 1, 10, 8, tzinfo=UTC)
    assert first("0 * * * * *", at) == datetime(2030, 1, 1, 10, 9, tzinfo=UTC)


def test_a_day_that_never_comes() -> None:
    assert first("0 0 0 31 2 5") is None


@pytest.mark.parametrize(
    ("span", "seconds"), [("00:00:30", 30), ("01:02:03", 3723), ("1.00:00:00", 86400), ("0:0:0.5", 0.5)]
)
def test_a_time_span_counts_from_the_moment(span: str, seconds: float) -> None:
    following = first(span)
    assert following is not None
    assert (following - START).total_seconds() == seconds


def test_a_setting_stands_for_a_schedule() -> None:
    schedule = read_schedule("%EVERY%", {"EVERY": "0 * * * * *"})
    assert schedule(START) == datetime(2030, 1, 1, 10, 8, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="EVERY"):
        read_schedule("%EVERY%", {})


@pytest.mark.parametrize("schedule", ["", "x", "* * * *", "61 * * * * *", "0 0 0 * * 8", "00:00:00", "* * * * * * *"])
def test_a_schedule_that_cannot_be_read_is_refused(schedule: str) -> None:
    with pytest.raises(ConfigurationError, match="schedule"):
        read_schedule(schedule, {})
