"""`durable quarantine`: messages that could not be processed and were kept for an operator (P11)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_ext.errors import InstanceNotFoundError
from durable_ext.host.cli.options import Commands, add_command
from durable_ext.host.cli.terminal import harmless, one_line
from durable_ext.host.cli.text import print_json, print_table, quarantined_json, time_text
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.worker.client import Client

_MOST = 1000


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    parser = commands.add_parser("quarantine", help="Messages that could not be processed.")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(verbs, "list", _list, "List the messages kept, oldest first.")
    show = add_command(verbs, "show", _show, "Show a message with its body.")
    show.add_argument("id", help="the message id")
    replay = add_command(verbs, "replay", _replay, "Send a message again, once its cause is mended.")
    replay.add_argument("id", help="the message id")
    delete = add_command(verbs, "delete", _delete, "Delete a message for good.")
    delete.add_argument("id", help="the message id")


async def _list(options: argparse.Namespace, client: Client) -> int:
    messages = await client.catalog.list_quarantined(limit=_MOST)
    if options.json:
        print_json([quarantined_json(message) for message in messages])
    else:
        rows = [(one.id, one.queue, one.instance_id, time_text(one.time), one.reason) for one in messages]
        print_table(("ID", "QUEUE", "INSTANCE", "TIME", "REASON"), rows)
    return ExitCode.OK


async def _show(options: argparse.Namespace, client: Client) -> int:
    message = await client.catalog.read_quarantined(options.id)
    if message is None:
        raise _unknown(options.id)
    fields = quarantined_json(message)
    if options.json:
        print_json(fields)
        return ExitCode.OK
    stack = fields.pop("stack")
    for title, value in fields.items():
        print(f"{title:16} {one_line(str(value))}")
    if stack:
        print(f"\n{harmless(stack.rstrip())}")
    return ExitCode.OK


async def _replay(options: argparse.Namespace, client: Client) -> int:
    return await _release(options, client, replay=True)


async def _delete(options: argparse.Namespace, client: Client) -> int:
    return await _release(options, client, replay=False)


async def _release(options: argparse.Namespace, client: Client, *, replay: bool) -> int:
    if not await client.catalog.release_quarantined(options.id, replay=replay):
        raise _unknown(options.id)
    what = "sent again" if replay else "deleted"
    print_json({"id": options.id, "replayed": replay}) if options.json else print(f"{options.id}: {what}")
    return ExitCode.OK


def _unknown(message_id: str) -> InstanceNotFoundError:
    return InstanceNotFoundError(f"no kept message has the id {message_id!r}")
