"""One turn from its inputs to its row: what the code decides is written down, and the insert is the commit (P2)."""

from __future__ import annotations

from durable_ext.records.turns import Turn
from durable_ext.worker.admitted import Admitted
from durable_ext.worker.deciding import decide
from durable_ext.worker.items import Item
from durable_ext.worker.offload import store_events
from durable_ext.worker.orchestrator_log import emit
from durable_ext.worker.rewinding import opening
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState


async def commit(services: Services, state: SessionState, trigger: Item, admitted: Admitted) -> Turn:
    """Have the code take its turn and commit that. Raises TurnLostError when another turn was first, StorageError."""
    items = admitted.accepted
    first, inputs = await opening(services, state, admitted.inputs)
    now = state.next_time(services.clock())
    now = now if admitted.not_before is None else max(now, admitted.not_before)
    told = services.settings.telemetry.turn(state, (*first, *inputs), items)
    result = await decide(services, state, inputs, now, trigger)
    events = told.stamped((*first, *result.events))
    turn = Turn(
        execution=state.execution,
        number=state.ledger.turns,
        events=await store_events(services.payloads, state.execution.instance_id, events),
        message_ids=tuple(item.message.id for item in items),
        trigger_id=trigger.message.id,
        time=now,
        commit_id=services.next_commit_id(),
    )
    await services.provider.append(turn)
    state.record(turn)
    with told.committed(turn, state):
        emit(state.row, result.logs)
    services.notices.committed(turn, state.row.name)
    return turn


async def close(services: Services, state: SessionState, trigger_id: str) -> None:
    """Commit the turn that closes a trigger. Raises TurnLostError when another turn was first, StorageError."""
    turn = Turn(
        execution=state.execution,
        number=state.ledger.turns,
        events=(),
        message_ids=(),
        trigger_id=trigger_id,
        time=state.next_time(services.clock()),
        commit_id=services.next_commit_id(),
    )
    await services.provider.append(turn)
    state.record(turn)
