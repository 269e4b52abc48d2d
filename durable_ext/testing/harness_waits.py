"""What instances that go no further wait for, in words."""

from __future__ import annotations

from durable_ext.authoring.registry import Registry
from durable_ext.errors import NonDeterminismError
from durable_ext.records.entity_events import EntityCalled, LockAsked
from durable_ext.records.events import (
    ChildScheduled,
    Decision,
    ExecutionStarted,
    TaskCancelled,
    TaskScheduled,
    TimerCreated,
)
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.turns import Turn
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.turn import replay
from durable_ext.testing.aftermath import rows
from durable_ext.testing.histories import with_answers
from durable_ext.testing.processes import Store
from durable_ext.worker.client import Client


async def open_waits(store: Store, client: Client, registry: Registry) -> list[str]:
    """One line for each instance that has not ended, and one for each message that nobody could process."""
    found: list[str] = []
    for row in await rows(store):
        if not row.status.is_terminal and not is_entity(row.instance_id):
            waits = await waits_of(row, client, registry)
            found.append(f"instance {row.instance_id!r} ({row.name}) waits for {', '.join(waits) or 'nothing'}")
    found += [f"given up: {message.reason}" for message in await store.list_quarantined()]
    return found


async def waits_of(row: InstanceRow, client: Client, registry: Registry) -> list[str]:
    """What one instance waits for."""
    if row.status is RuntimeStatus.PENDING:
        return ["its start" + (f" at {row.scheduled_start.isoformat()}" if row.scheduled_start else "")]
    turns = await with_answers(client, await client.history(row.instance_id))
    found = [_text(decision) for decision in open_decisions(turns)]
    if not turns or not isinstance(turns[0].events[0], ExecutionStarted):
        return found
    live = LiveExecution(turns[0].execution, registry, registry.converter)
    try:
        replay(live, turns)
        found += [f"event {name!r}" for name in live.awaited_events]
        if live.is_suspended:
            found.append("being resumed, for it is suspended")
    except NonDeterminismError as error:
        found.append(f"code that fits its history ({error})")
    finally:
        live.drop()
    return found


def open_decisions(turns: tuple[Turn, ...]) -> list[Decision]:
    """Activities, children and timers of an execution that have no outcome yet."""
    decided: dict[int, Decision] = {}
    for turn in turns:
        for event in turn.events:
            if isinstance(event, TaskScheduled | TimerCreated | EntityCalled | LockAsked) or (
                isinstance(event, ChildScheduled) and not event.detached
            ):
                decided[event.id] = event
            elif isinstance(event, TaskCancelled) or hasattr(event, "task_id"):
                decided.pop(getattr(event, "task_id", -1), None)
    return list(decided.values())


def _text(decision: Decision) -> str:
    match decision:
        case TaskScheduled():
            return f"activity {decision.name!r}"
        case ChildScheduled():
            return f"child {decision.instance_id!r} ({decision.name})"
        case EntityCalled():
            return f"entity {decision.entity_id!r} ({decision.operation})"
        case LockAsked():
            return f"a lock of {', '.join(decision.entities)}"
        case TimerCreated():
            return f"a timer at {decision.fire_at.isoformat()}"
        case _:
            return type(decision).__name__
