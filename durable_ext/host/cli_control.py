"""`durable raise`, `terminate`, `suspend`, `resume` and `purge`: act on instances.

All but purge send a message: the command is done when it is sent, the instance acts on it when a host runs.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_ext.errors import InstanceNotFoundError, InvalidInputError
from durable_ext.host.cli_options import Commands, add_command, add_filter_options, filter_of
from durable_ext.host.cli_start import read_json
from durable_ext.host.cli_text import print_json
from durable_ext.host.exit_codes import ExitCode
from durable_ext.providers.contract import InstanceFilter

if TYPE_CHECKING:
    from durable_ext.worker.client import Client


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    event = add_command(commands, "raise", _raise, "Raise an event in an instance.")
    event.add_argument("id", help="the instance id")
    event.add_argument("event", help="the name of the event")
    event.add_argument("--data", metavar="JSON", default="null", help="its data")
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
    add_filter_options(purge)


def _add_id_and_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the instance id")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; kept in its history")


async def _raise(options: argparse.Namespace, client: Client) -> int:
    data = read_json(options.data, "--data")
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
    where = filter_of(options)
    filtered = where != InstanceFilter()
    if filtered == (options.id is not None):
        raise InvalidInputError("purge takes an instance id, or a filter such as --status Completed")
    if filtered:
        count = await client.purge_matching(where)
    else:
        count = int(await client.purge(options.id))
        if not count:
            raise InstanceNotFoundError(f"no instance has the id {options.id!r}")
    print_json({"instancesDeleted": count}) if options.json else print(f"{count} purged")
    return ExitCode.OK


def _done(options: argparse.Namespace, what: str) -> int:
    print_json({"instanceId": options.id}) if options.json else print(f"{options.id}: {what}")
    return ExitCode.OK
