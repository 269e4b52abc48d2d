"""`durable replay`: does the code of an app still fit stored histories? Reads only (docs/replay.md).

Histories come from files, from a folder, or from a hub page by page; one is in memory at a time, and its verdict is
printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from durable_ext.errors import InvalidInputError, StorageError
from durable_ext.host.apps import registry_of
from durable_ext.host.cli.filters import add_filter_options, filter_of
from durable_ext.host.cli.options import Commands, add_storage_options, chosen_storage
from durable_ext.host.cli.verdicts import Report
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import TERMINAL, InstanceRow, RuntimeStatus

if TYPE_CHECKING:
    from durable_ext.authoring.registry import Registry
    from durable_ext.host.storage_choice import Chosen
    from durable_ext.records.turns import Turn
    from durable_ext.testing.histories import Finding
    from durable_ext.worker.client import Client

_PAGE = 100


def add_commands(commands: Commands) -> None:
    """Add the family's parser."""
    summary = "Check that the code of an app fits the histories of files, of a folder or of a hub."
    parser = commands.add_parser("replay", help=summary, description=f"{summary} Writes nothing to the hub.")
    parser.add_argument("--history", metavar="FILE", action="append", help="a history file; again for more")
    parser.add_argument("--folder", metavar="DIR", help="every history file of a folder, or an export")
    parser.add_argument("--running", action="store_true", help="only instances of the hub that have not ended")
    parser.add_argument("--all-executions", action="store_true", help="of the hub, those before continue-as-new too")
    parser.add_argument("--quiet", action="store_true", help="leave out what fits")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    add_filter_options(parser)
    add_storage_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from durable_ext.testing.histories import history_files

    paths = [Path(name) for name in options.history or ()]
    if options.folder is not None:
        paths += history_files(options.folder)
    if paths and (options.running or options.all_executions or filter_of(options) != InstanceFilter()):
        raise InvalidInputError("--running, --all-executions and filters are for a hub; leave them out with files")
    chosen = chosen_storage(options)
    if not paths:
        return asyncio.run(_check_hub(options, chosen))
    registry = registry_of(chosen.app_file)
    with Report(as_json=options.json, quiet=options.quiet) as report:
        for path in paths:
            for finding in _check_file(registry, path):
                report.add(finding, str(path))
    return report.exit_code


def _check_file(registry: Registry, path: Path) -> Iterator[Finding]:
    from durable_ext.testing.histories import Finding, Verdict, check_history, histories_of

    if not path.is_file():
        raise InvalidInputError(f"there is no file {path}")
    try:
        for history in histories_of(path):
            with redirect_stdout(sys.stderr):
                finding = check_history(registry, history)
            yield finding
    except InvalidInputError as error:
        yield Finding(verdict=Verdict.UNCHECKED, instance_id="", reason=str(error))


async def _check_hub(options: argparse.Namespace, chosen: Chosen) -> int:
    from durable_ext.host.storage import opened_hub
    from durable_ext.worker.client import Client

    registry = registry_of(chosen.app_file)
    async with opened_hub(chosen) as store:
        client = Client(store, store, converter=registry.converter)
        rows = _rows(client, _meant(options))
        with Report(as_json=options.json, quiet=options.quiet) as report:
            async for row in rows:
                async for finding in _check(client, registry, row, every=options.all_executions):
                    report.add(finding)
    return report.exit_code


def _meant(options: argparse.Namespace) -> InstanceFilter:
    if options.running and options.status:
        raise InvalidInputError("--running and --status exclude each other")
    if options.running:
        options.status = [status for status in RuntimeStatus if status not in TERMINAL]
    return filter_of(options)


async def _rows(client: Client, where: InstanceFilter) -> AsyncIterator[InstanceRow]:
    continuation: str | None = None
    while True:
        page = await client.catalog.query(where, limit=_PAGE, continuation=continuation)
        for row in page.rows:
            yield row
        continuation = page.continuation
        if continuation is None:
            return


async def _check(client: Client, registry: Registry, row: InstanceRow, *, every: bool) -> AsyncIterator[Finding]:
    """The verdicts on the current execution and, with `every`, on those before it that are kept."""
    from durable_ext.testing.histories import with_answers

    execution: str | None = None
    while True:
        try:
            turns = await with_answers(client, await client.history(row.instance_id, execution))
        except StorageError as error:
            if error.retryable:
                raise
            yield _unchecked(row, execution, f"the history is damaged: {error}")
            return
        if turns:
            yield _checked(registry, turns)
        elif execution is None and (finding := await _without_history(client, row)) is not None:
            yield finding
        execution = _previous(turns) if every else None
        if execution is None:
            return


def _checked(registry: Registry, turns: Sequence[Turn]) -> Finding:
    from durable_ext.testing.histories import check_turns

    with redirect_stdout(sys.stderr):  # what the code prints is no output of ours
        return check_turns(registry, turns[0].execution, turns)


def _unchecked(row: InstanceRow, execution: str | None, reason: str) -> Finding:
    from durable_ext.testing.histories import Finding, Verdict

    return Finding(
        verdict=Verdict.UNCHECKED,
        instance_id=row.instance_id,
        execution_id=execution or row.execution.execution_id,
        name=row.name,
        reason=reason,
    )


async def _without_history(client: Client, row: InstanceRow) -> Finding | None:
    """None for an instance that was purged meanwhile. One that has not begun fits any code."""
    if await client.get(row.instance_id, with_input=False) is None:
        return None
    finding = _unchecked(row, None, "it has no history")
    if row.status is not RuntimeStatus.PENDING:
        return finding
    return msgspec.structs.replace(finding, verdict=type(finding.verdict).OK, reason="")


def _previous(turns: Sequence[Turn]) -> str | None:
    """The execution that continued as this one."""
    first = turns[0].events[0] if turns and turns[0].events else None
    return first.previous if isinstance(first, ExecutionStarted) else None
