"""Whether whoever holds the lock of an entity is over, and will never release it by itself.

A lock is named after the execution that asked for it. That execution is over when its instance is, and when a later one
has taken its place: a start that replaced a running instance.
"""

from __future__ import annotations

from durable_ext.providers.contract import Catalog, Provider
from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import RuntimeStatus

# A lock of an execution further back is left alone: nobody could tell it from one that is ahead of its row.
_FARTHEST = 50


async def is_orphaned(provider: Provider, catalog: Catalog, summary: EntitySummary) -> bool:
    """Whether nobody is left to release the lock. Raises StorageError."""
    stored = await provider.read_row(summary.locked_by)
    if stored is None or stored.row.status.is_terminal:
        return True
    wanted = summary.lock.rpartition(":")[0]
    if not wanted or stored.row.execution.execution_id == wanted or stored.row.status is RuntimeStatus.PENDING:
        return False
    # The row may lag behind: only an execution that stands before the current one is known to be over.
    turns = (await provider.load(summary.locked_by)).turns
    for _ in range(_FARTHEST):
        started = turns[0].events[0] if turns and turns[0].events else None
        previous = started.previous if isinstance(started, ExecutionStarted) else None
        if previous is None or previous == wanted:
            return previous == wanted
        turns = tuple(await catalog.history(summary.locked_by, previous))
    return False
