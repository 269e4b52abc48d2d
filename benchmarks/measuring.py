"""Rows: workloads run on variants, alternating (A B A B ...), so that a drift of the machine hits all alike."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.cpu import CpuMeter
from benchmarks.variants import ON_AZURITE, PEERS, VARIANTS, Opener
from benchmarks.workloads import WORKLOADS, Scale, warm_up
from durable_ext.host.azurite import Azurite

# `peer`, `variant`, `workload`, `rep`, the metrics of the workload, and `cpu`.
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What to run, how often and how much of it."""

    variants: Sequence[str]
    workloads: Sequence[str]
    reps: int
    scale: Scale


def measure(plan: Plan) -> Iterator[Row]:
    """The rows as they come. Each repetition has an emulator of its own, for all variants that need one."""
    for rep in range(plan.reps):
        with ExitStack() as stack:
            connection = ""
            if ON_AZURITE & set(plan.variants):
                connection = stack.enter_context(Azurite()).connection_string
            yield from _repetition(plan, rep, connection)


def _repetition(plan: Plan, rep: int, connection: str) -> Iterator[Row]:
    for name in plan.variants:
        asyncio.run(_warm(VARIANTS[name], connection, plan.scale))
    for workload in plan.workloads:
        for name in plan.variants:
            metrics = asyncio.run(_run(VARIANTS[name], connection, workload, plan.scale))
            yield {"peer": PEERS[name], "variant": name, "workload": workload, "rep": rep} | metrics


async def _warm(opener: Opener, connection: str, scale: Scale) -> None:
    async with opener(connection) as runner:
        await warm_up(runner, scale)


async def _run(opener: Opener, connection: str, workload: str, scale: Scale) -> Row:
    async with opener(connection) as runner:
        # Connections and statements are opened by the first run, and the garbage of the last variant is not ours.
        await runner.result_of("hello", 1)
        gc.collect()
        meter = CpuMeter()
        metrics = await WORKLOADS[workload](runner, scale)
        return metrics | {"cpu": meter.delta()}
