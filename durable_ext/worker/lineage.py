"""The executions of one instance, each naming the one before it, and its children, found by their rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from durable_ext.providers.contract import Catalog, InstanceFilter
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.turns import Turn

_PAGE = 100


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


async def children_by_row(
    catalog: Catalog, instance_id: str, statuses: frozenset[RuntimeStatus] = frozenset()
) -> AsyncIterator[InstanceRow]:
    """The children that any execution of an instance started; of these statuses, where some are named.

    For when no history that can be read tells of them: storage looks through all rows.
    """
    where = InstanceFilter(parent=instance_id, statuses=statuses, entities=False)
    continuation: str | None = None
    while True:
        page = await catalog.query(where, limit=_PAGE, continuation=continuation)
        for row in page.rows:
            yield row
        continuation = page.continuation
        if continuation is None:
            return
