"""Terminate needs a row and nothing else: no code that fits, no history that can be read, no start (P11)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import TaskFailedError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.limits import TOMBSTONE_AGE
from durable_ext.records.messages import StartExecution
from durable_ext.records.versions import VersionFailure, VersionMatch
from durable_ext.testing.faults import Fault
from durable_ext.testing.histories import Verdict, check_history, fetch_history
from durable_ext.testing.virtual_time import START
from durable_ext.worker.client import StartOptions
from durable_ext.worker.settings import WorkerSettings

from .hub import failing
from .quarantined import MOST
from .two_stores import AnyHub, on_both, run_on

_TERMINATED = RuntimeStatus.TERMINATED
_LATER = StartOptions(start_at=START + timedelta(hours=30))


class App:
    """Code, and code that its histories do not fit any more. `ran` are the names of what was run."""

    def __init__(self, *, changed: bool = False, without: str = "") -> None:
        self.ran: list[str] = []
        self.changed = changed
        self.registry = Registry()
        self.registry.add_activity(self.act, name="act")
        for name in ("mother", "child", "grandchild", "renewing"):
            if name != without:
                self.registry.add_orchestrator(getattr(self, name), name=name)

    async def act(self, name: str) -> None:
        self.ran.append(name)

    async def mother(self, ctx: OrchestrationContext) -> Any:
        self.ran.append("mother")
        try:
            return await ctx.call_sub_orchestrator("child", instance_id="child")
        except TaskFailedError as error:
            return error.failure.message

    async def child(self, ctx: OrchestrationContext) -> Any:
        self.ran.append("child")
        if self.changed:
            await ctx.call_activity("act", "changed")
        named = ctx.call_sub_orchestrator("grandchild", instance_id="grandchild")
        unnamed = ctx.call_sub_orchestrator("grandchild")
        ctx.start_new_orchestration("grandchild", instance_id="detached")
        return [await named, await unnamed, await ctx.wait_for_external_event("go")]

    async def grandchild(self, ctx: OrchestrationContext) -> Any:
        return await ctx.wait_for_external_event("go")

    async def renewing(self, ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("go")
        ctx.continue_as_new(None, version="2.0")


async def family(hub: AnyHub) -> None:
    """A mother that waits for a child, which has two children and one that goes its own way."""
    first = hub.process(App().registry)
    await first.client.start("mother", instance_id="mother")
    await hub.settle(first)
    for number in range(2):
        await first.client.raise_event("child", "other", number)
        await hub.settle(first)
    assert set((await _statuses(hub)).values()) == {RuntimeStatus.RUNNING}
    await first.stop()


async def spoil(hub: AnyHub, why: str) -> None:
    """Damage the history of the child."""
    turns = (await hub.store.load("child")).turns
    match why:
        case "a turn spoiled":
            await hub.spoil("child", len(turns) - 1)
        case "a turn missing":
            await hub.remove("child", 1)
        case "turn 0 missing":
            await hub.remove("child", 0)
        case _:
            pass


async def _statuses(hub: AnyHub) -> dict[str, RuntimeStatus]:
    client = hub.process(App().registry).client
    found = [status async for status in client.list()]
    return {"unnamed" if ":" in one.instance_id else one.instance_id: one.runtime_status for one in found}


@on_both
@pytest.mark.parametrize(
    "why", ["changed code", "a turn spoiled", "a turn missing", "turn 0 missing", "not registered"]
)
def test_a_stuck_instance_is_terminated_and_its_family_hears(store: str, why: str) -> None:
    async def test(hub: AnyHub) -> None:
        await family(hub)
        app = App(changed=why == "changed code", without="child" if why == "not registered" else "")
        second = hub.process(app.registry, most_attempts=MOST)
        await spoil(hub, why)
        second.start()
        await second.client.raise_event("child", "go", 1)
        await second.client.terminate("child", "in the way")
        await hub.clock.sleep(120)
        assert await _statuses(hub) == {
            "mother": RuntimeStatus.COMPLETED,
            "child": _TERMINATED,
            "grandchild": _TERMINATED,
            "unnamed": _TERMINATED,
            "detached": RuntimeStatus.RUNNING,
        }
        assert await hub.output("mother") == "the child orchestration was terminated: in the way"
        assert app.ran.count("changed") == 0
        status = await second.client.get("child")
        assert status is not None
        assert status.output == "in the way"
        assert await second.client.purge("child")
        assert await hub.store.read_row("child") is None
        for one in await hub.store.list_quarantined():  # what came before the termination did
            await hub.store.release_quarantined(one.id, replay=True)
        await hub.clock.sleep(10)
        assert await hub.store.list_quarantined() == []
        assert app.ran.count("child") == 0 or why == "changed code"
        await second.stop()
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_a_result_that_comes_with_the_termination_runs_no_code(store: str) -> None:
    """In memory or not: what the instance ends as does not depend on where its code is. The history fits the code."""

    async def test(hub: AnyHub) -> None:
        for sessions in (True, False):
            app = App()
            process = hub.process(app.registry, settings=WorkerSettings(sessions=sessions))
            name = f"x{sessions}"
            await process.client.start("renewing", instance_id=name)
            await hub.settle(process)
            for _ in range(2):
                await process.client.raise_event(name, "go")
            await process.client.terminate(name, "enough")
            await hub.settle(process)
            row = await hub.row(name)
            assert (row.status, row.execution.generation, row.turn) == (_TERMINATED, 0, 1)
            assert check_history(app.registry, await fetch_history(process.client, name)).verdict is Verdict.OK
            await process.stop()

    run_on(store, test)


@on_both
@pytest.mark.parametrize("failure", [VersionFailure.REJECT, None])
def test_nobody_takes_its_version(store: str, failure: VersionFailure | None) -> None:
    """Before it has begun, while it runs, and where the execution of another version was to follow."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry, settings=_of_version("1.0", None))
        await first.client.start("renewing", instance_id="running", options=StartOptions(version="1.0"))
        await first.client.start("renewing", instance_id="continued", options=StartOptions(version="1.0"))
        await hub.settle(first)
        await first.client.raise_event("continued", "go")
        await hub.settle(first)
        await first.client.start("renewing", instance_id="pending", options=StartOptions(version="1.0"))
        await first.stop()
        second = hub.process(App(without="renewing").registry, settings=_of_version("3.0", failure))
        second.start()
        await hub.clock.sleep(30)
        names = ("running", "continued", "pending")
        for name in names:
            assert not (await hub.status(name)).is_terminal
            await second.client.terminate(name, "nobody has it")
        await hub.clock.sleep(5)
        assert [await hub.status(name) for name in names] == [_TERMINATED] * 3
        assert (await hub.row("continued")).execution.generation == 1
        await hub.clock.sleep(3 * 3600)
        assert await hub.store.list_quarantined() == []
        for name in names:
            await hub.check(name)

    run_on(store, test)


