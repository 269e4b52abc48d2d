"""`durable status`, `list`, `count`, `history`, `executions`, `values`: look, and change nothing in the hub."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from durable_ext.errors import InstanceNotFoundError
from durable_ext.host.cli.filters import add_filter_options, counted, filter_of, matching
from durable_ext.host.cli.listing import first_of, tell_of_more
from durable_ext.host.cli.options import Commands, add_command
from durable_ext.host.cli.text import (
    print_json,
    print_status,
    print_table,
    print_turns,
    progress_json,
    shortened,
    shown_status,
    status_json,
    time_text,
    turn_json,
)
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.authoring.status import InstanceStatus
    from durable_ext.worker.client import Client

_DEFAULT_TOP = 100


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    status = add_command(commands, "status", _status, "Show an instance.")
    status.add_argument("id", help="the instance id")
    status.add_argument("--follow", action="store_true", help="and again at every change, until it has ended")
    listing = add_command(commands, "list", _list, "List instances, ordered by id.")
    add_filter_options(listing, tags=True, entities=True)
    listing.add_argument("--top", metavar="N", type=int, default=_DEFAULT_TOP, help="at most so many (%(default)s)")
    counting = add_command(commands, "count", _count, "Count instances by status.")
    add_filter_options(counting, tags=True, entities=True)
    history = add_command(commands, "history", _history, "Show what happened to an instance.")
    history.add_argument("id", help="the instance id")
    history.add_argument("--execution", metavar="ID", help="an execution id (default: the current one)")
    history.add_argument("--output", metavar="FILE", help="write it to a history file, for durable replay")
    executions = add_command(commands, "executions", _executions, "List the executions of an instance, oldest first.")
    executions.add_argument("id", help="the instance id")
    values = add_command(commands, "values", _values, "Show the values that an instance keeps.")
    values.add_argument("id", help="the instance id")
    values.add_argument("key", nargs="?", help="only this one")


async def _status(options: argparse.Namespace, client: Client) -> int:
    if options.follow:
        return await _follow(options, client)
    status = await client.get(options.id, with_progress=True)
    if status is None:
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    if options.json:
        print_json({**status_json(status), "activityProgress": progress_json(status)})
    else:
        print_status(status)
    return ExitCode.OK


async def _follow(options: argparse.Namespace, client: Client) -> int:
    async for status in client.changes(options.id):
        if options.json:
            print_json(status_json(status))
        else:
            said = "" if status.custom_status is None else shortened(status.custom_status)
            print(f"{time_text(status.last_updated_time)}  {shown_status(status):<10}  {said}".rstrip())
        sys.stdout.flush()
    return ExitCode.OK


async def _count(options: argparse.Namespace, client: Client) -> int:
    found = await counted(client, filter_of(options), options.tag)
    if options.json:
        print_json(found)
    else:
        for status, number in found.items():
            print(f"{status:<15} {number}")
    return ExitCode.OK


async def _list(options: argparse.Namespace, client: Client) -> int:
    # A table shows no inputs, which may be in blobs.
    listing = matching(client, filter_of(options), options.tag, with_input=options.json)
    found, more = await first_of(listing, options.top)
    if options.json:
        print_json([status_json(status) for status in found])
    else:
        print_table(("ID", "NAME", "STATUS", "CREATED", "UPDATED"), [_columns(status) for status in found])
    if more:
        tell_of_more(options.top)
    return ExitCode.OK


async def _history(options: argparse.Namespace, client: Client) -> int:
    if options.output:
        return await _save(options, client)
    turns = await client.history(options.id, options.execution)
    if not turns and await client.get(options.id) is None:
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    print_json([turn_json(turn) for turn in turns]) if options.json else print_turns(turns)
    return ExitCode.OK


async def _save(options: argparse.Namespace, client: Client) -> int:
    from durable_ext.testing.histories import fetch_history, write_history

    if await client.get(options.id, with_input=False) is None:
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    history = await fetch_history(client, options.id, options.execution)
    write_history(history, options.output)
    if options.json:
        print_json({"file": options.output, "turns": len(history.turns)})
    else:
        print(f"{options.output}: {len(history.turns)} turns of {options.id}")
    return ExitCode.OK


async def _executions(options: argparse.Namespace, client: Client) -> int:
    found = await client.executions(options.id)
    if not found:
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    if options.json:
        print_json([status_json(status) for status in found])
    else:
        titles = ("EXECUTION", "NAME", "STATUS", "UPDATED")
        print_table(titles, [(status.execution_id, *_columns(status)[1:3], _columns(status)[4]) for status in found])
    return ExitCode.OK


async def _values(options: argparse.Namespace, client: Client) -> int:
    found = await client.get_values(options.id)
    if not found and await client.get(options.id, with_input=False) is None:
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    if options.key is not None:
        if options.key not in found:
            raise InstanceNotFoundError(f"instance {options.id!r} keeps nothing under {options.key!r}")
        print_json(found[options.key])
    elif options.json:
        print_json(found)
    else:
        print_table(("KEY", "VALUE"), [(key, shortened(value)) for key, value in sorted(found.items())])
    return ExitCode.OK


def _columns(status: InstanceStatus) -> tuple[str, ...]:
    return (
        status.instance_id,
        status.name,
        shown_status(status),
        time_text(status.created_time),
        time_text(status.last_updated_time),
    )
