"""What a schedule says, and the times that follow from it. Pure arithmetic: a clock reading comes in as a value.

Times lie on a grid that begins with the schedule, so that nothing drifts: an interval is counted from its first time,
and a cron expression is read in its own time zone, daylight saving included.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from durable_ext.authoring.registry import SCHEDULE
from durable_ext.errors import InvalidInputError
from durable_ext.records.ids import check_instance_id, check_name

# The built-in orchestrator of a schedule, the prefix of its instance id, and the event that carries a command.
ORCHESTRATOR = SCHEDULE
ID_PREFIX = "durable-schedule:"
COMMAND = "durable.schedule.command"

Overlap = Literal["skip", "allow"]
Missed = Literal["once", "all", "skip"]
_MOMENT = timedelta(microseconds=1)
DEFAULT_PATTERN = "{schedule}-{time}-{number}"


class ScheduleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is run, and when. Either `interval` or `cron` is set; `input` is plain data. docs/schedules.md tells all."""

    orchestrator: str
    input: Any = None
    version: str | None = None
    interval: timedelta | None = None
    cron: str | None = None
    time_zone: str = "UTC"
    start_at: datetime | None = None
    end_at: datetime | None = None
    start_immediately_if_late: bool = False
    overlap: Overlap = "skip"
    missed: Missed = "once"
    instance_id: str = DEFAULT_PATTERN


def check_spec(spec: ScheduleSpec) -> ScheduleSpec:
    """The spec itself when it can be followed, else InvalidInputError."""
    check_name("orchestrator name", spec.orchestrator)
    if (spec.interval is None) == (spec.cron is None):
        raise InvalidInputError("a schedule has either an interval or a cron expression")
    if spec.interval is not None and spec.interval < timedelta(seconds=1):
        raise InvalidInputError(f"the interval of a schedule is at least a second, not {spec.interval}")
    for name, time in (("start_at", spec.start_at), ("end_at", spec.end_at)):
        if time is not None and time.tzinfo is None:
            raise InvalidInputError(f"{name} of a schedule has no time zone; give an aware datetime")
    if spec.start_at is not None and spec.end_at is not None and spec.end_at <= spec.start_at:
        raise InvalidInputError("end_at of a schedule has to be after start_at")
    _zone(spec)
    if spec.cron is not None:
        _cron_time(spec, datetime(2000, 1, 1, tzinfo=UTC))
    check_instance_id(run_id(spec, "schedule", datetime(2000, 1, 1, tzinfo=UTC), 1))
    return spec


def run_id(spec: ScheduleSpec, schedule_id: str, time: datetime, number: int) -> str:
    """The instance id of a run. Raises InvalidInputError for a pattern that cannot be filled in."""
    text = time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        return spec.instance_id.format(schedule=schedule_id, time=text, number=number)
    except (LookupError, ValueError) as error:
        raise InvalidInputError(
            f"the instance id pattern {spec.instance_id!r} cannot be filled in; it may have {{schedule}}, {{time}} and "
            "{number}"
        ) from error


def first(spec: ScheduleSpec, now: datetime) -> datetime | None:
    """The first time of a schedule that begins now; None when it has none."""
    start = spec.start_at
    if start is None:
        return following(spec, now, now)
    if start < now and spec.start_immediately_if_late:
        return None if spec.end_at is not None and now > spec.end_at else now
    return following(spec, start, max(start, now) - _MOMENT)


def following(spec: ScheduleSpec, anchor: datetime, after: datetime) -> datetime | None:
    """The first time after a moment; None when there is none. `anchor` is where the grid of an interval begins."""
    found = _interval_time(spec.interval, anchor, after) if spec.interval is not None else _cron_time(spec, after)
    return None if found is None or (spec.end_at is not None and found > spec.end_at) else found


def latest(spec: ScheduleSpec, anchor: datetime, due: datetime, now: datetime) -> datetime:
    """The last time up to now, of those from `due` on."""
    if spec.interval is not None:
        return max(due, anchor + ((now - anchor) // spec.interval) * spec.interval)
    return max(due, _cron_time(spec, now + timedelta(seconds=1), reverse=True) or due)


def _interval_time(interval: timedelta, anchor: datetime, after: datetime) -> datetime:
    return anchor if after < anchor else anchor + ((after - anchor) // interval + 1) * interval


def _cron_time(spec: ScheduleSpec, moment: datetime, *, reverse: bool = False) -> datetime | None:
    from cronsim import CronSim, CronSimError

    try:
        found = next(CronSim(spec.cron or "", moment.astimezone(_zone(spec)), reverse=reverse), None)
    except CronSimError as error:
        raise InvalidInputError(
            f"the cron expression {spec.cron!r} cannot be read ({error}); it takes minute, hour, day, month and day of "
            "week, and perhaps the second before them"
        ) from error
    return None if found is None else found.astimezone(UTC)


def _zone(spec: ScheduleSpec) -> tzinfo:
    if spec.time_zone == "UTC":  # also where no time zone data is installed
        return UTC
    try:
        return ZoneInfo(spec.time_zone)
    except (LookupError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"there is no time zone {spec.time_zone!r}; give a name such as Europe/Berlin"
        ) from error
