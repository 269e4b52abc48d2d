"""`durable raise`, `terminate`, `suspend`, `resume` and `purge`: act on instances.

All but purge send a message: the command is done when it is sent, the instance acts on it when a host runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from durable_ext.errors import InstanceNotFoundError, InvalidInputError
from durable_ext.host.cli import arguments
from durable_ext.host.cli.filters import add_filter_options, counted, filter_of, is_given, matching
from durable_ext.host.cli.input import add_json_options, given_json, read_json
from durable_ext.host.cli.options import Commands, add_command
from durable_ext.host.cli.terminal import one_line
from durable_ext.host.cli.text import print_json
from durable_ext.host.exit_codes import ExitCode
from durable_ext.providers.contract import InstanceFilter

if TYPE_CHECKING:
    from durable_ext.worker.client import Client


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    event = add_command(commands, "raise", _raise, "Raise an event in an instance.")
    event.add_argument("id", help="the instance id")
    event.add_argument("event", help="the name of the event")
    add_json_options(event, "data", "its data")
    event.add_argument("--message-id", metavar="ID", help="two events with one such id are one event")
    terminate = add_command(commands, "terminate", _terminate, "End an instance and the children it waits for.")
    _add_id_and_reason(terminate)
    terminate.add_argument("--keep-children", action="store_true", help="let its children go on")
    terminate.add_argument(
        "--output", metavar="JSON", default="null", help="what its status shows (default: the reason)"
    )
    _add_id_and_reason(add_command(commands, "suspend", _suspend, "Keep inputs from an instance until it is resumed."))
    _add_id_and_reason(add_command(commands, "resume", _resume, "Undo suspend."))
    summary = "Let a failed instance go on from before its failure; what failed runs again."
    _add_id_and_reason(add_command(commands, "rewind", _rewind, summary))
    purge = add_command(commands, "purge", _purge, "Delete ended instances: one by id, or those of a filter.")
    purge.add_argument("id", nargs="?", help="the instance id")
    purge.add_argument(
        "--older-than", metavar="DURATION", type=arguments.duration, help="ended longer ago than that, as 30d"
    )
    purge.add_argument("--recursive", action="store_true", help="their ended children as well")
    purge.add_argument("--force", action="store_true", help="one by id that has not ended, too: it is terminated first")
    purge.add_argument("--dry-run", action="store_true", help="delete nothing: count what the filter takes, by status")
    add_filter_options(purge, tags=True)


def _add_id_and_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the instance id")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; kept in its history")


async def _raise(options: argparse.Namespace, client: Client) -> int:
    data = given_json(options, "data")
    await client.raise_event(options.id, options.event, data, message_id=options.message_id)
    return _done(options, "event raised")


async def _terminate(options: argparse.Namespace, client: Client) -> int:
    output = read_json(options.output, "--output")
    await client.terminate(options.id, options.reason, recursive=not options.keep_children, output=output)
    return _done(options, "termination sent")


async def _suspend(options: argparse.Namespace, client: Client) -> int:
    await client.suspend(options.id, options.reason)
    return _done(options, "suspension sent")


async def _resume(options: argparse.Namespace, client: Client) -> int:
    await client.resume(options.id, options.reason)
    return _done(options, "resumption sent")


async def _rewind(options: argparse.Namespace, client: Client) -> int:
    await client.rewind(options.id, options.reason)
    return _done(options, "rewound")


async def _purge(options: argparse.Namespace, client: Client) -> int:
    from durable_ext.worker.client.purges import ended_only

    filtered = is_given(options) or options.older_than is not None
    if filtered == (options.id is not None):
        raise InvalidInputError("purge takes an instance id, or a filter such as --status Completed")
    if not filtered:
        return await _purge_one(options, client)
    if options.force:
        raise InvalidInputError("--force takes one instance id, not a filter")
    where = ended_only(_older(options, client))
    if options.dry_run:
        found = await counted(client, where, options.tag)
        print_json({"instancesMatching": found}) if options.json else print(_counted_text(found))
        return ExitCode.OK
    if options.tag:
        count = await _purge_tagged(options, client, where)
    else:
        count = await client.purge_matching(where, recursive=options.recursive)
    return _purged(options, count)


async def _purge_one(options: argparse.Namespace, client: Client) -> int:
    if options.dry_run:
        raise InvalidInputError("--dry-run counts what a filter takes; for one instance ask for its status")
    if options.force:
        return await _purge_by_force(options, client)
    if not await client.purge(options.id, recursive=options.recursive):
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    return _purged(options, 1)


async def _purge_by_force(options: argparse.Namespace, client: Client) -> int:
    forced = await client.purge_by_force(options.id, recursive=options.recursive)
    if forced is None:
        raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    if options.json:
        print_json({"instancesDeleted": 1, "forced": forced})
        return ExitCode.OK
    ended = "" if forced.was.is_terminal else ", and was terminated"
    damage = f" without its history, which cannot be read: {forced.damage}" if forced.damage else ""
    print(one_line(f"1 purged: it was {forced.was.value}{ended}{damage}; told: {', '.join(forced.told) or 'nobody'}"))
    return ExitCode.OK


async def _purge_tagged(options: argparse.Namespace, client: Client, where: InstanceFilter) -> int:
    count = 0
    async for status in matching(client, where, options.tag):
        count += await client.purge(status.instance_id, recursive=options.recursive)
    return count


def _older(options: argparse.Namespace, client: Client) -> InstanceFilter:
    where = filter_of(options)
    if options.older_than is None:
        return where
    if where.completed_to is not None:
        raise InvalidInputError("--older-than and --completed-to exclude each other")
    return msgspec.structs.replace(where, completed_to=client.now - options.older_than)


def _counted_text(found: Mapping[str, int]) -> str:
    parts = ", ".join(f"{number} {status}" for status, number in found.items())
    return f"{sum(found.values())} would be purged" + (f": {parts}" if parts else "")


def _purged(options: argparse.Namespace, count: int) -> int:
    print_json({"instancesDeleted": count}) if options.json else print(f"{count} purged")
    return ExitCode.OK


def _done(options: argparse.Namespace, what: str) -> int:
    print_json({"instanceId": options.id}) if options.json else print(f"{options.id}: {what}")
    return ExitCode.OK
