"""What holds when all is over, whatever happened before: each rule finds what is wrong, in words (T3)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import (
    ChildCompleted,
    ChildFailed,
    ContinuedAsNew,
    ExecutionStarted,
    LockAcquired,
    OperationCompleted,
    OperationFailed,
    TaskCompleted,
    TaskFailed,
    TimerFired,
)
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import RaiseEvent
from durable_ext.records.turns import Turn
from durable_ext.replay.fold import project
from durable_ext.testing.counted_activities import Call
from durable_ext.testing.injection import FaultyProvider
from durable_ext.testing.memory_hub import MemoryHub
from durable_ext.testing.processes import LEASE, Store

# A message that a fault has met comes back after its lease, one that a stalled process holds later than that.
COMES_BACK = 3 * LEASE
_PAGE = 1000
Outcome = (
    TaskCompleted
    | TaskFailed
    | ChildCompleted
    | ChildFailed
    | TimerFired
    | OperationCompleted
    | OperationFailed
    | LockAcquired
)


class SentEvent(msgspec.Struct, frozen=True):
    """An external event that was put into a queue from outside."""

    message_id: str
    time: datetime


class NotingProvider(FaultyProvider):
    """The provider of whoever stands outside: notes the external events sent, by instance."""

    def __init__(self, hub: MemoryHub) -> None:
        super().__init__(hub.store)
        self.sent: dict[str, list[SentEvent]] = defaultdict(list)
        self._clock = hub.clock

    async def send(self, messages: Sequence[Any]) -> None:
        await self.inner.send(messages)
        for message in messages:
            if isinstance(message.body, RaiseEvent):
                self.sent[message.instance_id].append(SentEvent(message.id, self._clock()))


async def rows(store: Store) -> list[InstanceRow]:
    """Every instance of the hub."""
    found: list[InstanceRow] = []
    continuation: str | None = None
    while True:
        page = await store.query(InstanceFilter(), limit=_PAGE, continuation=continuation)
        found += page.rows
        continuation = page.continuation
        if continuation is None:
            return found


async def executions(store: Store, instance_id: str) -> list[Sequence[Turn]]:
    """The logs of all executions of an instance, oldest first."""
    found: list[Sequence[Turn]] = []
    turns = await store.history(instance_id)
    while turns:
        found.append(turns)
        started = turns[0].events[0] if turns[0].events else None
        previous = started.previous if isinstance(started, ExecutionStarted) else None
        turns = () if previous is None else await store.history(instance_id, previous)
    return found[::-1]


async def wrong_instances(store: Store, sent: Mapping[str, Sequence[SentEvent]], *, disturbed: bool) -> list[str]:
    """What is wrong with rows and histories. `disturbed`: there was a fault, so that messages may have come back."""
    found: list[str] = []
    for row in await rows(store):
        logs = await executions(store, row.instance_id)
        wrong = [*wrong_logs(logs), *wrong_row(row, logs)]
        wrong += wrong_events(logs, sent.get(row.instance_id, ()), disturbed=disturbed)
        found += [f"instance {row.instance_id!r}: {text}" for text in wrong]
    return found


def wrong_row(row: InstanceRow, logs: Sequence[Sequence[Turn]]) -> list[str]:
    """The row says what history says, and that the instance is over, unless it is an entity (P8)."""
    is_over = row.status.is_terminal or is_entity(row.instance_id)
    found = [] if is_over else [f"it is {row.status.value}, not over"]
    lineage: list[Turn] = []
    for turns in logs:
        # A restart under the same id begins anew; continue-as-new goes on.
        lineage = [*lineage, *turns] if lineage and _goes_on(lineage[-1]) else [*turns]
    folded = project(None, lineage)
    if folded is None:
        return [*found, f"its row says {row.status.value}, it has no history"]
    state = ("input",) if is_entity(row.instance_id) else ()
    for field in ("status", "position", "output", "custom_status", "failure", *state):
        here, there = getattr(row, field), getattr(folded, field)
        if here != there:
            found.append(f"its row lags behind history: {field} is {here}, in history {there}")
    return found


def _goes_on(turn: Turn) -> bool:
    return turn.is_terminal and isinstance(turn.events[-1], ContinuedAsNew)


def wrong_logs(logs: Sequence[Sequence[Turn]]) -> list[str]:
    """Logs without a gap, each outcome and each message in them once (P2, P7)."""
    found: list[str] = []
    for turns in logs:
        if [turn.number for turn in turns] != list(range(len(turns))):
            found.append(f"its log has a gap: turns {[turn.number for turn in turns]}")
        outcomes = [event for turn in turns for event in turn.events if isinstance(event, Outcome)]
        answered = Counter(event.task_id for event in outcomes)
        found += [f"{count} outcomes of task {task}" for task, count in answered.items() if count > 1]
    consumed = Counter(message_id for turns in logs for turn in turns for message_id in turn.message_ids)
    found += [f"message {message!r} was taken in {count} times" for message, count in consumed.items() if count > 1]
    return found


def wrong_events(logs: Sequence[Sequence[Turn]], sent: Sequence[SentEvent], *, disturbed: bool) -> list[str]:
    """Events sent far enough apart are taken in in the order they were sent, and none is lost that came in time.

    A queue hands a message out again later when a fault has met it: others may be first.
    """
    taken = [message_id for turns in logs for turn in turns for message_id in turn.message_ids]
    places = {message_id: place for place, message_id in enumerate(taken)}
    gap = COMES_BACK if disturbed else timedelta(0)
    found: list[str] = []
    ended = logs[-1][-1].time if logs else None
    known = [event for event in sent if event.message_id in places]
    for one, other in pairwise(known):
        if other.time - one.time >= gap and places[one.message_id] > places[other.message_id]:
            found.append(
                f"event {other.message_id!r} overtook {one.message_id!r}, sent {other.time - one.time} earlier"
            )
    for event in sent:
        if event.message_id not in places and ended is not None and ended > event.time + COMES_BACK:
            found.append(f"event {event.message_id!r} was never taken in")
    return found


def wrong_runs(runs: Mapping[Call, int], once: frozenset[str], most: int) -> list[str]:
    """No call ran more often than its deliveries allow; at most once where that is promised."""
    return [
        f"activity {call.activity!r}: one call ran {count} times, at most {allowed} allowed"
        for call, count in runs.items()
        if count > (allowed := 1 if call.activity in once else most)
    ]


def worst_runs(runs: Mapping[Call, int], worst: Mapping[str, int]) -> dict[str, int]:
    """By activity, how often one call ran at worst."""
    found = dict(worst)
    for call, count in runs.items():
        found[call.activity] = max(found.get(call.activity, 0), count)
    return found


async def stranded(hub: MemoryHub) -> list[str]:
    """Messages that somebody held and neither completed nor gave back, and quarantined ones (P11)."""
    found = [
        f"stranded in queue {delivery.queue}: {_kinds(message.body for message in delivery.messages)}"
        for delivery in await hub.receive_all()
    ]
    return found + [f"quarantined: {message.reason}" for message in await hub.store.list_quarantined()]


def _kinds(bodies: Iterable[Any]) -> str:
    return ", ".join(type(body).__name__ for body in bodies) or "undecodable"
