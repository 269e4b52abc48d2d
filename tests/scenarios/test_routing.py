"""Activities with a tag run only where it is served, whoever schedules them, on both stores."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError, InvalidInputError
from durable_ext.records.messages import RunActivity
from durable_ext.worker.settings import WorkerSettings

from .two_stores import AnyHub, on_both, run_on

_SOON = timedelta(minutes=5)


class Site:
    """A process that says where its activities ran."""

    def __init__(self, name: str, ran: list[tuple[str, Any]]) -> None:
        self.registry = Registry()
        self.registry.add_orchestrator(render)
        self.registry.add_orchestrator(wrong)

        async def work(value: Any) -> str:
            ran.append((name, value))
            return name

        self.registry.add_activity(work)


async def render(ctx: OrchestrationContext) -> list[str]:
    placements: Any = ("auto", "local", "queue")
    calls = [ctx.call_activity("work", tag, tag=tag) for tag in (None, "default", "gpu", "cpu-2")]
    calls += [ctx.call_activity("work", placement, tag="gpu", placement=placement) for placement in placements]
    return await asyncio.gather(*calls)


async def wrong(ctx: OrchestrationContext, tag: str) -> None:
    await ctx.call_activity("work", tag=tag)


def serving(*tags: str) -> WorkerSettings:
    return WorkerSettings(activity_slots=8, work_tags=tags)


@on_both
def test_each_tag_runs_where_it_is_served(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        ran: list[tuple[str, Any]] = []
        plain = hub.process(Site("plain", ran).registry)
        gpu = hub.process(Site("gpu", ran).registry, settings=serving("gpu", "cpu-2"))
        plain.start()
        gpu.start()
        await plain.client.start("render", instance_id="x")
        status = await plain.client.wait_for_completion("x", _SOON)
        assert status.output == ["plain"] * 2 + ["gpu"] * 5
        assert len(ran) == 7
        await hub.check("x")

    run_on(store, test)


@on_both
def test_what_nobody_serves_waits_and_nothing_is_tried(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        ran: list[tuple[str, Any]] = []
        plain = hub.process(Site("plain", ran).registry)
        plain.start()
        await plain.client.start("render", instance_id="x")
        await hub.until(lambda: len(ran) == 2)
        await hub.clock.sleep(600)
        assert len(ran) == 2
        gpu = hub.process(Site("gpu", ran).registry, settings=serving("gpu", "cpu-2"))
        gpu.start()
        status = await plain.client.wait_for_completion("x", _SOON)
        assert status.output == ["plain"] * 2 + ["gpu"] * 5
        assert len(ran) == 7

    run_on(store, test)


@on_both
def test_a_process_for_orchestrations_only(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        ran: list[tuple[str, Any]] = []
        bare = hub.process(Site("bare", ran).registry, settings=serving())
        every = hub.process(Site("every", ran).registry, settings=serving("default", "gpu", "cpu-2"))
        await bare.client.start("render", instance_id="x")
        await hub.settle_control(bare)
        every.start()
        bare.start()
        status = await bare.client.wait_for_completion("x", _SOON)
        assert status.output == ["every"] * 7

    run_on(store, test)


@on_both
def test_one_in_the_wrong_hands_goes_back_to_its_queue(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        ran: list[tuple[str, Any]] = []
        plain = hub.process(Site("plain", ran).registry)
        await plain.client.start("render", instance_id="x")
        await hub.settle(plain)
        taken = await hub.store.receive_work(limit=32, lease=_SOON, wait=timedelta(0), tag="gpu")
        await plain.handle(*taken)
        assert [name for name, _ in ran] == ["plain"] * 2
        assert not await hub.store.receive_work(limit=32, lease=_SOON, wait=timedelta(0), tag="gpu")
        await hub.clock.sleep(6)
        back = await hub.store.receive_work(limit=32, lease=_SOON, wait=timedelta(0), tag="gpu")
        bodies = [message.body for delivery in back for message in delivery.messages]
        assert all(isinstance(body, RunActivity) and body.tag == "gpu" for body in bodies)
        assert len(bodies) == 4

    run_on(store, test)


@on_both
def test_a_killed_owner_is_followed_by_one_that_serves_the_tag(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        ran: list[tuple[str, Any]] = []
        plain = hub.process(Site("plain", ran).registry)
        first = hub.process(Site("first", ran).registry, settings=serving("gpu"))
        await plain.client.start("render", instance_id="x")
        await hub.settle(plain)
        first.begin(*await hub.store.receive_work(limit=1, lease=_SOON / 10, wait=timedelta(0), tag="gpu"))
        await first.kill()
        second = hub.process(Site("second", ran).registry, settings=serving("gpu", "cpu-2"))
        plain.start()
        second.start()
        status = await plain.client.wait_for_completion("x", _SOON)
        assert set(status.output[2:]) <= {"first", "second"}
        assert "plain" not in status.output[2:]

    run_on(store, test)


@pytest.mark.parametrize("tag", ["GPU", "", "a b", "-a", "a--b", "x" * 21, "ü"])
def test_a_tag_that_cannot_be_is_refused(tag: str) -> None:
    with pytest.raises(ConfigurationError, match="lowercase letters and digits"):
        WorkerSettings(work_tags=(tag,))

    async def test(hub: AnyHub) -> None:
        process = hub.process(Site("plain", []).registry)
        await process.client.start("wrong", tag, instance_id="x")
        await hub.settle(process)
        row = await hub.row("x")
        assert row.failure is not None
        assert row.failure.type.endswith(InvalidInputError.__name__)

    run_on("sqlite", test)
