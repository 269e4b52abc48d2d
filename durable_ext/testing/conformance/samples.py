"""Records to store and send, the same for every provider."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from durable_ext.providers.contract import VersionedRow
from durable_ext.records.events import Event, ExecutionCompleted, ExecutionStarted, TaskScheduled
from durable_ext.records.ids import partition_of
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Body, Delivery, Message, RaiseEvent, RunActivity
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.turns import Turn
from durable_ext.testing.conformance.store import Store

T = TypeVar("T")

LEASE = timedelta(seconds=30)
NO_WAIT = timedelta(0)
# Long enough for any store; a test that gets what it waits for never waits that long.
PATIENCE = timedelta(seconds=10)
# The shortest lease that every store can give, and a wait that is surely longer.
SHORT_LEASE = timedelta(seconds=1)
AFTER_SHORT_LEASE = 2.2
# Calls in flight at once where a test makes many.
_AT_ONCE = 32


def execution(instance_id: str, generation: int = 0, execution_id: str = "") -> Execution:
    """A generation of an instance."""
    return Execution(
        instance_id=instance_id, execution_id=execution_id or f"{generation}a{len(instance_id)}", generation=generation
    )


def row(
    of: Execution, now: datetime, *, status: RuntimeStatus = RuntimeStatus.PENDING, turn: int = -1, name: str = "Order"
) -> InstanceRow:
    """An Instances row."""
    return InstanceRow(execution=of, name=name, status=status, created_at=now, updated_at=now, turn=turn)


def turn(of: Execution, number: int, now: datetime, *, events: Sequence[Event] = (), commit_id: str = "") -> Turn:
    """A turn; the first one starts the execution, and each consumes a message of its own."""
    first: tuple[Event, ...] = (ExecutionStarted(name="Order", created_at=now),) if number == 0 else ()
    return Turn(
        execution=of,
        number=number,
        events=first + (tuple(events) or (TaskScheduled(id=number, name="reserve", input=inline(b"1")),)),
        message_ids=(f"{of.execution_id}-m{number}",),
        trigger_id=f"{of.execution_id}-m{number}",
        time=now,
        commit_id=commit_id or f"{of.execution_id}-c{number}",
    )


def last_turn(of: Execution, number: int, now: datetime) -> Turn:
    """The turn that ends an execution."""
    return turn(of, number, now, events=(ExecutionCompleted(result=inline(b"true")),))


def message(instance_id: str, number: int, now: datetime, *, body: Body | None = None) -> Message:
    """A message for the instance, an external event unless a body is given."""
    return Message(
        id=f"message-{number}",
        instance_id=instance_id,
        body=body or RaiseEvent(name="paid", input=inline(b"%d" % number)),
        sent_at=now,
    )


def work_item(instance_id: str, number: int, now: datetime) -> Message:
    """A message that runs an activity."""
    return message(instance_id, number, now, body=RunActivity(task_id=number, name="reserve", input=inline(b"{}")))


def text(length: int) -> Payload:
    """A JSON string of so many bytes."""
    return inline(b'"' + b"x" * (length - 2) + b'"')


async def receive(
    store: Store, instance_id: str, *, lease: timedelta = LEASE, wait: timedelta = NO_WAIT, limit: int = 16
) -> Sequence[Delivery]:
    """What the control queue of the instance has."""
    partition = partition_of(instance_id, store.provider.partitions)
    return await store.feed.receive_control(partition, limit=limit, lease=lease, wait=wait)


async def receive_one(store: Store, instance_id: str, *, lease: timedelta = LEASE) -> Delivery:
    """The one delivery that the control queue of the instance has, or gets soon."""
    found = await receive(store, instance_id, lease=lease, wait=PATIENCE)
    assert len(found) == 1, f"{len(found)} deliveries instead of one"
    return found[0]


async def drain(store: Store, instance_id: str, count: int) -> list[Message]:
    """Receive and complete until so many messages came; in the order they came."""
    came: list[Message] = []
    while len(came) < count:
        found = await receive(store, instance_id, wait=PATIENCE)
        assert found, f"{len(came)} of {count} messages came"
        for delivery in found:
            came.extend(delivery.messages)
            await store.provider.complete(delivery)
    return came


async def started(store: Store, of: Execution, *, status: RuntimeStatus = RuntimeStatus.RUNNING) -> VersionedRow:
    """An instance with a row and a turn 0."""
    await store.provider.create_row(row(of, store.clock(), status=status, turn=0))
    await store.provider.append(turn(of, 0, store.clock()))
    return await stored(store, of.instance_id)


async def ended(store: Store, of: Execution, *, turns: int = 3) -> InstanceRow:
    """An instance that completed after so many turns."""
    now = store.clock()
    for number in range(turns - 1):
        await store.provider.append(turn(of, number, now))
    final = turn(of, turns - 1, now, events=(ExecutionCompleted(result=inline(b"true")),))
    await store.provider.append(final)
    completed = row(of, now, status=RuntimeStatus.COMPLETED, turn=turns - 1)
    await store.provider.create_row(completed)
    return completed


async def stored(store: Store, instance_id: str) -> VersionedRow:
    """The row that must be there."""
    found = await store.provider.read_row(instance_id)
    assert found is not None, f"no row of {instance_id!r}"
    return found


async def many(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Make many calls, some at a time; results in order."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def call(one: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await one

    return await asyncio.gather(*map(call, calls))


async def outcomes(calls: Iterable[Coroutine[Any, Any, T]]) -> tuple[list[T], list[BaseException]]:
    """Make calls at the same time; results and errors apart."""
    ends = await asyncio.gather(*calls, return_exceptions=True)
    results = [end for end in ends if not isinstance(end, BaseException)]
    return results, [end for end in ends if isinstance(end, BaseException)]
