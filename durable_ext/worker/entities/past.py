"""What earlier executions of an entity consumed and answered (P6, P7).

A busy entity has thousands of executions, so the walk goes back execution by execution, and no farther than the message
asked about is old: before it was sent nobody can have consumed it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from durable_ext.records.instance import Caller
from durable_ext.replay.ledger import Ledger
from durable_ext.replay.outbox import Owed
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState

# Clocks of two processes may differ by so much.
CLOCKS_APART = timedelta(minutes=2)


class Past(msgspec.Struct, frozen=True):
    """Whether a message was consumed, and what is owed under it or may not have been heard of.

    `is_open`: turns name it as their trigger, and none has closed it.
    """

    known: bool
    owed: tuple[Owed, ...]
    is_open: bool


async def look_back(
    services: Services, state: SessionState, message_id: str, sent_at: datetime, caller: Caller | None = None
) -> Past:
    """Look for a message in the current execution of an entity and in those before it. Raises StorageError.

    What it led to is in the execution that consumed it and in those after: a request may have waited for a lock.
    """
    ledger: Ledger | None = state.ledger
    owed: list[Owed] = []
    previous, is_open = state.previous, False
    while ledger is not None:
        found = (*ledger.owed_under(message_id), *(() if caller is None else ledger.answer_to(caller)))
        owed += [entry for entry in found if entry not in owed]
        is_open = is_open or ledger.has_open_trigger(message_id)
        if ledger.has_consumed(message_id):
            return Past(True, tuple(owed), is_open)
        began_at = ledger.recorded[0].time if ledger.turns else None
        if began_at is not None and began_at < sent_at - CLOCKS_APART:
            break
        previous = previous if ledger.started is None else ledger.started.previous
        ledger = await _books(services, state, previous, ledger.execution.generation - 1)
    # Without a trace of its consumption, which is pruned by now, a turn under it says that there was one.
    return Past(bool(owed) or state.ledger.has_trigger(message_id), tuple(owed), is_open)


async def _books(services: Services, state: SessionState, execution_id: str | None, generation: int) -> Ledger | None:
    if execution_id is None:
        return None
    instance_id = state.execution.instance_id
    turns = await services.catalog.history(instance_id, execution_id, generation=generation)
    if not turns:
        return None
    ledger = Ledger(turns[0].execution)
    for turn in turns:
        ledger.record(turn)
    state.before.learn_back(ledger.consumed, turns[0].time, services.clock())
    return ledger
