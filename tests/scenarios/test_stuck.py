"""An instance that does not go on says so: since when, why, and which message in quarantine it is (P11)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import httpx

from durable_ext.http_api.app import create_app
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import RuntimeStatus, Stuck
from durable_ext.records.messages import FinishTask, Message, RaiseEvent
from durable_ext.records.payloads import inline
from durable_ext.records.versions import VersionFailure, VersionMatch
from durable_ext.worker.client import Client, StartOptions
from durable_ext.worker.settings import WorkerSettings

from .hub import failing
from .quarantined import MOST, App
from .two_stores import AnyHub, on_both, run_on

_STUCK = InstanceFilter(stuck=True)


async def _stick(hub: AnyHub) -> tuple[datetime, datetime]:
    """An instance whose code has changed gets an event; before and after which time it was given up."""
    first = hub.process(App().registry)
    for instance_id in ("x", "y"):
        await first.client.start("listen", 2, instance_id=instance_id)
    await hub.settle(first)
    await first.stop()
    changed = hub.process(App(changed=True).registry, most_attempts=MOST)
    changed.start()
    began = hub.clock()
    await changed.client.raise_event("x", "go", 1, message_id="the event")
    await hub.clock.sleep(60)
    await changed.stop()
    return began, hub.clock()


async def _stuck(hub: AnyHub) -> Stuck | None:
    return (await hub.row("x")).stuck


async def _listed(client: Client) -> list[str]:
    return [status.instance_id async for status in client.list(_STUCK)]


@on_both
def test_what_parts_from_its_history_says_so_until_it_goes_on(store: str) -> None:
    """By the client, in lists and counts; the code put back, the message replayed, and it is Running as before."""

    async def test(hub: AnyHub) -> None:
        began, ended = await _stick(hub)
        again = hub.process(App().registry)
        again.start()
        status = await again.client.get("x")
        assert status is not None
        assert status.runtime_status is RuntimeStatus.RUNNING
        assert status.stuck is not None
        assert began < status.stuck.since < ended
        assert (
            f"could not be processed in {MOST} attempts: durable_ext.errors.NonDeterminismError" in status.stuck.reason
        )
        assert status.stuck.message_id == "the event"
        assert await _listed(again.client) == ["x"]
        assert await again.client.count(_STUCK) == {RuntimeStatus.RUNNING: 1}
        other = await again.client.get("y")
        assert other is not None
        assert other.stuck is None
        assert await hub.store.release_quarantined(status.stuck.message_id, replay=True)
        await hub.clock.sleep(5)
        assert await _stuck(hub) is None
        assert await _listed(again.client) == []
        await hub.check("x")

    run_on(store, test)


@on_both
def test_any_turn_of_mended_code_ends_it(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        await _stick(hub)
        again = hub.process(App().registry)
        await again.client.raise_event("x", "go", 2)
        await hub.settle(again)
        assert await _stuck(hub) is None
        assert await hub.status("x") is RuntimeStatus.RUNNING

    run_on(store, test)


@on_both
def test_it_is_stuck_since_the_first_message_and_shows_the_last(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        await _stick(hub)
        first = await _stuck(hub)
        assert first is not None
        changed = hub.process(App(changed=True).registry, most_attempts=MOST)
        changed.start()
        await changed.client.raise_event("x", "go", 2, message_id="another")
        await hub.clock.sleep(60)
        last = await _stuck(hub)
        assert last is not None
        assert (last.since, last.message_id) == (first.since, "another")

    run_on(store, test)


@on_both
def test_http_says_it_lists_by_it_and_ends_it(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        await _stick(hub)
        client = hub.process(App().registry).client
        transport = httpx.ASGITransport(create_app(client))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.example/api/durabletask") as http:
            shown = (await http.get("/instances/x")).json()
            stuck = await _stuck(hub)
            assert stuck is not None
            assert shown["runtimeStatus"] == "Running"
            assert shown["stuck"] == {
                "since": stuck.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "reason": stuck.reason,
                "messageId": "the event",
            }
            assert "stuck" not in (await http.get("/instances/y")).json()
            assert [one["instanceId"] for one in (await http.get("/instances?stuck=true")).json()] == ["x"]
            assert [one["instanceId"] for one in (await http.get("/instances")).json()] == ["x", "y"]
            changed = hub.process(App(changed=True).registry, most_attempts=MOST)
            changed.start()
            assert (await http.post("/instances/x/terminate?reason=enough")).status_code == 202
            await hub.clock.sleep(5)
            ended = (await http.get("/instances/x")).json()
            assert (ended["runtimeStatus"], ended["output"], "stuck" in ended) == ("Terminated", "enough", False)

    run_on(store, test)


@on_both
def test_what_cannot_be_read_is_stuck_too(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        await process.client.start("listen", 2, instance_id="x")
        await hub.settle(process)
        await process.stop()
        await hub.spoil("x", 0)
        again = hub.process(App().registry, most_attempts=MOST)
        again.start()
        await again.client.raise_event("x", "go", 1)
        await hub.clock.sleep(60)
        stuck = await _stuck(hub)
        assert stuck is not None
        assert "cannot be read" in stuck.reason

    run_on(store, test)


@on_both
def test_what_nobody_has_the_code_for_is_stuck_once_it_has_waited_for_long(store: str) -> None:
    """Its start waits for an hour and a half for a worker of its version; until then it is Pending and nothing else."""

    async def test(hub: AnyHub) -> None:
        settings = WorkerSettings(
            version="2.0", version_match=VersionMatch.STRICT, version_failure=VersionFailure.REJECT
        )
        process = hub.process(App().registry, settings=settings)
        await process.client.start("listen", 2, instance_id="x", options=StartOptions(version="1.0"))
        process.start()
        await hub.clock.sleep(3600)
        assert await _stuck(hub) is None
        await hub.clock.sleep(2 * 3600)
        stuck = await _stuck(hub)
        assert stuck is not None
        assert "pinned to version '1.0'" in stuck.reason
        assert await hub.status("x") is RuntimeStatus.PENDING
        await process.client.terminate("x", "nobody has it")
        await hub.clock.sleep(5)
        assert await hub.status("x") is RuntimeStatus.TERMINATED
        assert await _stuck(hub) is None

    run_on(store, test)


@on_both
def test_a_message_without_a_cause_makes_no_instance_stuck(store: str) -> None:
    """It waits for what never comes, and is kept after an hour and a half; its instance is none the worse."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        await process.client.start("listen", 1, instance_id="x")
        await hub.settle(process)
        process.start()
        body = FinishTask(task_id=17, result=inline(b"1"))
        execution_id = (await hub.row("x")).execution.execution_id
        ghost = Message(id="ghost", instance_id="x", execution_id=execution_id, body=body, sent_at=hub.clock())
        await hub.store.send([ghost])
        await hub.clock.sleep(timedelta(hours=2).total_seconds())
        (kept,) = await hub.store.list_quarantined()
        assert kept.id == "ghost"
        assert await _stuck(hub) is None

    run_on(store, test)


