"""Code that is watched decides as any other; code that is not is watched only once it differs."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
from dataclasses import dataclass
from datetime import timedelta
from types import FunctionType
from typing import Any

import pytest

from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import NotDurableError
from durable_ext.records.parting import Place
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.turn import replay
from durable_ext.replay.witness import Witness

from ..replay.events import EXECUTION, answer, fired
from ..replay.situation import Situation, registry_of
from .partings import ONE, Context, fresh, one, parted, recorded


def test_code_that_is_never_twice_the_same_is_said_to_be_so() -> None:
    names = itertools.count()

    async def restless(ctx: Context) -> None:
        await ctx.call_activity(f"activity {next(names)}")

    error = parted(fresh(restless), recorded(one))
    assert error.source is None
    assert error.actual == "TaskScheduled(0, activity 0)"
    assert "did something else" in str(error)


def test_watched_code_that_is_never_twice_the_same_has_its_line() -> None:
    names = itertools.count()

    async def restless(ctx: Context) -> None:
        await ctx.call_activity(f"activity {next(names)}")

    registry = registry_of(restless)
    error = parted(Witness(EXECUTION, registry, registry.converter), recorded(one))
    assert error.source is not None
    assert error.source.function == "restless"


def test_code_that_runs_once_more_is_told_it_is_a_replay() -> None:
    seen: list[bool] = []

    async def looks(ctx: Context) -> None:
        seen.append(ctx.is_replaying)
        await ctx.call_activity("x")

    parted(fresh(looks), recorded(one))
    assert seen == [True, True]


_LIBRARY = """
async def call(ctx):
    await ctx.call_activity("x")


async def orchestrator(ctx):
    await call(ctx)
"""


def library(name: str) -> dict[str, Any]:
    """The functions of a module that was installed."""
    names: dict[str, Any] = {"__name__": name}
    FunctionType(compile(_LIBRARY, f"/site-packages/{name}.py", "exec"), names)()
    return names


def test_the_line_is_in_the_users_own_code() -> None:
    """Not in a library it uses; but in a library when the orchestrator is from one."""
    names = library("installed")

    async def uses(ctx: Context) -> None:
        await names["call"](ctx)

    error = parted(fresh(uses), recorded(one))
    assert error.source is not None
    assert (error.source.file, error.source.function) == (__file__, "uses")
    error = parted(fresh(names["orchestrator"]), recorded(one))
    assert error.source == Place("/site-packages/installed.py", 3, "call")


@dataclass(frozen=True)
class Order:
    number: int


async def typed(ctx: Context, order: Order) -> None:
    await ctx.call_activity("a", order.number)


def test_watched_code_gets_its_input_as_it_is_annotated() -> None:
    situation = Situation(registry_of(typed))
    situation.start({"number": 1})
    registry = registry_of(typed)
    replay(witness := Witness(EXECUTION, registry, registry.converter), situation.turns)
    witness.drop()


def test_an_orchestrator_that_is_gone_has_no_line() -> None:
    registry = registry_of(one)
    registry.orchestrators.clear()
    error = parted(LiveExecution(EXECUTION, registry, registry.converter), recorded(one))
    assert error.source is None
    assert "ExecutionFailed" in str(error.actual)


def test_no_frame_is_looked_at_while_code_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    real = inspect.currentframe

    def counted() -> Any:
        looks.append(None)
        return real()

    monkeypatch.setattr("durable_ext.replay.witness.inspect.currentframe", counted)
    situation = recorded(one, *ONE)
    replay(live := fresh(one), situation.turns)
    live.drop()
    assert looks == []
    parted(fresh(asks_another), situation)
    assert looks


def test_watched_code_decides_what_other_code_does() -> None:
    """Every way to wait, under a witness: no difference."""

    async def everything(ctx: Context) -> Any:
        policy = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=3)
        with contextlib.suppress(TimeoutError):
            await ctx.wait_for_external_event("go", timeout=timedelta(seconds=5))
        done, _ = await asyncio.wait(
            [ctx.call_activity("x", retry=policy), ctx.call_activity("y")], return_when=asyncio.FIRST_COMPLETED
        )
        with contextlib.suppress(NotDurableError):
            await asyncio.to_thread(print)
        return len(done)

    situation = recorded(everything, fired(0), answer(1))
    registry = registry_of(everything)
    replay(witness := Witness(EXECUTION, registry, registry.converter), situation.turns)
    witness.drop()


async def asks_another(ctx: Context) -> None:
    await ctx.call_activity("x")
