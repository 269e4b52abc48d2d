"""Options that commands share, and the hub that they open."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durable_ext.errors import InstanceNotFoundError
from durable_ext.host.storage_choice import Chosen, StorageOptions, choose
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.given import as_utc
from durable_ext.records.instance import RuntimeStatus

if TYPE_CHECKING:
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
    """Add a command that works on a hub. `creates`: one that may be the first to use the hub."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    add_storage_options(parser)
    parser.set_defaults(run=partial(_run_in_loop, command, creates))
    return parser


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """Which instances are meant."""
    group = parser.add_argument_group("filter", "Every condition given must hold.")
    known = ", ".join(status.value for status in RuntimeStatus)
    group.add_argument("--status", metavar="STATUS", action="append", type=_status, default=[], help=f"any of {known}")
    group.add_argument("--prefix", metavar="TEXT", default="", help="the id starts with it")
    group.add_argument("--name", metavar="NAME", default="", help="the name of the orchestrator")
    group.add_argument("--created-from", metavar="TIME", type=_time, help="ISO 8601; UTC unless it says otherwise")
    group.add_argument("--created-to", metavar="TIME", type=_time, help="the same")
    group.add_argument("--completed-from", metavar="TIME", type=_time, help="the same")
    group.add_argument("--completed-to", metavar="TIME", type=_time, help="the same")
    group.add_argument("--version", metavar="VERSION", default="", help="the version it was started with")


def filter_of(options: argparse.Namespace) -> InstanceFilter:
    """The filter that the options describe."""
    return InstanceFilter(
        statuses=frozenset(options.status),
        created_from=options.created_from,
        created_to=options.created_to,
        completed_from=options.completed_from,
        completed_to=options.completed_to,
        version=options.version,
        id_prefix=options.prefix,
        name=options.name,
    )


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
    return asyncio.run(_run(command, creates, options))


async def _run(command: Command, creates: bool, options: argparse.Namespace) -> int:
    chosen = chosen_storage(options)
    if chosen.file is not None and not chosen.file.exists() and not creates:
        raise InstanceNotFoundError(f"there is no task hub in {chosen.file}; name another with --storage, or start one")
    async with _open_client(chosen) as client:
        return await command(options, client)


@asynccontextmanager
async def _open_client(chosen: Chosen) -> AsyncGenerator[Client]:
    from durable_ext.host.storage import opened
    from durable_ext.worker.client import Client

    async with opened(chosen) as store:
        await store.create_hub()
        yield Client(store, store)


def _status(text: str) -> RuntimeStatus:
    for status in RuntimeStatus:
        if status.value.lower() == text.lower():
            return status
    raise argparse.ArgumentTypeError(f"{text!r} is no status")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it as 2030-01-31T12:00:00Z") from error
    return as_utc(time)
