"""Activities that are not registered in every process of a hub: left for those that have them, for some time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.settings import WorkerSettings

from .two_stores import AnyHub, on_both, run_on

_SOON = timedelta(hours=3)


async def both(ctx: OrchestrationContext) -> list[str]:
    placements: Any = ("auto", "local", "queue")
    calls = [ctx.call_activity(name, p, placement=p) for p in placements for name in ("here", "there")]
    return await asyncio.gather(*calls)


def app(*activities: str) -> Registry:
    registry = Registry()
    registry.add_orchestrator(both)
    for name in activities:
        registry.add_activity(activity(name), name)
    return registry


def activity(name: str) -> Any:
    async def run(value: str) -> str:
        return f"{name} {value}"

    return run


def patient(seconds: float, slots: int = 8) -> WorkerSettings:
    return WorkerSettings(activity_slots=slots, leave_unknown=timedelta(seconds=seconds))


@on_both
def test_each_activity_finds_the_process_that_has_it(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        one = hub.process(app("here"), settings=patient(600))
        other = hub.process(app("there"), settings=patient(600))
        one.start()
        other.start()
        await one.client.start("both", instance_id="x")
        status = await one.client.wait_for_completion("x", _SOON)
        places = ("auto", "local", "queue")
        assert status.output == [f"{name} {place}" for place in places for name in ("here", "there")]
        await hub.check("x")

    run_on(store, test)


@on_both
@pytest.mark.parametrize("seconds", [100, 24 * 3600])
def test_what_nobody_has_fails_in_the_end_and_says_why(store: str, seconds: int) -> None:
    """Also when the patience is longer than any message may be put off: it never becomes a riddle in quarantine."""

    async def test(hub: AnyHub) -> None:
        one = hub.process(app("here"), settings=patient(seconds))
        one.start()
        began = hub.clock()
        await one.client.start("both", instance_id="x")
        status = await one.client.wait_for_completion("x", _SOON)
        assert status.runtime_status is RuntimeStatus.FAILED
        assert "no activity is registered under the name 'there'; registered: here" in str(status.output)
        took = hub.clock() - began
        assert min(timedelta(seconds=seconds), timedelta(hours=1)) <= took <= timedelta(hours=2)
        assert not await hub.store.list_quarantined()
        await hub.check("x")

    run_on(store, test)


@on_both
def test_by_default_it_fails_at_once(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        one = hub.process(app("here"))
        one.start()
        began = hub.clock()
        await one.client.start("both", instance_id="x")
        status = await one.client.wait_for_completion("x", _SOON)
        assert status.runtime_status is RuntimeStatus.FAILED
        assert hub.clock() - began < timedelta(seconds=10)

    run_on(store, test)


def test_patience_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match="leave_unknown"):
        patient(-1)
