"""`durable entity`: list, show, signal and clean entities."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_ext.errors import InstanceNotFoundError
from durable_ext.host.cli import arguments
from durable_ext.host.cli.input import add_json_options, given_json
from durable_ext.host.cli.listing import first_of, tell_of_more
from durable_ext.host.cli.options import Commands, add_command
from durable_ext.host.cli.start import add_time_options, time_of
from durable_ext.host.cli.text import print_json, print_table, shortened, shown, time_text
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.worker.client import Client
    from durable_ext.worker.client.entities import EntityStatus

_DEFAULT_TOP = 100


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    parser = commands.add_parser("entity", help="Entities.")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = add_command(verbs, "list", _list, "List entities, ordered by id.")
    listing.add_argument("name", nargs="?", default="", help="only those of this name")
    listing.add_argument("--key-prefix", metavar="TEXT", default="", help="the key starts with it")
    listing.add_argument("--modified-from", metavar="TIME", type=arguments.time, help="the last operation")
    listing.add_argument("--modified-to", metavar="TIME", type=arguments.time, help="the same")
    listing.add_argument("--top", metavar="N", type=int, default=_DEFAULT_TOP, help="at most so many (%(default)s)")
    _add_id(add_command(verbs, "show", _show, "Show an entity with its state."))
    signal = add_command(verbs, "signal", _signal, "Have an entity run an operation.")
    _add_id(signal)
    signal.add_argument("operation", help="the name of the operation")
    add_json_options(signal, "input", "its input")
    add_time_options(signal, "run it then")
    signal.add_argument("--message-id", metavar="ID", help="two signals with one such id are one signal")
    clean = add_command(verbs, "clean", _clean, "Remove entities without state, and release locks nobody holds.")
    clean.add_argument("--keep-empty", action="store_true", help="only release locks")
    clean.add_argument("--keep-locks", action="store_true", help="only remove entities")


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the entity id, as @name@key")


async def _list(options: argparse.Namespace, client: Client) -> int:
    listing = client.list_entities(
        options.name,
        key_prefix=options.key_prefix,
        modified_from=options.modified_from,
        modified_to=options.modified_to,
    )
    found, more = await first_of(listing, options.top)
    if options.json:
        print_json([_entity_json(entity) for entity in found])
    else:
        rows = [
            (str(one.entity_id), _state(one), str(one.waiting), one.locked_by, time_text(one.last_modified_time))
            for one in found
        ]
        print_table(("ID", "STATE", "WAITING", "LOCKED BY", "MODIFIED"), rows)
    if more:
        tell_of_more(options.top)
    return ExitCode.OK


async def _show(options: argparse.Namespace, client: Client) -> int:
    entity = await client.read_entity(options.id)
    if entity is None:
        raise InstanceNotFoundError(f"nobody has asked anything of an entity {options.id!r}")
    plain = _entity_json(entity)
    if options.json:
        print_json(plain)
    else:
        for title, value in plain.items():
            if value is not None:
                print(f"{title:18} {shortened(value) if title == 'state' else shown(value)}")
    return ExitCode.OK


async def _signal(options: argparse.Namespace, client: Client) -> int:
    value = given_json(options, "input")
    await client.signal_entity(
        options.id, options.operation, value, signal_time=time_of(options), message_id=options.message_id
    )
    print_json({"entityId": options.id}) if options.json else print(f"{options.id}: signal sent")
    return ExitCode.OK


async def _clean(options: argparse.Namespace, client: Client) -> int:
    done = await client.clean_entities(
        remove_empty=not options.keep_empty, release_orphaned_locks=not options.keep_locks
    )
    if options.json:
        print_json({"removed": done.removed, "released": done.released})
    else:
        print(f"{done.removed} removed, {done.released} locks released")
    return ExitCode.OK


def _entity_json(entity: EntityStatus) -> dict[str, Any]:
    return {
        "entityId": str(entity.entity_id),
        "exists": entity.exists,
        "state": entity.state,
        "waiting": entity.waiting,
        "lockedBy": entity.locked_by or None,
        "createdTime": time_text(entity.created_time),
        "lastModifiedTime": time_text(entity.last_modified_time),
    }


def _state(entity: EntityStatus) -> str:
    return shortened(entity.state) if entity.exists else "(none)"
