"""The five workloads: same counts, closed loop, every result checked.

W1 a chain of five activities, 200 orchestrations, 20 in flight; W1a the same alone, 30 times; W2 one fan-out of 500
activities; W3 an orchestration that returns its input, 1,000 of them, 50 in flight; W4 one chain of 500 activities,
each noting when it ran. Workloads ask a `Runner` for results: the limit of the design runs through the very same loops.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from durable_ext import OrchestrationContext, Registry
from durable_ext.worker.client import Client

STEPS = 5
_LIMIT = timedelta(seconds=120)
_stamps: list[float] = []

Metrics = dict[str, float]


@dataclass(frozen=True)
class Scale:
    """How much of everything. `loops` are the orchestrations in flight of W1 and W3."""

    chains: int = 200
    chain_loops: int = 20
    alone: int = 30
    width: int = 500
    hellos: int = 1000
    hello_loops: int = 50
    steps: int = 500


SCALES = {
    "full": Scale(),
    "small": Scale(chains=10, chain_loops=5, alone=3, width=20, hellos=20, hello_loops=10, steps=120),
}


async def add_one(value: int) -> int:
    return value + 1


async def add_one_stamped(value: int) -> int:
    stamp()
    return value + 1


def stamp() -> None:
    """Note that a step of W4 ran now."""
    _stamps.append(time.perf_counter())


async def chain(ctx: OrchestrationContext, length: int) -> int:
    value = 0
    for _ in range(length):
        value = await ctx.call_activity(add_one, value)
    return value


async def long_chain(ctx: OrchestrationContext, length: int) -> int:
    value = 0
    for _ in range(length):
        value = await ctx.call_activity(add_one_stamped, value)
    return value


async def fan_out(ctx: OrchestrationContext, width: int) -> int:
    return sum(await asyncio.gather(*[ctx.call_activity(add_one, number) for number in range(width)]))


async def fan_out_queued(ctx: OrchestrationContext, width: int) -> int:
    calls = [ctx.call_activity(add_one, number, placement="queue") for number in range(width)]
    return sum(await asyncio.gather(*calls))


async def hello(ctx: OrchestrationContext, value: int) -> int:
    return value


async def parent(ctx: OrchestrationContext, value: int) -> int:
    return await ctx.call_sub_orchestrator(hello, value)


async def timer(ctx: OrchestrationContext, milliseconds: int) -> int:
    await asyncio.sleep(milliseconds / 1000)
    return milliseconds


async def waiting(ctx: OrchestrationContext, _: int) -> int:
    return await ctx.wait_for_external_event("go", int)


def registry() -> Registry:
    """The orchestrators and activities of all workloads."""
    names = Registry()
    for activity in (add_one, add_one_stamped):
        names.add_activity(activity)
    for orchestrator in (chain, long_chain, fan_out, fan_out_queued, hello, parent, timer, waiting):
        names.add_orchestrator(orchestrator)
    return names


class Runner(Protocol):
    """Whoever runs orchestrations: an engine, or the storage calls of one with no engine (limit.py)."""

    async def result_of(self, name: str, value: int) -> object:
        """Start `name` with `value` and return its result."""
        ...


class EngineRunner:
    """The engine, asked through its client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def result_of(self, name: str, value: int) -> object:
        status = await self._client.wait_for_completion(await self._client.start(name, value), _LIMIT)
        return status.output


async def run_one(runner: Runner, name: str, value: int, expected: int) -> float:
    """Seconds from the start call to the checked result."""
    began = time.perf_counter()
    found = await runner.result_of(name, value)
    if found != expected:
        raise RuntimeError(f"{name}({value}) came to {found!r}, expected {expected}")
    return time.perf_counter() - began


async def _closed_loop(runner: Runner, count: int, in_flight: int, call: tuple[str, int, int]) -> Metrics:
    latencies: list[float] = []
    numbers = iter(range(count))

    async def loop() -> None:
        for _ in numbers:
            latencies.append(await run_one(runner, *call))

    began = time.perf_counter()
    await asyncio.gather(*[loop() for _ in range(in_flight)])
    seconds = time.perf_counter() - began
    return {
        "n": count,
        "seconds": round(seconds, 3),
        "orch_per_s": round(count / seconds, 2),
        "p50_ms": round(statistics.median(latencies) * 1e3, 2),
        "p95_ms": round(sorted(latencies)[-(-count * 95 // 100) - 1] * 1e3, 2),
    }


async def _chains(runner: Runner, count: int, in_flight: int) -> Metrics:
    metrics = await _closed_loop(runner, count, in_flight, ("chain", STEPS, STEPS))
    return metrics | {"act_per_s": round(metrics["orch_per_s"] * STEPS, 2)}


async def w1(runner: Runner, scale: Scale) -> Metrics:
    return await _chains(runner, scale.chains, scale.chain_loops)


async def w1a(runner: Runner, scale: Scale) -> Metrics:
    return await _chains(runner, scale.alone, 1)


async def w2(runner: Runner, scale: Scale) -> Metrics:
    seconds = await run_one(runner, "fan_out", scale.width, scale.width * (scale.width + 1) // 2)
    return {"n": scale.width, "seconds": round(seconds, 4), "act_per_s": round(scale.width / seconds, 1)}


async def w3(runner: Runner, scale: Scale) -> Metrics:
    return await _closed_loop(runner, scale.hellos, scale.hello_loops, ("hello", 1, 1))


async def w4(runner: Runner, scale: Scale) -> Metrics:
    _stamps.clear()
    seconds = await run_one(runner, "long_chain", scale.steps, scale.steps)
    return {
        "n": scale.steps,
        "seconds": round(seconds, 3),
        "step_ms_mean": round(seconds / scale.steps * 1e3, 3),
    } | growth(_stamps)


def growth(stamps: Sequence[float]) -> Metrics:
    """Milliseconds between steps 40 to 60 and over the last 20, and their ratio."""
    pauses = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    early, late = statistics.median(pauses[39:59]) * 1e3, statistics.median(pauses[-20:]) * 1e3
    return {"step50_ms": round(early, 3), "step_last_ms": round(late, 3), "growth": round(late / early, 3)}


WORKLOADS: dict[str, Callable[[Runner, Scale], Awaitable[Metrics]]] = {
    "W1": w1,
    "W1a": w1a,
    "W2": w2,
    "W3": w3,
    "W4": w4,
}


async def warm_up(runner: Runner, scale: Scale) -> None:
    """Some two thousand storage calls: a cold emulator is a third slower."""
    await _closed_loop(runner, scale.chains, scale.chain_loops, ("chain", STEPS, STEPS))
    await _closed_loop(runner, scale.chains // 2, scale.chain_loops, ("hello", 1, 1))
