"""Two runs on virtual time are alike: ids, and the order in which threads end."""

from __future__ import annotations

import asyncio
import threading
import uuid

import pytest

from durable_ext.testing import determinism
from durable_ext.testing.crash_run import Setting, play
from durable_ext.testing.virtual_time import VirtualClock
from tests.scenarios.entity_workloads import ENTITIES

# Longer than a thread keeps the interpreter to itself, so that others would end before it.
_LONG = 1_000_000


async def _thread_order(_clock: VirtualClock) -> list[int]:
    ended: list[int] = []

    def work(number: int) -> None:
        for _ in range(_LONG // (1 + 100 * number)):
            pass
        ended.append(number)

    await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(4)))
    return ended


def test_threads_end_as_they_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "_PATIENCE_SECONDS", 30)
    assert determinism.run("", _thread_order) == [0, 1, 2, 3]


def test_a_thread_may_wait_for_another_one() -> None:
    async def main(_clock: VirtualClock) -> tuple[bool, bool]:
        both = threading.Barrier(2, timeout=30)

        def meet() -> bool:
            both.wait()
            return True

        one, other = await asyncio.gather(asyncio.to_thread(meet), asyncio.to_thread(meet))
        return one, other

    assert determinism.run("", main) == (True, True)


def test_a_thread_may_wait_for_the_loop() -> None:
    async def main(clock: VirtualClock) -> float:
        loop = asyncio.get_running_loop()

        def wait() -> float:
            asyncio.run_coroutine_threadsafe(clock.sleep(3600), loop).result(30)
            return loop.time()

        return await asyncio.to_thread(wait)

    assert 3600 <= determinism.run("", main) < 3601


def test_ids_come_from_the_seed_and_only_while_it_runs() -> None:
    async def main(_clock: VirtualClock) -> str:
        return uuid.uuid4().hex

    first = determinism.run("a seed", main)
    assert determinism.run("a seed", main) == first
    assert determinism.run("another", main) != first
    assert uuid.uuid4().hex != first


def test_a_scenario_makes_the_same_storage_calls_each_time() -> None:
    setting = Setting(store="azure", world="scratch")
    scenario = ENTITIES["an entity that tells others"]
    assert len({play(scenario, setting).points for _ in range(6)}) == 1
