"""Schedules of timer triggers: NCRONTAB expressions and time spans, in UTC.

NCRONTAB is cron with the second as first of six fields; with five fields the second is 0. All fields must match, day of
month and day of week too, where Unix cron takes either. cronsim reads the expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from durable_ext.errors import ConfigurationError

# The first occurrence after a moment; None when there is none.
Schedule = Callable[[datetime], datetime | None]

_SPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2}(?:\.\d+)?)")
_SETTING = re.compile(r"%([^%]+)%")


def read_schedule(text: str, environ: Mapping[str, str]) -> Schedule:
    """The schedule that a timer trigger names; `%NAME%` stands for a setting. Raises ConfigurationError."""
    resolved = _SETTING.sub(lambda match: _setting(match[1], environ), text).strip()
    span = _SPAN.fullmatch(resolved)
    return _cron(resolved) if span is None else _every(resolved, span)


def _setting(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"a timer's schedule names the setting {name}, which is not set")
    return value


def _every(text: str, span: re.Match[str]) -> Schedule:
    interval = timedelta(**{unit: float(number) for unit, number in span.groupdict("0").items()})
    if interval <= timedelta(0):
        raise ConfigurationError(f"the schedule {text!r} is no time; use hours:minutes:seconds above zero")
    return lambda after: after + interval


def _cron(text: str) -> Schedule:
    def following(after: datetime) -> datetime | None:
        occurrences = CronSim(text, after)
        occurrences.day_and = True
        return next(occurrences, None)

    try:
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ConfigurationError(
            f"the schedule {text!r} cannot be read ({error}); "
            "it takes {second} {minute} {hour} {day} {month} {day-of-week}, or hours:minutes:seconds"
        ) from error
    return following
