"""`durable export`: histories of a hub into files, see docs/export.md."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from durable_ext.errors import InvalidInputError
from durable_ext.host.cli.filters import add_filter_options, filter_of
from durable_ext.host.cli.options import Commands, add_storage_options, chosen_storage
from durable_ext.host.cli.text import print_json
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.host.export_places import ExportPlace
    from durable_ext.host.storage_choice import Chosen


def add_commands(commands: Commands) -> None:
    """Add the family's parser."""
    summary = "Write the histories of a hub to files of JSON lines; go on where an earlier run stopped."
    parser = commands.add_parser("export", help=summary, description=f"{summary} Writes nothing to the hub.")
    parser.add_argument("--to", metavar="DIR", help="a folder")
    parser.add_argument("--container", metavar="NAME", help="or a blob container of the hub's storage account")
    parser.add_argument("--blob-prefix", metavar="TEXT", default="", help="before each name in the container")
    parser.add_argument("--chunk", metavar="N", type=int, default=100, help="instances a file (%(default)s)")
    parser.add_argument("--no-gzip", action="store_true", help="plain files")
    parser.add_argument("--current", action="store_true", help="no executions before continue-as-new")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    add_filter_options(parser)
    add_storage_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if (options.to is None) == (options.container is None):
        raise InvalidInputError("say where the files go: --to DIR or --container NAME")
    return asyncio.run(_export(options, chosen_storage(options)))


async def _export(options: argparse.Namespace, chosen: Chosen) -> int:
    from durable_ext.host.export import export_histories
    from durable_ext.host.storage import opened_hub
    from durable_ext.worker.client import Client

    async with opened_hub(chosen) as store, _place(options, chosen) as place:
        report = await export_histories(
            Client(store, store),
            place,
            filter_of(options),
            compress=not options.no_gzip,
            chunk=options.chunk,
            all_executions=not options.current,
        )
    if options.json:
        print_json({"place": str(place), "files": report.files, "executions": report.executions})
    else:
        print(f"{place}: {report.executions} executions of {report.instances} instances in {report.files} files")
    return ExitCode.OK


@asynccontextmanager
async def _place(options: argparse.Namespace, chosen: Chosen) -> AsyncGenerator[ExportPlace]:
    from durable_ext.host.export_places import ContainerPlace, FolderPlace

    if options.to is not None:
        yield FolderPlace(options.to)
        return
    if chosen.settings.sqlite_file is not None:
        raise InvalidInputError("--container needs a hub in Azure Storage; export to a folder with --to DIR")
    from durable_ext.functions.storage import connection_setting
    from durable_ext.providers.azure_storage.connection import connection_from_settings
    from durable_ext.providers.azure_storage.http_client import HttpClient

    name = connection_setting(chosen.settings.connection, os.environ)
    client = HttpClient(connection_from_settings(name, os.environ))
    try:
        yield ContainerPlace(client, options.container, options.blob_prefix)
    finally:
        await client.close()
