"""An async operation of an entity that hands over for ever without waiting fails, and its entity goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.testing.harness import Harness
from durable_ext.worker.entities import waiting

pytestmark = pytest.mark.timeout(60, method="thread")

EVERYTHING = (BaseException,)


@dataclass
class Counter:
    value: int = 0

    async def spins(self) -> None:
        while True:  # noqa: ASYNC110 - that is what is tested
            await asyncio.sleep(0)

    async def swallows(self) -> None:
        while True:
            with suppress(*EVERYTHING):
                await asyncio.sleep(0)

    async def waits(self, times: int) -> int:
        for _ in range(2):
            for _ in range(times):
                await asyncio.sleep(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
        self.value += 1
        return self.value


async def main(ctx: OrchestrationContext, operation: str) -> Any:
    await ctx.call_entity("@counter@a", Counter.waits, 900)
    try:
        await ctx.call_entity("@counter@a", operation)
    finally:
        ctx.set_custom_status(await ctx.call_entity("@counter@a", Counter.waits, 900))


@pytest.mark.parametrize("operation", ["spins", "swallows"])
def test_an_operation_that_never_waits_fails_and_names_its_line(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_CALLBACKS", 1_000)
    registry = Registry()
    registry.add_entity(Counter)
    registry.add_orchestrator(main)
    with Harness(registry) as harness:
        instance = harness.start(main, operation)
        failure = instance.wait().failure
        assert failure is not None
        assert failure.cause is not None
        assert failure.cause.type == "durable_ext.errors.EndlessTurnError"
        assert f"{__file__}:" in failure.cause.message
        assert f"in Counter.{operation}. " in failure.cause.message
        assert instance.custom_status == 2, "the entity goes on"
