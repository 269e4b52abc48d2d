"""Histories out of a hub, into files of JSON lines that people keep, load elsewhere, and replay (docs/export.md).

A file holds a page of instances, one line an execution. It is written whole, under a name made of its number, and then
the checkpoint moves on: after a crash the last file is written again, over itself, and nothing stands in two files.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from typing import TypedDict, Unpack

import msgspec

from durable_ext.errors import InvalidInputError
from durable_ext.host.export_places import ExportPlace
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import ExecutionStarted
from durable_ext.testing.histories import RELEASE, History, fetch_history
from durable_ext.worker.client import Client

CHECKPOINT = "export.checkpoint"
_CHUNK = 100
_MOST_CHUNK = 1000


class ExportOptions(TypedDict, total=False):
    """`compress`: gzip, the default. `chunk`: instances a file, 100 unless told; so many histories are in memory.
    `all_executions`: those before continue-as-new too, the default. `progress`: told after each file."""

    compress: bool
    chunk: int
    all_executions: bool
    progress: Callable[[ExportReport], object]


class ExportReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far an export is. `instances` that have begun, and the `executions` of them that were written."""

    files: int = 0
    instances: int = 0
    executions: int = 0
    finished: bool = False


class _Terms(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What has to be the same when an export goes on."""

    where: InstanceFilter
    compress: bool
    chunk: int
    all_executions: bool


class _Checkpoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    release: str
    terms: _Terms
    report: ExportReport
    continuation: str | None = None


async def export_histories(
    client: Client,
    place: ExportPlace,
    where: InstanceFilter = InstanceFilter(),  # noqa: B008 - frozen
    **options: Unpack[ExportOptions],
) -> ExportReport:
    """Write the histories of matching instances to a place; go on where an earlier call stopped.

    A finished export is left as it is. Raises InvalidInputError for a place with an export on other terms, and
    StorageError, after which it may be called again.
    """
    terms = _Terms(
        where=where,
        compress=options.get("compress", True),
        chunk=options.get("chunk", _CHUNK),
        all_executions=options.get("all_executions", True),
    )
    if not 1 <= terms.chunk <= _MOST_CHUNK:
        raise InvalidInputError(f"an export has 1 to {_MOST_CHUNK} instances a file, not {terms.chunk}")
    checkpoint = await _begun(place, terms)
    while not checkpoint.report.finished:
        checkpoint = await _next_file(client, place, checkpoint)
        await place.write(CHECKPOINT, msgspec.json.encode(checkpoint))
        if progress := options.get("progress"):
            progress(checkpoint.report)
    return checkpoint.report


def file_name(number: int, *, compress: bool) -> str:
    """The name of a file, counted from 1."""
    return f"histories-{number:06d}.jsonl" + (".gz" if compress else "")


async def _begun(place: ExportPlace, terms: _Terms) -> _Checkpoint:
    stored = await place.read(CHECKPOINT)
    if stored is None:
        return _Checkpoint(release=RELEASE, terms=terms, report=ExportReport())
    try:
        checkpoint = msgspec.json.decode(stored, type=_Checkpoint)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{place}/{CHECKPOINT} is no checkpoint: {error}; export to another place") from error
    if checkpoint.terms != terms:
        raise InvalidInputError(
            f"{place} has an export with another filter or other options; go on with the same, or export elsewhere"
        )
    return checkpoint


async def _next_file(client: Client, place: ExportPlace, checkpoint: _Checkpoint) -> _Checkpoint:
    terms, report = checkpoint.terms, checkpoint.report
    page = await client.catalog.query(terms.where, limit=terms.chunk, continuation=checkpoint.continuation)
    lines: list[bytes] = []
    instances = 0
    for row in page.rows:
        before = len(lines)
        async for history in _histories(client, row.instance_id, every=terms.all_executions):
            lines.append(msgspec.json.encode(history) + b"\n")
        instances += len(lines) > before
    number = report.files
    if lines:
        number += 1
        data = b"".join(lines)
        # Without a time in it, so that writing it again writes the same.
        await place.write(
            file_name(number, compress=terms.compress), gzip.compress(data, mtime=0) if terms.compress else data
        )
    following = ExportReport(
        files=number,
        instances=report.instances + instances,
        executions=report.executions + len(lines),
        finished=page.continuation is None,
    )
    return msgspec.structs.replace(checkpoint, report=following, continuation=page.continuation)


async def _histories(client: Client, instance_id: str, *, every: bool) -> AsyncIterator[History]:
    """The current execution, then those before it. None of an instance that has not begun or was purged meanwhile."""
    execution: str | None = None
    while True:
        try:
            history = await fetch_history(client, instance_id, execution)
        except InvalidInputError:
            return
        yield history
        first = history.turns[0].events[0] if history.turns[0].events else None
        execution = first.previous if isinstance(first, ExecutionStarted) else None
        if execution is None or not every:
            return
