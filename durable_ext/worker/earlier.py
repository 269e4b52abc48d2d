"""What earlier executions of an instance still owe under a message that comes again (P6, P7).

Only repeated messages ask, and those that may be repeats although nothing marks them. Executions are linked by
`previous`, so the walk goes back from the current one and ends at the execution that knew the message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence

from durable_ext.errors import TurnLostError
from durable_ext.records.ids import is_entity
from durable_ext.records.messages import Message
from durable_ext.records.turns import rewound_in
from durable_ext.replay.ledger import Ledger
from durable_ext.worker.entities.past import CLOCKS_APART, look_back
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState

# A message that comes again belongs to one of the last executions; an eternal orchestration has thousands.
_FARTHEST = 50


async def books_under(services: Services, state: SessionState, message_id: str) -> Sequence[Ledger]:
    """The books of the executions that had to do with a message, the oldest first: the one that consumed it, and those
    that went on under it as their trigger. None when no execution consumed it.

    An execution that continued as new may still owe something when the next one is committed under the same trigger.
    A message consumed by an execution too long past, or pruned, owes nothing: the books are then empty.
    Raises StorageError, and TurnLostError when a turn that `state` does not know consumed it: load anew and ask again.
    """
    current = state.ledger
    found = deque([current] if current.has_consumed(message_id) or current.has_trigger(message_id) else [])
    if current.has_consumed(message_id) or current.has_closed(message_id) or state.previous is None:
        return found
    if not found and message_id not in await services.provider.consumed(state.execution.instance_id):
        return found
    first = current.recorded[:1]
    # A rewind asks anew for what was open, in its first turn.
    after = rewound_in(first[0]) if first else state.row.rewinds
    async for ledger in executions_before(services, state):
        if ledger.has_consumed(message_id) or ledger.has_trigger(message_id):
            if after is not None:
                ledger.give_over()
            found.appendleft(ledger)
        if ledger.has_consumed(message_id) or ledger.has_closed(message_id):
            return found
        after = rewound_in(ledger.recorded[0]) or after
    if not found:
        await _check_is_current(services, state, message_id)
        found.append(Ledger(state.execution))
    return found


async def executions_before(services: Services, state: SessionState) -> AsyncIterator[Ledger]:
    """The books of the executions before the current one, the newest first. Raises StorageError."""
    previous = state.previous
    for _ in range(_FARTHEST):
        turns = () if previous is None else await services.catalog.history(state.execution.instance_id, previous)
        if not turns:
            return
        ledger = Ledger(turns[0].execution)
        for turn in turns:
            ledger.record(turn)
        yield ledger
        previous = None if ledger.started is None else ledger.started.previous


async def may_be_repeat(services: Services, state: SessionState, message: Message) -> bool:
    """Whether a message for whichever execution is current may have been consumed by an earlier one.

    Nothing marks a copy that a put tried again has left, or an original that its own repeat has overtaken. Storage is
    asked once, and only about a message sent before what is known here began. Raises StorageError.
    """
    if message.execution_id is not None or state.previous is None:
        return False
    before = state.before
    since = before.knows_since
    if since is not None and message.id not in before and message.sent_at < since + CLOCKS_APART:
        if is_entity(message.instance_id):
            await look_back(services, state, message.id, message.sent_at)
        else:
            before.learn(await services.provider.consumed(state.execution.instance_id), services.clock())
    return message.id in before


async def _check_is_current(services: Services, state: SessionState, message_id: str) -> None:
    """A state kept in memory while another process went on does not know what those turns owe (P6)."""
    last = state.ledger.last_turn
    turns = (await services.provider.load(state.execution.instance_id)).turns
    if last is None or not turns:
        return
    newest = turns[-1]
    if (newest.execution.generation, newest.number) > (last.execution.generation, last.number):
        raise TurnLostError(
            f"message {message_id} was consumed by a turn of instance {state.execution.instance_id!r} "
            "that another process committed"
        )
