"""Activities and entities that are not registered in every process of a hub: left for those that have them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.http_records import ManagedIdentityTokenSource
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.versions import VersionFailure
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


@on_both
def test_what_every_worker_has_is_left_for_nobody(store: str) -> None:
    """A request of `call_http`; this one fails before it is sent."""

    async def asks(ctx: OrchestrationContext) -> None:
        await ctx.call_http("GET", "http://shop.example/", token_source=ManagedIdentityTokenSource("https://shop"))

    async def test(hub: AnyHub) -> None:
        registry = Registry()
        registry.add_orchestrator(asks)
        one = hub.process(registry, settings=patient(600))
        one.start()
        began = hub.clock()
        await one.client.start("asks", instance_id="x")
        status = await one.client.wait_for_completion("x", _SOON)
        assert "a token is not sent to shop.example in plain text" in str(status.output)
        assert hub.clock() - began < timedelta(seconds=10)

    run_on(store, test)


def test_patience_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match="leave_unknown"):
        patient(-1)


@dataclass
class Tally:
    """An entity that remembers what was added, in order."""

    added: list[int] = field(default_factory=list[int])

    def add(self, number: int) -> int:
        self.added.append(number)
        return len(self.added)


async def asking(ctx: OrchestrationContext, count: int) -> int:
    for number in range(count):
        ctx.signal_entity("@tally@a", "add", number)
    async with ctx.lock_entities(["@tally@a"]):
        return await ctx.call_entity("@tally@a", "add", count)


def with_entities(*, has_it: bool) -> Registry:
    registry = Registry()
    registry.add_orchestrator(asking)
    if has_it:
        registry.add_entity(Tally, "tally")
    return registry


LEAVES = WorkerSettings(version_failure=VersionFailure.REJECT)


@on_both
@pytest.mark.parametrize("late", [False, True])
def test_an_entity_finds_the_process_that_has_it(store: str, late: bool) -> None:
    """In the order of their sender, each once; also when that process comes only after minutes."""

    async def test(hub: AnyHub) -> None:
        without = hub.process(with_entities(has_it=False), settings=LEAVES)
        having = hub.process(with_entities(has_it=True), settings=LEAVES)
        without.start()
        if not late:
            having.start()
        await without.client.start("asking", 5, instance_id="x")
        await without.client.signal_entity("@tally@b", "add", 7)
        await hub.clock.sleep(200)
        if late:
            assert await hub.store.read_row("@tally@a") is None, "nobody has made it"
            having.start()
        status = await without.client.wait_for_completion("x", _SOON)
        assert status.output == 6
        found = await without.client.read_entity("@tally@a")
        assert found is not None
        assert found.state == {"added": [0, 1, 2, 3, 4, 5]}
        await hub.clock.sleep(600)
        other = await without.client.read_entity("@tally@b")
        assert other is not None
        assert other.state == {"added": [7]}
        assert not await hub.store.list_quarantined()
        assert not await hub.left()

    run_on(store, test)


@on_both
def test_an_entity_that_nobody_has_is_kept_with_the_reason(store: str) -> None:
    """P11: after an hour and a half; replayed by an operator it runs."""

    async def test(hub: AnyHub) -> None:
        without = hub.process(with_entities(has_it=False), settings=LEAVES)
        without.start()
        await without.client.signal_entity("@tally@a", "add", 7)
        await hub.clock.sleep(2 * 3600)
        (kept,) = await hub.store.list_quarantined()
        assert kept.instance_id == "@tally@a"
        assert kept.reason == "no entity is registered under the name 'tally'; registered: none"
        hub.process(with_entities(has_it=True), settings=LEAVES).start()
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.clock.sleep(1200)
        found = await without.client.read_entity("@tally@a")
        assert found is not None
        assert found.state == {"added": [7]}

    run_on(store, test)


@on_both
def test_by_default_its_operations_fail_at_once(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        without = hub.process(with_entities(has_it=False))
        without.start()
        await without.client.start("asking", 0, instance_id="x")
        status = await without.client.wait_for_completion("x", _SOON)
        assert status.runtime_status is RuntimeStatus.FAILED
        assert "no entity is registered under the name 'tally'" in str(status.output)

    run_on(store, test)
