"""The five workloads: same counts, closed loop, every result checked.

W1 a chain of five activities, 200 orchestrations, 20 in flight; W1a the same alone, 30 times; W2 one fan-out of 500
activities; W3 an orchestration that returns its input, 1,000 of them, 50 in flight; W4 one chain of 500 activities,
each noting when it ran.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from durable_ext import OrchestrationContext, Registry
from durable_ext.worker.client import Client

_LIMIT = timedelta(seconds=120)
_STEPS = 5
_stamps: list[float] = []

Metrics = dict[str, float]


async def add_one(value: int) -> int:
    return value + 1


async def add_one_stamped(value: int) -> int:
    _stamps.append(time.perf_counter())
    return value + 1


async def chain(ctx: OrchestrationContext, value: int) -> int:
    for _ in range(_STEPS):
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


def registry() -> Registry:
    """The orchestrators and activities of all workloads."""
    names = Registry()
    for activity in (add_one, add_one_stamped):
        names.add_activity(activity)
    for orchestrator in (chain, long_chain, fan_out, fan_out_queued, hello):
        names.add_orchestrator(orchestrator)
    return names


async def run_one(client: Client, name: str, value: int, expected: int) -> float:
    """Start one, wait for its checked result; seconds from start call to result."""
    began = time.perf_counter()
    instance_id = await client.start(name, value)
    status = await client.wait_for_completion(instance_id, _LIMIT)
    if status.output != expected:
        raise RuntimeError(f"{name} {instance_id}: expected {expected}, got {status!r} {status.output!r}")
    return time.perf_counter() - began


async def _closed_loop(client: Client, count: int, in_flight: int, call: tuple[str, int, int]) -> Metrics:
    latencies: list[float] = []
    numbers = iter(range(count))

    async def loop() -> None:
        for _ in numbers:
            latencies.append(await run_one(client, *call))

    began = time.perf_counter()
    await asyncio.gather(*[loop() for _ in range(in_flight)])
    seconds = time.perf_counter() - began
    ordered = sorted(latencies)
    return {
        "n": count,
        "seconds": round(seconds, 3),
        "orch_per_s": round(count / seconds, 1),
        "p50_ms": round(statistics.median(ordered) * 1e3, 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1e3, 2),
    }


async def w1(client: Client) -> Metrics:
    return await _closed_loop(client, 200, 20, ("chain", 0, _STEPS))


async def w1a(client: Client) -> Metrics:
    return await _closed_loop(client, 30, 1, ("chain", 0, _STEPS))


async def w2(client: Client) -> Metrics:
    seconds = await run_one(client, "fan_out", 500, 500 * 501 // 2)
    return {"n": 500, "seconds": round(seconds, 3), "act_per_s": round(500 / seconds, 1)}


async def w3(client: Client) -> Metrics:
    return await _closed_loop(client, 1000, 50, ("hello", 1, 1))


async def w4(client: Client) -> Metrics:
    _stamps.clear()
    seconds = await run_one(client, "long_chain", 500, 500)
    pauses = [later - earlier for earlier, later in zip(_stamps, _stamps[1:], strict=False)]
    early, late = statistics.median(pauses[39:59]) * 1e3, statistics.median(pauses[-20:]) * 1e3
    return {
        "n": 500,
        "seconds": round(seconds, 3),
        "step50_ms": round(early, 3),
        "step_last_ms": round(late, 3),
        "growth": round(late / early, 3),
    }


WORKLOADS: dict[str, Callable[[Client], Awaitable[Any]]] = {"W1": w1, "W1a": w1a, "W2": w2, "W3": w3, "W4": w4}


async def warm_up(client: Client) -> None:
    """A few hundred operations, so that servers and code paths are warm before anything is timed."""
    await _closed_loop(client, 60, 10, ("chain", 0, _STEPS))
    await _closed_loop(client, 60, 10, ("hello", 1, 1))