def _of_version(version: str, failure: VersionFailure | None) -> WorkerSettings:
    return WorkerSettings(version=version, version_match=VersionMatch.STRICT, version_failure=failure)


@on_both
def test_a_start_for_later_is_terminated_at_once(store: str) -> None:
    """It is over a moment later, as every instance that nobody has begun; what waited with it is dropped."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("grandchild", "input", instance_id="x", options=_LATER)
        await process.client.raise_event("x", "go", 1)
        await process.client.terminate("x", "changed my mind", output={"why": 1})
        ended = await process.client.wait_for_completion("x", timedelta(seconds=1))
        assert (ended.runtime_status, ended.output, ended.input) == (_TERMINATED, {"why": 1}, "input")
        await process.stop()
        await hub.clock.sleep(31 * 3600)
        await hub.settle(hub.process(App().registry))
        assert await hub.status("x") is _TERMINATED
        assert await hub.store.list_quarantined() == []
        await hub.check("x")
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_a_late_start_of_what_was_terminated_and_purged_does_not_run_it(store: str) -> None:
    """Its message comes at its time, when even the tombstone is gone."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        await process.client.start("grandchild", instance_id="x", options=_LATER)
        await process.client.terminate("x")
        await hub.settle(process)
        assert await process.client.purge("x")
        await hub.clock.sleep(29 * 3600)
        assert await hub.store.sweep(hub.clock() - TOMBSTONE_AGE) == 1
        await hub.clock.sleep(3601)
        await process.handle(await hub.take_one(StartExecution))
        assert await hub.store.read_row("x") is None
        assert await hub.store.history("x") == ()
        assert await hub.left() == []

    run_on(store, test)


@on_both
@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
@pytest.mark.parametrize("verb", ["send", "create_row", "append", "update_row"])
def test_points_of_ending_a_damaged_instance(store: str, verb: str, fault: Fault) -> None:
    """Each write of it fails, before or behind its effect, and its process dies: the next one goes on."""

    async def test(hub: AnyHub) -> None:
        await family(hub)
        await spoil(hub, "a turn spoiled")
        dying = hub.process(App().registry, plan=failing(verb, fault=fault))
        await hub.process(App().registry).client.terminate("child", "in the way")
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await dying.handle(*await hub.take())
        await dying.kill()
        await hub.leases_run_out()
        again = hub.process(App().registry)
        again.start()
        await hub.clock.sleep(120)
        assert await _statuses(hub) == {
            "mother": RuntimeStatus.COMPLETED,
            "child": _TERMINATED,
            "grandchild": _TERMINATED,
            "unnamed": _TERMINATED,
            "detached": RuntimeStatus.RUNNING,
        }
        await hub.check("child")
        assert await hub.store.list_quarantined() == []

    run_on(store, test)
