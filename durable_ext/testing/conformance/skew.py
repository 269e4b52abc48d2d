"""Two processes on one store, whose clocks are minutes apart (T4).

For stores that several machines share; a store within one machine has one clock. What is relative (a delay, a lease)
lasts as long as it was meant to, whoever asks; who wins a row or a turn does not depend on what time it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import pytest

from durable_ext.errors import LeaseLostError, RowChangedError, TurnLostError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.journal import Journal
from durable_ext.testing.conformance.samples import (
    AFTER_SHORT_LEASE,
    PATIENCE,
    SHORT_LEASE,
    ended,
    execution,
    message,
    receive,
    receive_one,
    started,
    turn,
    work_item,
)
from durable_ext.testing.conformance.store import Conformance, Store

_ID = "order-1"
# More than any clock is off, unless nobody sets it.
_AHEAD = timedelta(minutes=7)


class _Pair(msgspec.Struct, frozen=True):
    """Two processes; which of the two clocks is right makes no difference to a test."""

    slow: Store
    fast: Store

    def both_ways(self) -> tuple[tuple[Store, Store], tuple[Store, Store]]:
        """Each of them as the one that acts, with the one that sees it."""
        return (self.slow, self.fast), (self.fast, self.slow)


_Self = TypeVar("_Self", bound="SkewConformance")


def _on_pair(test: Callable[[_Self, _Pair], Coroutine[Any, Any, None]]) -> Callable[[_Self], None]:
    def run(self: _Self) -> None:
        async def opened() -> None:
            async with self.open_two(_AHEAD) as (slow, fast):
                assert fast.clock() - slow.clock() > _AHEAD / 2
                await test(self, _Pair(slow, fast))

        self.run(opened())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


class SkewConformance(Conformance):
    """Every verb that reckons with a time, called by two processes that do not agree on it."""

    def open_two(self, ahead: timedelta) -> AbstractAsyncContextManager[tuple[Store, Store]]:
        """Two providers of one fresh hub; the clock of the second is so far ahead of the first one's."""
        raise NotImplementedError("say how two providers of one hub are opened")

    @_on_pair
    async def test_a_message_is_seen_at_once(self, pair: _Pair) -> None:
        for sender, receiver in pair.both_ways():
            await sender.provider.send([message(_ID, 1, sender.clock())])
            delivery = await receive_one(receiver, _ID)
            await receiver.provider.complete(delivery)

    @_on_pair
    async def test_a_delay_lasts_as_long_as_its_sender_meant(self, pair: _Pair) -> None:
        for sender, receiver in pair.both_ways():
            later = msgspec.structs.replace(message(_ID, 1, sender.clock()), due=sender.clock() + timedelta(seconds=2))
            await sender.provider.send([later])
            assert not await receive(receiver, _ID)
            await receiver.pass_time(3.2)
            (delivery,) = await receive(receiver, _ID, wait=PATIENCE)
            await receiver.provider.complete(delivery)

    @_on_pair
    async def test_a_lease_lasts_as_long_as_its_holder_meant(self, pair: _Pair) -> None:
        for holder, other in pair.both_ways():
            await holder.provider.send([message(_ID, 1, holder.clock())])
            held = await receive_one(holder, _ID, lease=SHORT_LEASE)
            assert not await receive(other, _ID)
            await other.pass_time(AFTER_SHORT_LEASE)
            taken = await receive_one(other, _ID)
            assert taken.dequeue_count == 2
            with pytest.raises(LeaseLostError):
                await holder.provider.extend(held, SHORT_LEASE)
            await other.provider.complete(taken)

    @_on_pair
    async def test_an_extended_lease_and_a_pause_are_kept(self, pair: _Pair) -> None:
        for holder, other in pair.both_ways():
            await holder.provider.send([message(_ID, 1, holder.clock())])
            held = await holder.provider.extend(
                await receive_one(holder, _ID, lease=SHORT_LEASE), timedelta(seconds=30)
            )
            await other.pass_time(AFTER_SHORT_LEASE)
            assert not await receive(other, _ID)
            await holder.provider.abandon(held, timedelta(seconds=2))
            assert not await receive(other, _ID)
            await other.pass_time(3.2)
            await other.provider.complete(await receive_one(other, _ID))

    @_on_pair
    async def test_what_waits_has_waited_equally_long_for_both(self, pair: _Pair) -> None:
        await pair.fast.provider.send([work_item(_ID, 1, pair.fast.clock())])
        seen = await pair.slow.provider.oldest_work(), await pair.fast.provider.oldest_work()
        assert seen[0] is not None
        assert seen[0] == seen[1]

    @_on_pair
    async def test_of_two_commits_one_wins_whatever_time_they_name(self, pair: _Pair) -> None:
        first = execution(_ID)
        await started(pair.slow, first)
        await pair.slow.provider.append(turn(first, 0, pair.slow.clock()))
        turns = [turn(first, 1, one.clock(), commit_id=f"c{n}") for n, one in enumerate((pair.slow, pair.fast))]
        results = await asyncio.gather(
            pair.slow.provider.append(turns[0]), pair.fast.provider.append(turns[1]), return_exceptions=True
        )
        assert [type(one) for one in results if one] == [TurnLostError]
        seen = (await pair.slow.provider.load(_ID)).turns
        assert seen == (await pair.fast.provider.load(_ID)).turns
        assert seen[1] == turns[results.index(None)]

    @_on_pair
    async def test_a_row_of_an_earlier_time_may_replace_a_later_one(self, pair: _Pair) -> None:
        """The etag guards it, not a time: the slow clock's process is not shut out."""
        stored = await started(pair.fast, execution(_ID))
        ended_at = pair.slow.clock()
        row = msgspec.structs.replace(stored.row, status=RuntimeStatus.COMPLETED, turn=1, updated_at=ended_at)
        await pair.slow.provider.update_row(row, stored.etag)
        found = await pair.fast.provider.read_row(_ID)
        assert found is not None
        assert found.row == row
        with pytest.raises(RowChangedError):
            await pair.fast.provider.update_row(stored.row, stored.etag)

    @_on_pair
    async def test_a_sweep_spares_a_tombstone_of_the_other_clock(self, pair: _Pair) -> None:
        """An hour is kept between purge and sweep, which is more than clocks are apart."""
        for number, (purger, sweeper) in enumerate(pair.both_ways()):
            instance_id = f"order-{number}"
            row = await ended(purger, execution(instance_id))
            await purger.catalog.purge(row)
            assert await sweeper.catalog.sweep(sweeper.clock() - timedelta(hours=1)) == 0
            with pytest.raises(TurnLostError):
                await sweeper.provider.append(turn(row.execution, row.turn, sweeper.clock(), commit_id="late"))

    @_on_pair
    async def test_a_prune_and_claims_of_the_other_clock(self, pair: _Pair) -> None:
        for number, (claimant, other) in enumerate(pair.both_ways()):
            instance_id = f"order-{number}"
            row = await ended(claimant, execution(instance_id))
            assert await claimant.provider.claim(instance_id, "w", "one")
            await other.catalog.prune(
                instance_id, below_generation=row.execution.generation, older_than=other.clock() - timedelta(hours=1)
            )
            assert not await other.provider.claim(instance_id, "w", "other")

    @_on_pair
    async def test_a_journal_tells_the_time_of_its_writer(self, pair: _Pair) -> None:
        """Whether a process lives is judged by whether its journal changes, so it comes as it was written."""
        for writer, reader in pair.both_ways():
            journal = Journal(process_id="p", time=writer.clock(), messages=())
            await writer.provider.write_journal(journal)
            assert [kept.journal for kept in await reader.provider.journals()] == [journal]
