"""An activity with `max_concurrent`: so many at once, and the others are not held up."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import OrchestrationContext, Registry, Worker
from durable_ext.authoring.options import Placement
from durable_ext.errors import ConfigurationError
from durable_ext.records.messages import FinishTask
from durable_ext.worker.settings import WorkerSettings

from ..pumped import pumped
from .running import PATIENCE, Running, running, until, value_of


class Counted:
    """An activity that waits to be let go, and the most that were inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.go = asyncio.Event()

    async def narrow(self, number: int) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.go.wait()
        finally:
            self.inside -= 1
        return number


def registry_of(counted: Counted, most: int) -> Registry:
    registry = Registry()
    registry.add_activity(counted.narrow, "narrow", max_concurrent=most)

    async def quick() -> str:
        return "quick"

    registry.add_activity(quick)
    return registry


def begin(worker: Running, count: int) -> list[asyncio.Task[FinishTask]]:
    return [asyncio.create_task(worker.run("narrow", n, item=f"e-{n}-0")) for n in range(count)]


def test_so_many_at_once_and_no_slot_for_those_who_wait() -> None:
    async def test() -> None:
        counted = Counted()
        async with running(registry_of(counted, 2), slots=3) as worker, asyncio.timeout(PATIENCE):
            tasks = begin(worker, 6)
            await until(lambda: counted.inside == 2)
            assert value_of(await worker.run("quick")) == "quick"
            assert worker.runner.admits("quick", "auto")
            counted.go.set()
            assert [value_of(outcome) for outcome in await asyncio.gather(*tasks)] == list(range(6))
            assert counted.most == 2

    asyncio.run(test())


def test_what_does_not_fit_goes_to_the_queue() -> None:
    async def test() -> None:
        counted = Counted()
        async with running(registry_of(counted, 2), slots=9) as worker, asyncio.timeout(PATIENCE):
            admits = [worker.runner.admits("narrow", "auto") for _ in range(4)]
            assert admits == [True, True, False, False], "before one of them has begun"
            assert worker.runner.admits("narrow", "local")
            tasks = begin(worker, 2)
            await until(lambda: counted.inside == 2)
            assert not worker.runner.admits("narrow", "auto")
            assert worker.runner.turns_away("narrow") is None
            tasks += begin(worker, 9)
            await until(lambda: worker.runner.turns_away("narrow"))
            assert worker.runner.turns_away("narrow") == timedelta(seconds=1)
            assert worker.runner.turns_away("quick") is None
            counted.go.set()
            await asyncio.gather(*tasks)
            assert worker.runner.admits("narrow", "auto")

    asyncio.run(test())


def test_one_who_gives_up_waiting_leaves_his_place() -> None:
    async def test() -> None:
        counted = Counted()
        async with running(registry_of(counted, 1)) as worker, asyncio.timeout(PATIENCE):
            first, second = begin(worker, 2)
            await until(lambda: counted.inside == 1)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            counted.go.set()
            await first
            assert value_of(await worker.run("narrow", 5)) == 5

    asyncio.run(test())


def test_a_thread_that_outlives_its_run_still_counts() -> None:
    go = threading.Event()
    registry = Registry()
    registry.add_activity(lambda: go.wait(PATIENCE), "stuck", max_concurrent=1, time_limit=timedelta(milliseconds=1))

    async def test() -> None:
        async with running(registry) as worker, asyncio.timeout(PATIENCE):
            await worker.run("stuck")
            assert not worker.runner.admits("stuck", "auto")
            go.set()
            await until(lambda: worker.runner.admits("stuck", "auto"))

    asyncio.run(test())


@pytest.mark.parametrize("placement", ["auto", "local", "queue"])
def test_in_the_engine(placement: Placement) -> None:
    most = 0
    inside = 0
    registry = Registry()

    async def narrow(number: int) -> int:
        nonlocal most, inside
        inside += 1
        most = max(most, inside)
        for _ in range(20):
            await asyncio.sleep(0)
        inside -= 1
        return number

    async def main(ctx: OrchestrationContext, count: int) -> list[int]:
        calls = [ctx.call_activity(narrow, number, placement=placement) for number in range(count)]
        return await asyncio.gather(*calls)

    registry.add_activity(narrow, max_concurrent=3)
    registry.add_orchestrator(main)

    async def test() -> None:
        async with pumped(registry) as worker:
            assert await output_of(worker, "main", 8) == list(range(8))
        assert most == 3

    asyncio.run(test())


async def output_of(worker: Worker, name: str, value: Any) -> Any:
    instance_id = await worker.client.start(name, value)
    return (await worker.client.wait_for_completion(instance_id, timedelta(seconds=PATIENCE))).output


@pytest.mark.parametrize("most", [0, -1, 1.5, "3"])
def test_a_number_that_makes_no_sense(most: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_concurrent of activity 'f'"):
        Registry().add_activity(lambda: None, "f", max_concurrent=most)
    with pytest.raises(ConfigurationError, match="activity_processes is at least 1"):
        WorkerSettings(activity_processes=0)
