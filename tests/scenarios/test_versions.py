"""Versions in a hub: a rolling deployment, and what becomes of executions that a worker does not take."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.entity_id import EntityId
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.versions import VersionFailure, VersionMatch
from durable_ext.testing.faults import Fault
from durable_ext.worker.client import StartOptions
from durable_ext.worker.client.schedules import ScheduleClient
from durable_ext.worker.settings import WorkerSettings

from .engine import Process
from .hub import Hub, run
from .versioned import note, order_1, registry, takes

_SOON = timedelta(minutes=5)


def old_process(hub: Hub, *, sessions: bool = True, doubled: bool = False) -> Process:
    settings = takes(None, sessions=sessions)
    return hub.process(registry("1.0", default="1.0"), settings=settings, doubled=doubled, most_attempts=3)


def new_process(hub: Hub, *, sessions: bool = True, doubled: bool = False) -> Process:
    settings = takes(None, sessions=sessions)
    return hub.process(registry("2.0", default="2.0"), settings=settings, doubled=doubled, most_attempts=3)


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("sessions", [True, False])
def test_a_rolling_deployment(sessions: bool, doubled: bool) -> None:
    """Old instances end on the old code, new ones on the new, whoever receives their messages."""

    async def test(hub: Hub) -> None:
        old = old_process(hub, sessions=sessions, doubled=doubled)
        old.start()
        for n in range(4):
            await old.client.start("order", instance_id=f"old-{n}")
        await hub.clock.sleep(5)
        new = new_process(hub, sessions=sessions, doubled=doubled)
        new.start()
        for n in range(4):
            await new.client.start("order", instance_id=f"new-{n}")
            await new.client.raise_event(f"old-{n}", "paid", n)
            await old.client.raise_event(f"new-{n}", "paid", n)
        for n in range(4):
            assert (await new.client.wait_for_completion(f"old-{n}", _SOON)).output == f"old {n}"
            assert (await new.client.wait_for_completion(f"new-{n}", _SOON)).output == "new"
        for kind, version in (("old", "1.0"), ("new", "2.0")):
            for n in range(4):
                assert (await hub.row(f"{kind}-{n}")).version == version
                await hub.check(f"{kind}-{n}")
        assert await hub.store.list_quarantined() == []

    run(test)


@pytest.mark.parametrize("sessions", [True, False])
def test_continue_as_new_hands_over_to_the_next_version(sessions: bool) -> None:
    """The execution of the old code ends on the old worker, the next one begins on the new."""

    async def test(hub: Hub) -> None:
        old, new = old_process(hub, sessions=sessions), new_process(hub, sessions=sessions)
        old.start()
        new.start()
        await old.client.start("upgrade", [], instance_id="x")
        await old.client.raise_event("x", "paid", "yes")
        status = await old.client.wait_for_completion("x", _SOON)
        assert status.output == ["1.0", "old", "child 1.0", "new child 2.0", "2.0", "new child 2.0", "yes"]
        assert (await hub.row("x")).version == "2.0"
        assert await hub.store.list_quarantined() == []

    run(test)


def test_a_start_waits_for_its_worker_and_eats_no_attempts() -> None:
    """P12: put off with growing pauses, far beyond the attempts that a message has."""

    async def test(hub: Hub) -> None:
        new = new_process(hub)
        new.start()
        await new.client.start("order", instance_id="x", options=StartOptions(version="1.0"))
        await new.client.start("order", instance_id="later", options=StartOptions(version="3.0"))
        await hub.clock.sleep(1200)
        assert await hub.status("x") is RuntimeStatus.PENDING
        assert await hub.store.list_quarantined() == []
        assert new.worker.open_sessions == 0
        old_process(hub).start()
        await hub.clock.sleep(61)
        assert await hub.status("x") is RuntimeStatus.RUNNING
        assert await hub.status("later") is RuntimeStatus.PENDING

    run(test)


def test_the_janitor_sends_no_copies_of_a_start_for_others() -> None:
    async def test(hub: Hub) -> None:
        new = new_process(hub)
        new.start()
        await new.client.start("order", instance_id="x", options=StartOptions(version="1.0"))
        await hub.clock.sleep(1800)
        await new.kill()
        await hub.clock.sleep(61)
        (waiting,) = await hub.left()
        assert new.gate.calls.count("send") in (waiting.deferrals, waiting.deferrals + 1)

    run(test)


def test_an_instance_that_was_refused_is_looked_at_anew() -> None:
    """What is kept in memory of it may be of an execution that is over."""

    async def test(hub: Hub) -> None:
        old, new = old_process(hub), new_process(hub)
        await old.client.start("poll", instance_id="x")
        await hub.settle(old)
        await old.client.raise_event("x", "paid", 1)
        await hub.settle(new)
        await hub.clock.sleep(2)
        await hub.settle(old)
        await hub.clock.sleep(2)
        await hub.settle(new)
        assert await hub.output("x") == "2.0"

    run(test)


@pytest.mark.parametrize("way", ["before", "after", "lost"])
def test_every_crash_point_of_the_hand_over(way: str) -> None:
    """The old worker dies at each of its calls, or loses the answer; another one of its version comes up."""

    async def play(hub: Hub, point: int) -> bool:
        def plan(_call: str, number: int) -> Fault:
            if number != point:
                return Fault.NONE
            reached.append(number)
            if way != "lost":
                dying.gate.cut()
            return Fault.BEFORE if way == "before" else Fault.AFTER if way == "lost" else Fault.NONE

        reached: list[int] = []
        app = registry("1.0", default="1.0")
        dying = hub.process(app, settings=takes(None), plan=plan)
        new = new_process(hub)
        await new.client.start("poll", instance_id="x", options=StartOptions(version="1.0"))
        await new.client.raise_event("x", "paid", 1)
        dying.start()
        new.start()
        await hub.clock.sleep(10)
        if way != "lost":
            await dying.kill()
            old_process(hub).start()
        assert (await new.client.wait_for_completion("x", timedelta(minutes=30))).output == "2.0"
        assert await hub.store.list_quarantined() == []
        await hub.check("x")
        return bool(reached)

    async def all_points(hub: Hub) -> None:
        points = 0
        while True:
            one = Hub(hub.clock)
            await one.store.create_hub()
            try:
                if not await play(one, points):
                    break
            finally:
                await one.close()
            points += 1
        assert points >= 5

    run(all_points)


def test_what_is_rewound_waits_even_where_others_fail() -> None:
    """Its history is kept for the worker that has the code."""

    async def test(hub: Hub) -> None:
        broken = [True]

        async def frail(ctx: OrchestrationContext) -> str:
            return await ctx.call_activity("check")

        async def check() -> str:
            if broken:
                raise ValueError("broken")
            return "fine"

        app = Registry(default_version="1.0")
        app.add_activity(check)
        app.add_orchestrator(frail)
        old = hub.process(app, settings=takes(None))
        await old.client.start("frail", instance_id="x")
        await hub.settle(old)
        assert await hub.status("x") is RuntimeStatus.FAILED
        broken.clear()
        failing = hub.process(app, settings=takes("2.0", failure=VersionFailure.FAIL))
        await failing.client.rewind("x", "mended")
        await hub.settle(failing)
        assert await hub.status("x") is RuntimeStatus.PENDING
        await hub.clock.sleep(2)
        await hub.settle(old)
        assert await hub.output("x") == "fine"

    run(test)


def test_what_every_app_has_has_no_version_and_gives_the_default() -> None:
    async def test(hub: Hub) -> None:
        new = new_process(hub)
        new.start()
        await ScheduleClient(new.client).create("hourly", "child", timedelta(hours=1))
        await hub.clock.sleep(2 * 3600 + 60)
        rows = [one.row async for one in new.client.list(InstanceFilter(name="child"))]
        assert len(rows) >= 2
        assert {(row.version, row.status) for row in rows} == {("2.0", RuntimeStatus.COMPLETED)}

    run(test)


def test_an_entity_starts_in_the_default_version() -> None:
    def starter(context: EntityContext) -> None:
        context.schedule_new_orchestration("order", instance_id="x")
        context.schedule_new_orchestration("order", instance_id="y", version="")

    async def test(hub: Hub) -> None:
        app = registry("2.0", default="2.0")
        app.add_entity(starter)
        process = hub.process(app)
        await process.client.signal_entity(EntityId("starter", "a"), "begin")
        await hub.settle(process)
        assert [(await hub.row(name)).version for name in ("x", "y")] == ["2.0", None]

    run(test)


def test_nobody_ever_takes_it() -> None:
    """P11: after an hour and a half it is kept with the reason; replayed by an operator, it goes on."""

    async def test(hub: Hub) -> None:
        new = new_process(hub)
        new.start()
        await new.client.start("order", instance_id="x", options=StartOptions(version="1.0"))
        await hub.clock.sleep(2 * 3600)
        kept = await hub.store.list_quarantined()
        assert [one.instance_id for one in kept] == ["x"]
        assert kept[0].reason == (
            "orchestrator 'order' is pinned to version '1.0', and the worker is of version '2.0' and takes "
            "strict only; run a worker that takes it"
        )
        old_process(hub).start()
        assert await hub.store.release_quarantined(kept[0].id, replay=True)
        await new.client.raise_event("x", "paid", 1)
        assert (await new.client.wait_for_completion("x", _SOON)).output == "old 1"

    run(test)


@pytest.mark.parametrize(
    ("match", "version", "taken"),
    [
        (VersionMatch.NONE, "3.0", True),
        (VersionMatch.STRICT, "2.0", True),
        (VersionMatch.STRICT, "1.0", False),
        (VersionMatch.STRICT, "", False),
        (VersionMatch.CURRENT_OR_OLDER, "1.0", True),
        (VersionMatch.CURRENT_OR_OLDER, "", True),
        (VersionMatch.CURRENT_OR_OLDER, "2.0.1", False),
    ],
)
@pytest.mark.parametrize("failure", [None, *VersionFailure])
def test_what_a_worker_takes(match: VersionMatch, version: str, taken: bool, failure: VersionFailure | None) -> None:
    async def test(hub: Hub) -> None:
        app = Registry()
        app.add_activity(note)
        app.add_orchestrator(order_1, "order")
        process = hub.process(app, settings=takes("2.0", match, failure))
        process.start()
        await process.client.start("order", instance_id="x", options=StartOptions(version=version))
        await hub.clock.sleep(5)
        status = await process.client.get("x")
        assert status is not None
        refused = RuntimeStatus.FAILED if failure is VersionFailure.FAIL else RuntimeStatus.PENDING
        assert status.runtime_status is (RuntimeStatus.RUNNING if taken else refused)
        if status.failure is not None:
            assert status.failure.type.endswith("VersionMismatchError")
            assert "run a worker that takes it" in status.failure.message

    run(test)


def test_fail_ends_what_runs_at_its_next_message_and_tells_the_parent() -> None:
    async def test(hub: Hub) -> None:
        old = old_process(hub)
        old.start()
        await old.client.start("order", instance_id="x")
        await hub.clock.sleep(5)
        await old.kill()
        failing = hub.process(registry("2.0"), settings=takes("2.0", failure=VersionFailure.FAIL))
        failing.start()
        await failing.client.raise_event("x", "paid", 1)
        status = await failing.client.wait_for_completion("x", _SOON)
        assert status.failure is not None
        assert status.failure.type.endswith("VersionMismatchError")

    run(test)


def test_fail_ends_the_next_execution_of_another_version() -> None:
    async def test(hub: Hub) -> None:
        app = registry("1.0", "2.0", default="1.0")
        failing = hub.process(app, settings=takes("1.0", VersionMatch.CURRENT_OR_OLDER, VersionFailure.FAIL))
        failing.start()
        await failing.client.start("upgrade", [], instance_id="x")
        status = await failing.client.wait_for_completion("x", _SOON)
        assert status.failure is not None
        # The child of version 2.0 failed first, and the parent did not catch it.
        assert status.failure.is_caused_by("VersionMismatchError")

    run(test)


def test_an_instance_is_terminated_without_its_code() -> None:
    async def test(hub: Hub) -> None:
        old = old_process(hub)
        old.start()
        await old.client.start("order", instance_id="x")
        await hub.clock.sleep(5)
        await old.kill()
        new = new_process(hub)
        new.start()
        await new.client.terminate("x", "enough")
        status = await new.client.wait_for_completion("x", _SOON)
        assert (status.runtime_status, status.output) == (RuntimeStatus.TERMINATED, "enough")

    run(test)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (None, RuntimeStatus.FAILED),
        (VersionFailure.FAIL, RuntimeStatus.FAILED),
        (VersionFailure.REJECT, RuntimeStatus.PENDING),
    ],
)
def test_an_orchestrator_that_is_not_registered(failure: VersionFailure | None, status: RuntimeStatus) -> None:
    """With `REJECT` it waits for a worker that has it; else it fails, as ever."""

    async def test(hub: Hub) -> None:
        without = hub.process(Registry(), settings=WorkerSettings(version_failure=failure))
        having = hub.process(registry("1.0"), settings=WorkerSettings())
        without.start()
        await having.client.start("order", instance_id="x", options=StartOptions(version="1.0"))
        await hub.clock.sleep(5)
        assert await hub.status("x") is status
        if status is RuntimeStatus.PENDING:
            having.start()
            await hub.clock.sleep(61)
            assert await hub.status("x") is RuntimeStatus.RUNNING

    run(test)


def test_a_restart_keeps_the_version_it_had_even_none() -> None:
    async def test(hub: Hub) -> None:
        app = Registry(default_version="2.0")
        app.add_orchestrator(order_1, "order")
        process = hub.process(app)
        client = process.client
        await client.start("order", instance_id="plain", options=StartOptions(version=""))
        await client.start("order", instance_id="default")
        rows = [await hub.row(await client.restart(name)) for name in ("plain", "default")]
        assert [row.version for row in rows] == [None, "2.0"]

    run(test)
