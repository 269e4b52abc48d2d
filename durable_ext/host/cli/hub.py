"""`durable hub create` creates a task hub. Of all others only a host does, at its start."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_ext.host.cli.options import Commands, add_command, chosen_storage
from durable_ext.host.cli.text import print_json
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.worker.client import Client


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    parser = commands.add_parser("hub", help="The task hub.")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(verbs, "create", _create, "Create the task hub, or what is missing of it.", creates=True)


async def _create(options: argparse.Namespace, _client: Client) -> int:
    """The hub is there by now: it was created before the command began."""
    chosen = chosen_storage(options)
    if options.json:
        print_json({"hub": chosen.settings.hub, "storage": str(chosen)})
    else:
        print(f"There is a task hub: {chosen}")
    return ExitCode.OK