@on_both
def test_a_row_that_lagged_when_it_was_marked_stays_marked(store: str) -> None:
    """The janitor brings the row up to date with turns from before; only a later one would mean that it goes on."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry, plan=failing("update_row", after=1))
        await first.client.start("listen", 3, instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go", 1)
        await first.handle(*await hub.take())
        await first.kill()
        assert (await hub.row("x")).turn == 0
        assert len((await hub.store.load("x")).turns) == 2
        await hub.clock.sleep(60)
        changed = hub.process(App(changed=True).registry, most_attempts=MOST)
        changed.start()
        await changed.client.raise_event("x", "go", 2)
        await hub.clock.sleep(60)
        marked = await _stuck(hub)
        assert marked is not None
        await changed.stop()
        await hub.clock.sleep(301)
        await hub.process(App().registry).worker.tidy()
        (*_, closing) = await hub.store.history("x")
        assert not closing.events, "what came back was closed, which is no progress"
        assert (await hub.row("x")).turn == closing.number
        assert await _stuck(hub) == marked

    run_on(store, test)


@on_both
def test_a_message_that_needs_no_turn_when_it_is_replayed_ends_it(store: str) -> None:
    """It was consumed, and failed at what its turn owed: replayed, it sends that, and commits nothing."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        await process.client.start("listen", 2, instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go", 1, message_id="the event")
        event = await hub.take_one(RaiseEvent)
        await process.handle(event)
        await process.worker._deferral.quarantine(event.messages[0], "it failed", 5, event.queue)  # pyright: ignore[reportPrivateUsage] - as after a crash
        assert await _stuck(hub) is not None
        await process.stop()
        again = hub.process(App().registry)
        assert await hub.store.release_quarantined("the event", replay=True)
        await hub.settle(again)
        assert await _stuck(hub) is None
        assert [bool(turn.events) for turn in await hub.store.history("x")] == [True, True, False]

    run_on(store, test)


@on_both
def test_a_good_path_asks_storage_for_nothing_more(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        before = len(process.gate.calls)
        await process.client.start("listen", 0, instance_id="x")
        await hub.settle(process)
        calls = [call for call in process.gate.calls[before:] if not call.startswith("receive")]
        assert await hub.output("x") == []
        assert calls.count("update_row") == 1
        assert calls.count("read_row") == 0

    run_on(store, test)


@on_both
def test_a_mark_that_was_not_made_is_made_when_the_message_comes_back(store: str) -> None:
    """The process dies between the two writes: the message is given up once more, by whoever gets it next."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        await first.client.start("listen", 2, instance_id="x")
        await hub.settle(first)
        await first.client.raise_event("x", "go", 1, message_id="the event")
        await first.stop()
        dying = hub.process(App(changed=True).registry, plan=failing("update_row"), most_attempts=1)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await dying.handle(*await hub.take())
        await dying.kill()
        assert len(await hub.store.list_quarantined()) == 1
        assert await _stuck(hub) is None
        again = hub.process(App(changed=True).registry, most_attempts=1)
        again.start()
        await hub.clock.sleep(120)
        stuck = await _stuck(hub)
        assert stuck is not None
        assert stuck.message_id == "the event"

    run_on(store, test)
