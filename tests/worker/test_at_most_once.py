"""An activity that runs at most once is claimed right before it is called; a later delivery finds it begun."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.errors import ActivityOutcomeUnknownError, StorageUnavailableError
from durable_ext.records.messages import Message, RunActivity
from durable_ext.records.payloads import inline
from durable_ext.worker.activities.claims import Claims
from durable_ext.worker.client import utc_now

from .running import failure_of, registry_of, row_is_there, running, until, value_of


def test_a_second_delivery_does_not_run_it() -> None:
    ran: list[int] = []

    async def main() -> None:
        async with running(registry_of(ran.append, at_most_once=True)) as found:
            assert value_of(await found.run("do", 1)) is None
            for attempt in (2, 3):
                failure = failure_of(await found.run("do", 1, attempt=attempt))
                assert failure.is_caused_by(ActivityOutcomeUnknownError)
                assert not failure.retryable
                assert "'do'" in failure.message
                assert "after_fault" in failure.message

    asyncio.run(main())
    assert ran == [1]


def test_each_call_is_claimed_by_itself() -> None:
    """A retry of a policy is a call of its own."""
    ran: list[int] = []

    async def main() -> None:
        async with running(registry_of(ran.append, at_most_once=True)) as found:
            for number in range(3):
                await found.run("do", number, item=f"e-{number}-1")
            assert [item for item, _ in found.claimed] == ["e-0-1", "e-1-1", "e-2-1"]
            assert len({claimant for _, claimant in found.claimed}) == 3

    asyncio.run(main())
    assert ran == [0, 1, 2]


def test_a_failure_is_an_outcome_and_no_reason_to_run_it_again() -> None:
    def refuse(_: int) -> None:
        raise ValueError("sold out")

    async def main() -> None:
        async with running(registry_of(refuse, at_most_once=True)) as found:
            assert failure_of(await found.run("do", 1)).type == "ValueError"
            assert failure_of(await found.run("do", 1)).is_caused_by(ActivityOutcomeUnknownError)

    asyncio.run(main())


def text_of(number: int) -> str:
    return str(number)


def test_others_are_not_claimed() -> None:
    async def main() -> None:
        async with running(registry_of(text_of)) as found:
            for _ in range(2):
                assert value_of(await found.run("do", 1)) == "1"
            assert found.claimed == []

    asyncio.run(main())


# after_fault


async def asynchronous(ctx: ActivityContext, number: int) -> str:
    return f"{number} at {ctx.attempt}"


def in_a_thread(ctx: ActivityContext, number: int) -> str:
    return f"{number} at {ctx.attempt}"


def without_context(number: int) -> str:
    return f"{number} at 2"


def without_anything() -> str:
    return "7 at 2"


@pytest.mark.parametrize("after_fault", [asynchronous, in_a_thread, without_context, without_anything])
def test_after_fault_runs_instead(after_fault: Callable[..., str]) -> None:
    ran: list[int] = []

    async def main() -> None:
        registry = registry_of(ran.append, at_most_once=True, after_fault=after_fault)
        async with running(registry) as found:
            await found.run("do", 7)
            assert value_of(await found.run("do", 7, attempt=2)) == "7 at 2"
            assert value_of(await found.run("do", 7, attempt=2)) == "7 at 2"

    asyncio.run(main())
    assert ran == [7]


def test_after_fault_may_fail() -> None:
    def give_up() -> None:
        raise LookupError("no trace of it")

    def misfit(number: list[int]) -> None: ...

    async def main() -> None:
        for after_fault, kind in ((give_up, "LookupError"), (misfit, "durable_ext.errors.PayloadError")):
            async with running(registry_of(text_of, at_most_once=True, after_fault=after_fault)) as found:
                await found.run("do", 7)
                assert failure_of(await found.run("do", 7)).type == kind

    asyncio.run(main())


# When it is claimed.


def test_what_cannot_be_called_is_not_claimed() -> None:
    def picky(number: list[int]) -> None: ...

    async def main() -> None:
        async with running(registry_of(picky, at_most_once=True)) as found:
            assert failure_of(await found.run("do", "text")).type == "durable_ext.errors.PayloadError"
            assert failure_of(await found.run("unknown")).type == "durable_ext.errors.ConfigurationError"
            assert found.claimed == []

    asyncio.run(main())


def test_what_waits_for_a_slot_is_not_claimed() -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def wait(_: int) -> None:
            await go_on.wait()

        async with running(registry_of(wait, at_most_once=True), slots=1) as found:
            first = asyncio.create_task(found.run("do", 1, item="first"))
            waits = asyncio.create_task(found.run("do", 2, item="second"))
            await until(lambda: found.claimed)
            waits.cancel()
            go_on.set()
            await first
            await asyncio.wait([waits])
            assert waits.cancelled()
            assert [item for item, _ in found.claimed] == ["first"]
            assert value_of(await found.run("do", 2, item="second")) is None, "it may still run, as it never began"

    asyncio.run(main())


def test_what_cannot_be_claimed_does_not_run() -> None:
    ran: list[int] = []
    wrong = [True]

    async def unreachable(instance_id: str, work_item: str, claimant: str) -> bool:
        if wrong:
            raise StorageUnavailableError("claim: no answer")
        return True

    async def main() -> None:
        async with running(registry_of(ran.append, at_most_once=True), claim=unreachable) as found:
            with pytest.raises(StorageUnavailableError):
                await found.run("do", 1)
            assert ran == []
            wrong.clear()
            assert value_of(await found.run("do", 1, attempt=2)) is None

    asyncio.run(main())
    assert ran == [1]


# Claims by themselves.


def item(message_id: str) -> Message:
    body = RunActivity(task_id=0, name="do", input=inline(b"1"))
    return Message(id=message_id, instance_id="order-1", body=body, sent_at=utc_now())


class Ledger:
    """Claims in memory. `lost`: the next answers are lost although the claim took effect."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.lost = 0
        self.asked: list[str] = []
        self.pause: asyncio.Event | None = None

    async def claim(self, instance_id: str, work_item: str, claimant: str) -> bool:
        self.asked.append(claimant)
        first = self.held.setdefault(work_item, claimant) == claimant
        if self.pause is not None:
            await self.pause.wait()
        if self.lost:
            self.lost -= 1
            raise StorageUnavailableError("claim: the answer is lost")
        return first

    def claims(self) -> Claims:
        names = iter(f"c{number}" for number in range(10_000))
        return Claims(self.claim, row_is_there, lambda: next(names))


