"""What admission asks of an entity's messages beside what it asks of all: who makes it, and the order of one sender."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from durable_ext.errors import RowChangedError
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.messages import Message, ReleaseLock, RequestLock, RunOperation
from durable_ext.worker.entities.past import CLOCKS_APART, look_back
from durable_ext.worker.items import Item
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent, SessionState

_MAKES = RunOperation | RequestLock | ReleaseLock
# A message that was sent before and has not come by then was lost.
_REORDER_WINDOW = timedelta(minutes=30)
# The same where an entity was purged of late, which may have taken what was sent before.
_REORDER_WINDOW_AFTER_PURGE = timedelta(minutes=1)
_TRIES = 5


async def begin_entity(
    services: Services, found: SessionState | Absent, instance_id: str, batch: Sequence[Item]
) -> SessionState | None:
    """The state of an entity that a request of this batch makes; None when there is one, or none is asked for.

    Raises StorageError.
    """
    for _ in range(_TRIES):
        if isinstance(found, SessionState) and (found.ledger.ended is None or found.to_continue is not None):
            return found
        if not [item for item in batch if await _makes(services, found, item)]:
            return None
        try:
            begun = await services.loader.begin_entity(instance_id, found, services.next_commit_id())
        except RowChangedError:
            found = await services.loader.load(instance_id)
        else:
            begun.was_purged = found.was_purged
            return begun
    raise RowChangedError(f"entity {instance_id!r} kept changing while it was made")


def start_of(state: SessionState) -> ExecutionStarted:
    """How the history of an entity that was just made begins."""
    return ExecutionStarted(name=state.execution.instance_id, created_at=state.row.created_at, previous=state.previous)


async def is_in_order(services: Services, state: SessionState, message: Message, accepted: Collection[str]) -> bool:
    """Whether what the same sender sent before was taken, or is among the `accepted` ids. Raises StorageError."""
    after = message.after
    if not after or after in accepted or state.ledger.has_consumed(after) or after in state.before:
        return True
    after_at = message.after_at or message.sent_at - _REORDER_WINDOW
    # What had half an hour before this one was even sent is not waited for, nor looked for in the past of the entity.
    if services.clock() - message.sent_at > _window(services, state) or message.sent_at - after_at > _REORDER_WINDOW:
        return True
    since = state.before.knows_since
    if since is None or after_at > since + CLOCKS_APART:
        return False
    past = await look_back(services, state, after, after_at)
    return past.known


def _window(services: Services, state: SessionState) -> timedelta:
    """How long a message waits for the one before it. Where workers leave to each other what they have no code for,
    that one may be put off many times."""
    may_be_gone = state.was_purged and not services.acceptance.waits_for_code
    return _REORDER_WINDOW_AFTER_PURGE if may_be_gone else _REORDER_WINDOW


async def _makes(services: Services, found: SessionState | Absent, item: Item) -> bool:
    if not isinstance(item.message.body, _MAKES):
        return False
    if isinstance(found, Absent) or not item.repeated:
        return True
    past = await look_back(services, found, item.message.id, item.message.sent_at)
    return not past.known
