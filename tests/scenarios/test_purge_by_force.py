"""Purge by force takes whatever is left of an instance, and says what it met and did (P10, P11)."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceStateError, StorageError
from durable_ext.http_api.app import create_app
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Message, RaiseEvent, StartExecution
from durable_ext.records.payloads import inline
from durable_ext.testing.faults import Fault
from durable_ext.testing.virtual_time import START
from durable_ext.worker.client import StartOptions

from .entity_orchestrations import COUNTER, counter
from .hub import failing
from .test_ending_without_code import App, family, spoil
from .two_stores import AnyHub, on_both, run_on


@on_both
@pytest.mark.parametrize("why", ["nothing", "changed code", "a turn spoiled", "a turn missing", "turn 0 missing"])
def test_a_purge_by_force_takes_what_has_not_ended(store: str, why: str) -> None:
    """No worker runs. The parent is told, children are terminated, and what comes for it later finds nothing."""

    async def test(hub: AnyHub) -> None:
        await family(hub)
        await spoil(hub, why)
        app = App(changed=why == "changed code")
        process = hub.process(app.registry)
        await process.client.raise_event("child", "go", 1)
        with pytest.raises(InstanceStateError, match="or purge it by force"):
            await process.client.purge("child")
        forced = await process.client.purge_by_force("child")
        assert forced is not None
        assert forced.was is RuntimeStatus.RUNNING
        assert bool(forced.damage) == (why in ("a turn spoiled", "a turn missing"))
        assert "mother" in forced.told
        assert await hub.store.read_row("child") is None
        assert await hub.store.history("child") == ()
        await hub.settle(process)
        assert await hub.output("mother") == "the child orchestration was terminated: purged by force"
        assert await hub.status("grandchild") is RuntimeStatus.TERMINATED
        assert await hub.status("detached") is RuntimeStatus.RUNNING
        assert "child" not in app.ran
        await process.client.start("grandchild", instance_id="child")
        await hub.settle(process)
        assert await hub.status("child") is RuntimeStatus.RUNNING
        assert await hub.left() == []
        assert await process.client.purge("child", force=True)
        assert await process.client.purge_by_force("child") is None
        assert await process.client.purge("child", force=True) is False

    run_on(store, test)


@on_both
def test_children_go_along_by_force(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        await family(hub)
        await spoil(hub, "a turn spoiled")
        process = hub.process(App().registry)
        assert await process.client.purge("mother", recursive=True, force=True)
        left = [status.instance_id async for status in process.client.list()]
        assert left == ["detached"]
        await hub.settle(process)
        assert [status.instance_id async for status in process.client.list()] == ["detached"]

    run_on(store, test)


@on_both
def test_a_session_that_goes_on_elsewhere_loses_its_next_turn(store: str) -> None:
    """It has the instance in memory, healthy; nothing that it decides afterwards is to be seen."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        process.start()
        await process.client.start("child", instance_id="child")
        await process.client.wait_for_start("child", timedelta(seconds=9))
        other = hub.process(App().registry)
        assert await other.client.purge("child", force=True)
        body = RaiseEvent(name="go", input=inline(b"1"))
        await hub.store.send([Message(id="late", instance_id="child", body=body, sent_at=hub.clock())])
        await hub.clock.sleep(30)
        assert await hub.store.read_row("child") is None
        assert await hub.store.history("child") == ()
        assert await hub.store.list_quarantined() == []

    run_on(store, test)


@on_both
def test_what_has_not_begun_is_purged_and_its_start_does_not_run(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        later = StartOptions(start_at=START + timedelta(hours=1))
        await process.client.start("child", instance_id="x", options=later)
        forced = await process.client.purge_by_force("x")
        assert forced is not None
        assert forced.was is RuntimeStatus.PENDING
        await hub.settle(process)
        await hub.clock.sleep(3601)
        await process.handle(await hub.take_one(StartExecution))
        assert await hub.store.read_row("x") is None
        assert app.ran == []

    run_on(store, test)


@on_both
@pytest.mark.parametrize("verb", ["append", "send", "update_row"])
def test_a_purge_by_force_that_was_interrupted_is_repeated(store: str, verb: str) -> None:
    """Whatever it had done; and who waits is told by the worker that gets the termination, if nobody repeats it."""

    async def test(hub: AnyHub) -> None:
        await family(hub)
        dying = hub.process(App().registry, plan=failing(verb, after=1 if verb == "send" else 0, fault=Fault.AFTER))
        with pytest.raises(StorageError):
            await dying.client.purge_by_force("child")
        worker = hub.process(App().registry)
        await hub.settle(worker)
        assert await hub.output("mother") == "the child orchestration was terminated: purged by force"
        await worker.client.purge_by_force("child")
        assert await hub.store.read_row("child") is None
        assert await hub.left() == []

    run_on(store, test)


@on_both
@pytest.mark.parametrize("damage", [None, 0, 1])
def test_an_entity_is_purged_by_force_and_made_anew(store: str, damage: int | None) -> None:
    async def test(hub: AnyHub) -> None:
        registry = Registry()
        registry.add_entity(counter, name="counter")
        process = hub.process(registry)
        for _ in range(2):
            await process.client.signal_entity(COUNTER, "add", 20)
            await hub.settle(process)
        await process.stop()
        if damage is not None:
            await hub.spoil("@counter@one", damage)
        again = hub.process(registry)
        forced = await again.client.purge_by_force("@counter@one")
        assert forced is not None
        assert bool(forced.damage) == (damage is not None)
        assert await again.client.read_entity(COUNTER) is None
        await again.client.signal_entity(COUNTER, "add", 2)
        await hub.settle(again)
        found = await again.client.read_entity(COUNTER)
        assert found is not None
        assert found.state == 2

    run_on(store, test)


@on_both
def test_over_http(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        await family(hub)
        client = hub.process(App().registry).client
        transport = httpx.ASGITransport(create_app(client))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.example/api/durabletask") as http:
            assert (await http.delete("/instances/child")).status_code == 412
            answer = (await http.delete("/instances/child?force=true")).json()
            assert answer["instancesDeleted"] == 1
            assert answer["forced"]["was"] == "Running"
            assert "mother" in answer["forced"]["told"]
            assert (await http.delete("/instances/child?force=true")).status_code == 404
            assert (await http.delete("/instances/child?force=maybe")).status_code == 400

    run_on(store, test)
