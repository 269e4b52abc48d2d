"""The log of turns: one insert commits, and only one writer wins (P2)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from durable_ext.errors import TurnLostError
from durable_ext.records.events import (
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    ContinuedAsNew,
    CustomStatusSet,
    Event,
    EventRaised,
    EventSent,
    ExecutionFailed,
    ExecutionResumed,
    ExecutionSuspended,
    ExecutionTerminated,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn
from durable_ext.testing.conformance.samples import execution, last_turn, many, outcomes, text, turn
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
_FAILURE = Failure(type="a.B", message="broke", retryable=False, properties={"code": 3})


async def _turns(store: Store, instance_id: str = _ID) -> tuple[Turn, ...]:
    return (await store.provider.load(instance_id)).turns


def _every_event(store: Store) -> tuple[Event, ...]:
    now = store.clock()
    return (
        TaskCompleted(task_id=0, result=inline(b"null")),
        TaskFailed(task_id=1, failure=_FAILURE),
        ChildCompleted(task_id=2, result=inline(b"[1, 2]")),
        ChildFailed(task_id=3, failure=_FAILURE),
        TimerFired(task_id=4),
        EventRaised(name="paid", input=inline('"ü\\u0000"'.encode())),
        ExecutionSuspended(reason="lunch"),
        ExecutionResumed(),
        ExecutionTerminated(reason="no", recursive=False),
        TaskScheduled(id=5, name="reserve", input=inline(b"{}"), placement="queue", tags={"a": "b"}),
        TaskCancelled(task_id=5),
        TimerCreated(id=6, fire_at=now + timedelta(days=90)),
        ChildScheduled(id=7, name="Child", instance_id="c", execution_id="ce", input=inline(b"1"), detached=True),
        EventSent(id=8, instance_id="other", name="hello", input=inline(b"1")),
        CustomStatusSet(status=inline(b'{"step": 2}')),
        ExecutionFailed(failure=_FAILURE),
        ContinuedAsNew(
            input=inline(b"2"), execution_id="next", carried=(EventRaised(name="late", input=inline(b"1")),)
        ),
    )


class TurnConformance(Conformance):
    """append."""

    @on_store
    async def test_every_event_comes_back_as_it_was(self, store: Store) -> None:
        committed = turn(execution(_ID), 0, store.clock(), events=_every_event(store))
        await store.provider.append(committed)
        assert await _turns(store) == (committed,)

    @on_store
    async def test_a_turn_without_messages(self, store: Store) -> None:
        of = execution(_ID)
        bare = Turn(execution=of, number=0, events=(), message_ids=(), trigger_id="", time=store.clock(), commit_id="c")
        await store.provider.append(bare)
        assert await _turns(store) == (bare,)

    @on_store
    async def test_a_turn_is_committed_once(self, store: Store) -> None:
        of = execution(_ID)
        first = turn(of, 0, store.clock(), commit_id="ours")
        await store.provider.append(first)
        with pytest.raises(TurnLostError):
            await store.provider.append(turn(of, 0, store.clock(), commit_id="theirs", events=_every_event(store)))
        assert await _turns(store) == (first,)

    @on_store
    async def test_our_own_commit_again_is_success(self, store: Store) -> None:
        """P13: the answer of the first one was lost."""
        committed = turn(execution(_ID), 0, store.clock())
        await store.provider.append(committed)
        await store.provider.append(committed)
        assert await _turns(store) == (committed,)

    @on_store
    async def test_of_two_commits_at_once_one_wins(self, store: Store) -> None:
        turns = [turn(execution(_ID), 0, store.clock(), commit_id=f"c{n}") for n in range(5)]
        won, lost = await outcomes(store.provider.append(one) for one in turns)
        assert len(won) == 1
        assert [type(error) for error in lost] == [TurnLostError] * 4
        (kept,) = await _turns(store)
        assert kept in turns

    @on_store
    async def test_a_turn_that_lost_has_consumed_nothing(self, store: Store) -> None:
        of = execution(_ID)
        await store.provider.append(turn(of, 0, store.clock()))
        ours = turn(of, 1, store.clock(), commit_id="ours")
        theirs = msgspec.structs.replace(ours, commit_id="theirs", message_ids=("theirs",), trigger_id="theirs")
        await store.provider.append(ours)
        with pytest.raises(TurnLostError):
            await store.provider.append(theirs)
        assert "theirs" not in await store.provider.consumed(_ID)

    @on_store
    async def test_executions_have_logs_of_their_own(self, store: Store) -> None:
        """The same turn number in another generation, another execution, another instance."""
        logs = [
            execution(_ID, 0, "one"),
            execution(_ID, 0, "two"),
            execution(_ID, 1, "one"),
            execution("order-2", 0, "one"),
        ]
        for of in logs:
            await store.provider.append(turn(of, 0, store.clock(), commit_id=f"{of.instance_id}{of.generation}"))
        assert [one.execution for one in await _turns(store)] == [execution(_ID, 1, "one")]
        assert [one.execution for one in await _turns(store, "order-2")] == [execution("order-2", 0, "one")]
        assert [one.execution for one in await store.catalog.history(_ID, "two")] == [execution(_ID, 0, "two")]

    @on_store
    async def test_turns_are_in_order_past_nine_and_ninety_nine(self, store: Store) -> None:
        await self._check_order(store, execution(_ID), 120)

    @on_store
    async def test_turns_are_in_order_past_a_page(self, store: Store) -> None:
        await self._check_order(store, execution(_ID), 1_030)

    async def _check_order(self, store: Store, of: Execution, count: int) -> None:
        turns = [turn(of, number, store.clock()) for number in range(count)]
        await store.provider.append(turns[0])
        await many(store.provider.append(one) for one in reversed(turns[1:]))
        assert [one.number for one in await _turns(store)] == list(range(count))

    @on_store
    async def test_a_turn_of_thousands_of_events(self, store: Store) -> None:
        events = [TaskScheduled(id=n, name=f"task {n}", input=inline(b"%d" % n)) for n in range(5_000)]
        big = turn(execution(_ID), 0, store.clock(), events=events)
        await store.provider.append(big)
        assert await _turns(store) == (big,)
        assert await store.provider.consumed(_ID) == frozenset(big.message_ids)

    @on_store
    async def test_a_big_turn_that_lost_leaves_nothing(self, store: Store) -> None:
        of = execution(_ID)
        await store.provider.append(turn(of, 0, store.clock()))
        events = [TaskScheduled(id=n, name=f"ours {n}", input=inline(b"1")) for n in range(2_000)]
        ours = turn(of, 1, store.clock(), events=events, commit_id="ours")
        await store.provider.append(ours)
        lost = [TaskScheduled(id=n, name=f"theirs {n}", input=inline(b"1")) for n in range(2_000)]
        with pytest.raises(TurnLostError):
            await store.provider.append(turn(of, 1, store.clock(), events=lost, commit_id="theirs"))
        assert (await _turns(store))[1:] == (ours,)

    @on_store
    async def test_a_turn_of_thousands_of_messages(self, store: Store) -> None:
        ids = tuple(f"{n:032x}-done" for n in range(2_000))
        of = execution(_ID)
        committed = Turn(
            execution=of,
            number=0,
            events=(TimerFired(task_id=1),),
            message_ids=ids,
            trigger_id=ids[0],
            time=store.clock(),
            commit_id="c",
        )
        await store.provider.append(committed)
        assert await _turns(store) == (committed,)
        assert await store.provider.consumed(_ID) == frozenset(ids)

    @on_store
    async def test_a_turn_with_a_megabyte(self, store: Store) -> None:
        """In place where the store takes it in place, by name where it does not (P1)."""
        payload = text(1_000_000)
        if store.provider.inline_limit < payload.size:
            payload = await store.provider.put_payload(_ID, payload.data)
        of = execution(_ID)
        await store.provider.append(turn(of, 0, store.clock(), events=(TaskCompleted(task_id=0, result=payload),)))
        (committed,) = await _turns(store)
        event = committed.events[-1]
        assert isinstance(event, TaskCompleted)
        assert await store.provider.get_payload(event.result) == text(1_000_000).data

    @on_store
    async def test_the_time_of_a_turn_is_exact(self, store: Store) -> None:
        odd = store.clock().replace(microsecond=999_999)
        await store.provider.append(last_turn(execution(_ID), 0, odd))
        (committed,) = await _turns(store)
        assert committed.time == odd
        assert committed.is_terminal
