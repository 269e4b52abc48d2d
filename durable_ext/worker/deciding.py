"""What a turn comes to: by a termination or a refusal alone, or by what the code decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from durable_ext.records.events import Input
from durable_ext.replay.ending import is_ending
from durable_ext.replay.entity_turn import LiveEntity
from durable_ext.replay.turn import TurnResult, run_turn
from durable_ext.worker.acceptance import closed
from durable_ext.worker.items import Item
from durable_ext.worker.offload import load_inputs
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState

_MOMENT = timedelta(seconds=1)


async def decide(
    services: Services, state: SessionState, inputs: Sequence[Input], now: datetime, trigger: Item
) -> TurnResult:
    """The events of the next turn. Raises StorageError, and NonDeterminismError when code and history part (R3)."""
    if is_ending(inputs):
        return await services.terminations.decide(state, inputs)
    refusal = services.acceptance.refusal(state, inputs)
    if refusal is not None:
        return closed(inputs, refusal)
    live = state.live
    if live is None:
        if trigger.repeated:
            await services.heartbeat.stalls.look(_MOMENT)
        elif state.ledger.turns:
            await services.heartbeat.stalls.look(services.settings.heartbeat)
        refusal = services.heartbeat.stalls.refusal(state.execution.instance_id, state.execution.execution_id)
        if refusal is not None:
            return closed(inputs, refusal)
        live = state.live = await services.loader.revive(state, state.ledger.recorded)
    loaded = await load_inputs(services.payloads, inputs)
    if isinstance(live, LiveEntity):
        return await services.entities.take_turn(live, loaded, now)
    return run_turn(live, loaded, now)
