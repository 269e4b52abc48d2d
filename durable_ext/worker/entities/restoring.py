"""An entity as its history has it: nothing is replayed, and no code of the app is needed."""

from __future__ import annotations

from collections.abc import Sequence

from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import Execution
from durable_ext.records.turns import Turn
from durable_ext.replay.entity_turn import LiveEntity
from durable_ext.worker.payload_store import PayloadStore


async def restored(payloads: PayloadStore, execution: Execution, turns: Sequence[Turn]) -> LiveEntity:
    """The entity after these turns. Raises StorageError when the snapshot it began with cannot be read."""
    entity = LiveEntity(execution)
    for turn in turns:
        started = turn.events[0] if turn.events else None
        snapshot = started.input if isinstance(started, ExecutionStarted) else None
        entity.restore(turn.events, None if snapshot is None else (await payloads.get(snapshot)).data)
    return entity
