"""The executions of one instance: each names the one before it, back to the first that is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from durable_ext.providers.contract import Catalog
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import InstanceRow
from durable_ext.records.turns import Turn


async def kept_executions(catalog: Catalog, row: InstanceRow) -> AsyncIterator[Sequence[Turn]]:
    """The turns of each kept execution, the current one first: before continue-as-new, before a rewind, before a new
    start under the id. One that has not begun yet has no turns, and is left out."""
    turns = await catalog.history(row.instance_id)
    if not turns and row.previous is not None:
        turns = await catalog.history(row.instance_id, row.previous)
    while turns:
        yield turns
        previous = previous_of(turns)
        turns = () if previous is None else await catalog.history(row.instance_id, previous)


def previous_of(turns: Sequence[Turn]) -> str | None:
    """The id of the execution before the one of these turns; it may be kept no more."""
    first = turns[0].events[0]
    return first.previous if isinstance(first, ExecutionStarted) else None
