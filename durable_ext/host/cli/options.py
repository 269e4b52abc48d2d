"""Options that commands share, and the hub that they open."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durable_ext.host.storage_choice import Chosen, StorageOptions, choose

if TYPE_CHECKING:
    from durable_ext.authoring.registry import Registry
    from durable_ext.worker.client import Client

# What a command does with the client of the hub; returns the exit code.
Command = Callable[[argparse.Namespace, "Client"], Awaitable[int]]
Commands = Any  # argparse has no public name for what add_subparsers returns


def add_storage_options(parser: argparse.ArgumentParser) -> None:
    """Which hub is meant; the same options for the host and for every command."""
    group = parser.add_argument_group("storage")
    group.add_argument("--app", metavar="FILE", default="function_app.py", help="the app (default: %(default)s)")
    group.add_argument("--storage", metavar="WHERE", help="sqlite, sqlite:FILE, azurite or azure (default: sqlite)")
    group.add_argument("--hub", metavar="NAME", help="name of the task hub")
    group.add_argument("--partitions", metavar="N", type=int, help="control queues of the hub, fixed for its life")


def add_command(commands: Commands, name: str, command: Command, summary: str, *, creates: bool = False) -> Any:
    """Add a command that works on a hub. `creates`: the one that creates it; all others want it to be there."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    parser.add_argument(
        "--load-app", action="store_true", help="use the app's converter, its orchestrators' names and its versions"
    )
    add_storage_options(parser)
    parser.set_defaults(run=partial(_run_in_loop, command, creates))
    return parser


def chosen_storage(options: argparse.Namespace) -> Chosen:
    """The storage that the options and settings mean, written into the environment. Raises ConfigurationError."""
    return choose(
        StorageOptions(
            app_file=Path(options.app).resolve(),
            storage=options.storage,
            hub=options.hub,
            partitions=options.partitions,
        ),
        os.environ,
    )


def _run_in_loop(command: Command, creates: bool, options: argparse.Namespace) -> int:
    chosen = chosen_storage(options)
    registry = _registry(chosen) if options.load_app else None
    return asyncio.run(_run(partial(command, options), chosen, registry, creates=creates))


def _registry(chosen: Chosen) -> Registry:
    # Late, because it takes the Functions library.
    from durable_ext.host.apps import registry_of

    return registry_of(chosen.app_file)


async def _run(
    command: Callable[[Client], Awaitable[int]], chosen: Chosen, registry: Registry | None, *, creates: bool
) -> int:
    from durable_ext.host.storage import opened, opened_hub
    from durable_ext.worker.client import Client

    async with (opened if creates else opened_hub)(chosen) as store:
        if creates:
            await store.create_hub()
        client = Client(store, store, converter=None if registry is None else registry.converter)
        if registry is not None:
            client.check_orchestrator, client.check_entity = registry.check_orchestrator, registry.check_entity
            client.naming = registry
        return await command(client)
