"""`durable schedule`: make, look at and command recurring schedules, which answer while a host runs the app."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from durable_ext.host.cli import arguments
from durable_ext.host.cli.input import add_json_options, given_json
from durable_ext.host.cli.options import Commands, add_command
from durable_ext.host.cli.text import print_json, print_table, shown, time_text
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.worker.client import Client
    from durable_ext.worker.client.schedules import ScheduleClient, ScheduleDescription

_Verb = Callable[[argparse.Namespace, "ScheduleClient"], Awaitable["ScheduleDescription"]]
# The options that go on as they are, when they are given.
_PLAIN = ("version", "time_zone", "start_at", "end_at", "overlap", "missed")


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    parser = commands.add_parser("schedule", help="Recurring schedules.")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(verbs, "list", _list, "List the schedules, ordered by id.")
    _add_verb(verbs, "show", _describe, "Show a schedule.")
    create = _add_verb(verbs, "create", _create, "Begin a schedule.")
    create.add_argument("orchestrator", help="the name of what it starts")
    _add_spec(create, required=True)
    update = _add_verb(verbs, "update", _update, "Change what a schedule says; new times begin now.")
    update.add_argument("--orchestrator", metavar="NAME", help="the name of what it starts")
    _add_spec(update, required=False)
    _add_verb(verbs, "pause", _pause, "Run nothing until it is resumed.")
    _add_verb(verbs, "resume", _resume, "Go on with the next time that comes.")
    trigger = add_command(verbs, "trigger", _trigger, "Run it now; prints the instance id.")
    trigger.add_argument("id", help="the schedule's id")
    delete = add_command(verbs, "delete", _delete, "End a schedule; runs that go on go on.")
    delete.add_argument("id", help="the schedule's id")


def _add_verb(verbs: Commands, name: str, verb: _Verb, summary: str) -> Any:
    parser = add_command(verbs, name, partial(_described, verb), summary)
    parser.add_argument("id", help="the schedule's id")
    return parser


def _add_spec(parser: argparse.ArgumentParser, *, required: bool) -> None:
    when = parser.add_mutually_exclusive_group(required=required)
    when.add_argument("--every", metavar="DURATION", type=arguments.duration, help="an interval, as 15m or 1d")
    when.add_argument("--cron", metavar="EXPRESSION", help="or a cron expression, as '30 2 * * *'")
    add_json_options(parser, "input", "the input of its runs")
    parser.add_argument("--version", metavar="VERSION", help="the version of its runs")
    parser.add_argument("--time-zone", metavar="NAME", help="of the cron expression (default: UTC)")
    parser.add_argument("--start-at", metavar="TIME", type=arguments.time, help="no run before")
    parser.add_argument("--end-at", metavar="TIME", type=arguments.time, help="no run after")
    parser.add_argument("--start-if-late", action="store_true", help="run at once when --start-at is past")
    parser.add_argument("--overlap", choices=("skip", "allow"), help="what is due while a run goes on (default: skip)")
    parser.add_argument(
        "--missed", choices=("once", "all", "skip"), help="what was due while the app was down (default: once)"
    )
    parser.add_argument("--run-id", metavar="PATTERN", help="of its runs (default: {schedule}-{time}-{number})")


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say, under the names of the client."""
    found = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    if options.start_if_late:
        found["start_immediately_if_late"] = True
    if options.run_id is not None:
        found["instance_id"] = options.run_id
    if options.input is not None or options.input_file is not None:
        found["input"] = given_json(options, "input")
    return found


async def _create(options: argparse.Namespace, schedules: ScheduleClient) -> ScheduleDescription:
    every = options.cron if options.every is None else options.every
    return await schedules.create(options.id, options.orchestrator, every, **_given(options))


async def _update(options: argparse.Namespace, schedules: ScheduleClient) -> ScheduleDescription:
    changes = _given(options)
    if options.orchestrator is not None:
        changes["orchestrator"] = options.orchestrator
    if options.every is not None or options.cron is not None:
        changes["every"] = options.cron if options.every is None else options.every
    return await schedules.update(options.id, **changes)


async def _pause(options: argparse.Namespace, schedules: ScheduleClient) -> ScheduleDescription:
    return await schedules.pause(options.id)


async def _resume(options: argparse.Namespace, schedules: ScheduleClient) -> ScheduleDescription:
    return await schedules.resume(options.id)


async def _describe(options: argparse.Namespace, schedules: ScheduleClient) -> ScheduleDescription:
    return await schedules.describe(options.id)


async def _described(verb: _Verb, options: argparse.Namespace, client: Client) -> int:
    plain = _schedule_json(await _answered(options, verb(options, _schedules(client))))
    if options.json:
        print_json(plain)
        return ExitCode.OK
    for title, value in plain.items():
        if value is not None:
            print(f"{title:18} {shown(value)}")
    return ExitCode.OK


async def _trigger(options: argparse.Namespace, client: Client) -> int:
    run = await _answered(options, _schedules(client).trigger(options.id))
    print_json({"instanceId": run}) if options.json else print(run)
    return ExitCode.OK


async def _delete(options: argparse.Namespace, client: Client) -> int:
    await _answered(options, _schedules(client).delete(options.id))
    print_json({"scheduleId": options.id}) if options.json else print(f"{options.id}: deleted")
    return ExitCode.OK


async def _list(options: argparse.Namespace, client: Client) -> int:
    found = [_schedule_json(schedule) async for schedule in _schedules(client).list()]
    if options.json:
        print_json(found)
        return ExitCode.OK
    titles = ("ID", "ORCHESTRATOR", "STATUS", "EVERY", "NEXT", "RUNS", "LAST FAILURE")
    keys = ("scheduleId", "orchestrator", "status", "every", "nextRunTime", "runs", "lastFailure")
    print_table(titles, [["" if one[key] is None else str(one[key]) for key in keys] for one in found])
    return ExitCode.OK


async def _answered(options: argparse.Namespace, answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except TimeoutError as error:
        raise TimeoutError(
            f"schedule {options.id!r} has not answered in time: it does when a host runs the app, and does then "
            "what it was asked"
        ) from error


def _schedules(client: Client) -> ScheduleClient:
    from durable_ext.worker.client.schedules import ScheduleClient

    return ScheduleClient(client)


def _schedule_json(schedule: ScheduleDescription) -> dict[str, Any]:
    spec = schedule.spec
    return {
        "scheduleId": schedule.schedule_id,
        "status": schedule.status,
        "orchestrator": spec.orchestrator,
        "every": spec.cron if spec.interval is None else str(spec.interval),
        "timeZone": spec.time_zone,
        "overlap": spec.overlap,
        "missed": spec.missed,
        "version": spec.version,
        "startAt": time_text(spec.start_at) or None,
        "endAt": time_text(spec.end_at) or None,
        "runId": spec.instance_id,
        "createdTime": time_text(schedule.created_at) or None,
        "nextRunTime": time_text(schedule.next_run_at) or None,
        "lastRunTime": time_text(schedule.last_run_at) or None,
        "lastInstanceId": schedule.last_instance_id,
        "lastFailure": schedule.last_failure,
        "runs": schedule.runs,
        "isRunning": schedule.is_running,
    }
