"""The check that every situation gets must itself be able to fail."""

from __future__ import annotations

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import NonDeterminismError

from .events import answer
from .situation import Situation, registry_of


def test_a_name_that_differs_at_every_run_is_found() -> None:
    runs: list[int] = []

    async def main(ctx: OrchestrationContext) -> None:
        runs.append(1)
        await ctx.call_activity(f"reserve{len(runs)}")

    situation = Situation(registry_of(main))
    situation.start()
    with pytest.raises((AssertionError, NonDeterminismError)):
        situation.verify()


def test_a_value_that_differs_at_every_run_is_found() -> None:
    runs: list[int] = []

    async def main(ctx: OrchestrationContext) -> int:
        runs.append(1)
        await ctx.call_activity("reserve")
        return len(runs)

    situation = Situation(registry_of(main))
    situation.start()
    situation.turn(answer(0))
    with pytest.raises(AssertionError):
        situation.verify()


def test_a_line_that_is_logged_at_every_run_is_found() -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.logger.info("started")
        await ctx.call_activity("reserve")

    situation = Situation(registry_of(main))
    situation.start()
    situation._results[0] = type(situation._results[0])(situation._results[0].events, ())  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(AssertionError):
        situation.verify()