def test_a_claim_whose_answer_was_lost_is_still_ours() -> None:
    """Here nothing has begun under it: it is asked for again as the same claimant, once."""

    async def main() -> None:
        ledger = Ledger()
        claims = ledger.claims()
        ledger.lost = 1
        with pytest.raises(StorageUnavailableError):
            await claims.is_first(item("a"))
        assert await claims.is_first(item("a"))
        assert not await claims.is_first(item("a"))
        assert ledger.asked == ["c0", "c0", "c1"]

    asyncio.run(main())


def test_a_claim_that_was_cancelled_too() -> None:
    async def main() -> None:
        ledger = Ledger()
        claims = ledger.claims()
        ledger.pause = asyncio.Event()
        asking = asyncio.create_task(claims.is_first(item("a")))
        await until(lambda: ledger.asked)
        asking.cancel()
        await asyncio.wait([asking])
        ledger.pause = None
        assert await claims.is_first(item("a"))

    asyncio.run(main())


def test_of_two_deliveries_at_once_one_is_first() -> None:
    async def main() -> None:
        ledger = Ledger()
        claims = ledger.claims()
        ledger.lost = 1
        with pytest.raises(StorageUnavailableError):
            await claims.is_first(item("a"))
        ledger.pause = asyncio.Event()
        both = [asyncio.create_task(claims.is_first(item("a"))) for _ in range(2)]
        await until(lambda: len(ledger.asked) == 3)
        ledger.pause.set()
        assert sorted([await one for one in both]) == [False, True]

    asyncio.run(main())


def test_what_nobody_asks_for_again_is_forgotten_some_time() -> None:
    async def main() -> None:
        ledger = Ledger()
        claims = ledger.claims()
        ledger.lost = 5000
        for number in range(2000):
            with pytest.raises(StorageUnavailableError):
                await claims.is_first(item(f"m{number}"))
        ledger.asked.clear()
        for number in (0, 1999):
            with pytest.raises(StorageUnavailableError):
                await claims.is_first(item(f"m{number}"))
        assert ledger.asked == ["c2000", "c1999"]

    asyncio.run(main())
