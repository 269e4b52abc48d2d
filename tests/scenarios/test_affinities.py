"""Activities of one session run in one process, whoever schedules them, on both stores (duroxide.md 2.16, 4.8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.settings import WorkerSettings

from .engine import Process, pause
from .two_stores import AnyHub, on_both, run_on

_SOON = timedelta(minutes=20)
_LEASE = timedelta(seconds=30)


async def talk(ctx: OrchestrationContext, session: str) -> list[str]:
    """Three in a row and three at once, and in between some that may run anywhere."""
    names = [await ctx.call_activity("where", n, session_id=session) for n in range(3)]
    calls = [ctx.call_activity("where", n, session_id=session, placement="queue") for n in range(3)]
    await asyncio.gather(*[ctx.call_activity("where", n, placement="queue") for n in range(3)])
    return [*names, *await asyncio.gather(*calls)]


async def say(ctx: OrchestrationContext, session: str) -> str:
    return await ctx.call_activity("where", 0, session_id=session)


async def dwell(ctx: OrchestrationContext, session: str) -> str:
    return await ctx.call_activity("stay", session_id=session)


def site(name: str) -> Registry:
    registry = Registry()
    for orchestrator in (talk, say, dwell):
        registry.add_orchestrator(orchestrator)

    async def where(_: Any) -> str:
        return name

    async def stay() -> str:
        await pause(400)
        return name

    registry.add_activity(where)
    registry.add_activity(stay)
    return registry


def settings(most: int = 100, idle: float = 300) -> WorkerSettings:
    return WorkerSettings(activity_slots=8, most_affinities=most, affinity_idle=timedelta(seconds=idle))


async def said(hub: AnyHub, by: Any, orchestrator: str, session: str, instance_id: str) -> Any:
    await by.client.start(orchestrator, session, instance_id=instance_id)
    return (await by.client.wait_for_completion(instance_id, _SOON)).output


async def given_to(hub: AnyHub, session: str, instance_id: str, *places: Process, ran_in: str) -> None:
    """An activity of the session, handed to one process after the other: the last one runs it."""
    await places[0].client.start("say", session, instance_id=instance_id)
    await hub.settle_control(places[0])
    for place in places:
        assert await hub.status(instance_id) is RuntimeStatus.RUNNING
        await place.handle(*await hub.store.receive_work(limit=1, lease=_LEASE, wait=timedelta(0)))
        await hub.clock.sleep(2)
    await hub.settle_control(places[0])
    assert await hub.output(instance_id) == ran_in


@on_both
def test_a_session_stays_in_one_process(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        processes = [hub.process(site(name)) for name in ("one", "two", "three")]
        for process in processes:
            process.start()
        for session in ("s", "t"):
            runs = [said(hub, one, "talk", session, f"{session}{n}") for n, one in enumerate(processes)]
            places = {place for output in await asyncio.gather(*runs) for place in output}
            assert len(places) == 1, f"session {session} ran in {places}"
        for number in range(3):
            await hub.check(f"s{number}")

    run_on(store, test)


@on_both
def test_a_dead_process_loses_its_session_when_the_lease_is_over(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        one, other = hub.process(site("one")), hub.process(site("other"))
        one.start()
        assert await said(hub, one, "say", "s", "a") == "one"
        await hub.clock.sleep(100)
        await one.kill()
        other.start()
        began = hub.clock()
        assert await said(hub, other, "say", "s", "b") == "other"
        assert hub.clock() - began <= _LEASE + timedelta(seconds=6)

    run_on(store, test)


@on_both
def test_a_process_that_drains_gives_its_sessions_away(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        one, other = hub.process(site("one")), hub.process(site("other"))
        one.start()
        assert await said(hub, one, "say", "s", "a") == "one"
        await one.stop()
        other.start()
        began = hub.clock()
        assert await said(hub, other, "say", "s", "b") == "other"
        assert hub.clock() - began <= timedelta(seconds=3)

    run_on(store, test)


@on_both
def test_an_idle_session_is_let_go_and_a_busy_one_is_not(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        one, other = hub.process(site("one"), settings=settings(idle=60)), hub.process(site("other"))
        one.start()
        assert await said(hub, one, "say", "idle", "a") == "one"
        busy = asyncio.create_task(said(hub, one, "dwell", "busy", "b"))
        await hub.clock.sleep(200)
        assert await hub.store.hold_affinity("idle", "somebody", _LEASE) == "somebody"
        assert await hub.store.hold_affinity("busy", "somebody", _LEASE) != "somebody"
        other.start()
        assert await busy == "one"

    run_on(store, test)


@on_both
def test_no_more_than_a_process_may_hold(store: str) -> None:
    """Another session waits until one is let go."""

    async def test(hub: AnyHub) -> None:
        one = hub.process(site("one"), settings=settings(most=1, idle=60))
        one.start()
        assert await said(hub, one, "say", "s", "a") == "one"
        began = hub.clock()
        assert await said(hub, one, "say", "t", "b") == "one"
        assert hub.clock() - began >= timedelta(seconds=50)

    run_on(store, test)


@on_both
def test_a_session_for_which_there_is_no_room_goes_where_there_is(store: str) -> None:
    """Who has no room leaves the work item to others, who hold the session from then on."""

    async def test(hub: AnyHub) -> None:
        full, roomy = hub.process(site("full"), settings=settings(most=1)), hub.process(site("roomy"))
        await given_to(hub, "s", "a", full, ran_in="full")
        await given_to(hub, "t", "b", full, roomy, ran_in="roomy")
        await given_to(hub, "t", "c", full, roomy, ran_in="roomy")

    run_on(store, test)


@on_both
def test_a_session_stays_elsewhere_when_room_comes_back(store: str) -> None:
    """A process that has let go another session does not take over one that is held."""

    async def test(hub: AnyHub) -> None:
        one, other = hub.process(site("one"), settings=settings(most=1, idle=60)), hub.process(site("other"))
        await given_to(hub, "s", "a", one, ran_in="one")
        await given_to(hub, "t", "b", one, other, ran_in="other")
        await hub.clock.sleep(120)
        assert await hub.store.hold_affinity("s", "somebody", _LEASE) == "somebody"
        await given_to(hub, "t", "c", one, other, ran_in="other")

    run_on(store, test)


@on_both
def test_a_copy_that_nobody_needs_does_not_go_round_for_a_session_held_elsewhere(store: str) -> None:
    """Its orchestration is over: it is looked up after 1, 2, 4, 8 ... pauses, and dropped."""

    async def test(hub: AnyHub) -> None:
        one, other = hub.process(site("one")), hub.process(site("other"))
        await one.client.start("say", "s", instance_id="a")
        await hub.settle_control(one)
        (item,) = await hub.store.receive_work(limit=1, lease=_LEASE, wait=timedelta(0))
        await one.handle(item)
        one.start()
        assert (await one.client.wait_for_completion("a", _SOON)).output == "one"
        await one.stop()
        assert await hub.store.hold_affinity("s", "somebody", timedelta(hours=1)) == "somebody"
        await hub.store.send([msgspec.structs.replace(item.messages[0], resent=True, deferrals=3)])
        other.start()
        await hub.clock.sleep(60)
        await other.stop()
        await hub.clock.sleep(60)
        assert not await hub.store.receive_work(limit=1, lease=_LEASE, wait=timedelta(0))

    run_on(store, test)


@pytest.mark.parametrize(
    "wrong",
    [{"most_affinities": 0}, {"affinity_lease": timedelta(0)}, {"affinity_idle": timedelta(seconds=-1)}],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        WorkerSettings(**wrong)
