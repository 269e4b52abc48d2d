"""`durable start` and `durable restart` begin an instance; `durable wait` waits for what becomes of one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from durable_ext.errors import InvalidInputError
from durable_ext.host.cli import arguments
from durable_ext.host.cli.input import add_json_options, given_json, read_json
from durable_ext.host.cli.options import Commands, add_command
from durable_ext.host.cli.text import print_json, print_status, status_json
from durable_ext.host.exit_codes import ExitCode
from durable_ext.records.instance import TERMINAL, RuntimeStatus

if TYPE_CHECKING:
    from durable_ext.authoring.status import InstanceStatus
    from durable_ext.worker.client import Client, StartOptions

_DEFAULT_WAIT = 60.0


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    start = add_command(commands, "start", _start, "Start an orchestration.")
    start.add_argument("name", help="the name of the orchestrator")
    add_json_options(start, "input", "its input")
    start.add_argument("--id", metavar="ID", help="the instance id (default: a new one)")
    start.add_argument("--version", metavar="VERSION", help="what it is pinned to (default: nothing)")
    start.add_argument(
        "--tag", metavar="KEY=VALUE", action="append", type=arguments.tag, default=[], help="again for more"
    )
    add_time_options(start, "start it then")
    start.add_argument(
        "--replace",
        metavar="STATUS",
        action="append",
        type=arguments.statuses,
        help="what an instance with this id may be: a status, any, none or ended (default: ended); again for more",
    )
    start.add_argument("--event", metavar="NAME", help="an event that is raised with the start")
    start.add_argument("--event-data", metavar="JSON", help="its data")
    _add_wait(start)
    restart = add_command(commands, "restart", _restart, "Start an instance's orchestration again, with its input.")
    restart.add_argument("id", help="the instance id")
    restart.add_argument("--same-id", action="store_true", help="under its id, once it has ended (default: a new id)")
    _add_wait(restart)
    wait = add_command(commands, "wait", _wait, "Wait for the end of an instance, or for something before it.")
    wait.add_argument("id", help="the instance id")
    wait.add_argument("--timeout", metavar="SECONDS", type=float, default=_DEFAULT_WAIT, help="default: %(default)g")
    what = wait.add_mutually_exclusive_group()
    what.add_argument("--start", action="store_true", help="until its code has begun")
    what.add_argument("--event", metavar="NAME", help="until an event of this name has come; prints its data")
    what.add_argument("--value", metavar="KEY", help="until it keeps a value under this key; prints it")


def add_time_options(parser: argparse.ArgumentParser, what: str) -> None:
    """`--at` and `--in`."""
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="TIME", type=arguments.time, help=what)
    when.add_argument(
        "--in", metavar="DURATION", dest="after", type=arguments.duration, help="or so much later, as 90s or 1d12h"
    )


def time_of(options: argparse.Namespace) -> datetime | None:
    """The time that `--at` or `--in` mean."""
    return options.at if options.after is None else datetime.now(UTC) + options.after


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=float,
        const=_DEFAULT_WAIT,
        help="wait for its end, at most this long (default: %(const)g)",
    )


async def _start(options: argparse.Namespace, client: Client) -> int:
    value, how = given_json(options, "input"), _start_options(options)
    instance_id = await client.start(options.name, value, instance_id=options.id, options=how)
    return await _after_start(options, client, instance_id)


def _start_options(options: argparse.Namespace) -> StartOptions:
    from durable_ext.worker.client import StartOptions

    if options.event is None and options.event_data is not None:
        raise InvalidInputError("--event-data needs the name of the event: --event NAME")
    data = read_json(options.event_data or "null", "--event-data")
    return StartOptions(
        version=options.version,
        tags=dict(options.tag),
        start_at=time_of(options),
        replace=TERMINAL if options.replace is None else frozenset[RuntimeStatus]().union(*options.replace),
        first_event=None if options.event is None else (options.event, data),
    )


async def _restart(options: argparse.Namespace, client: Client) -> int:
    instance_id = await client.restart(options.id, new_instance_id=not options.same_id)
    return await _after_start(options, client, instance_id)


async def _after_start(options: argparse.Namespace, client: Client, instance_id: str) -> int:
    if options.wait is None:
        print_json({"instanceId": instance_id}) if options.json else print(instance_id)
        return ExitCode.OK
    try:
        status = await client.wait_for_completion(instance_id, timedelta(seconds=options.wait))
    except TimeoutError as error:
        raise TimeoutError(f"instance {instance_id} has not ended within {options.wait:g} seconds") from error
    return _ended(options, status)


async def _wait(options: argparse.Namespace, client: Client) -> int:
    limit = timedelta(seconds=options.timeout)
    try:
        if options.event is not None:
            print_json(await client.wait_for_event(options.id, options.event, limit))
        elif options.value is not None:
            print_json(await client.wait_for_value(options.id, options.value, limit))
        elif options.start:
            status = await client.wait_for_start(options.id, limit)
            print_json(status_json(status)) if options.json else print_status(status)
        else:
            return _ended(options, await client.wait_for_completion(options.id, limit))
    except TimeoutError as error:
        raise TimeoutError(f"{options.timeout:g} seconds have passed for {options.id}, and it has not come") from error
    return ExitCode.OK


def _ended(options: argparse.Namespace, status: InstanceStatus) -> int:
    print_json(status_json(status)) if options.json else print_status(status)
    return ExitCode.OK if status.runtime_status is RuntimeStatus.COMPLETED else ExitCode.INSTANCE_FAILED
