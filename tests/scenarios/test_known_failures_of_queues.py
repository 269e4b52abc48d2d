"""The known failures of the .NET Azure Storage provider in queues and at purges, one named test each, on both stores.

The docstrings are as in test_known_failures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from durable_ext.errors import HubMismatchError, InstanceExistsError, InstanceNotFoundError, InstanceStateError
from durable_ext.host.pump import Pump
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.contract import Feed, InstanceFilter
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.events import EventRaised
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import (
    Delivery,
    FinishTask,
    FireTimer,
    Message,
    RunActivity,
    StartExecution,
    Terminate,
)
from durable_ext.records.payloads import inline
from durable_ext.testing import virtual_time
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker.client import Client, StartOptions
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

from .known_failures import App
from .two_stores import AnyHub, AzureBacked, on_both, run_on

_TIMERS_BY_QUEUE = WorkerSettings(local_timer=timedelta(0))


@on_both
def test_known_poison_message_loops_for_ever(store: str) -> None:
    """2.2, 2.5, 7.3: what cannot be read is abandoned every ten minutes for ever, without a dead letter (dt#553)."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        process.start()
        await hub.put_body("{this is nothing of ours")
        await process.client.start("act_once", instance_id="x")
        await hub.clock.sleep(5)
        calls = len(process.provider.calls)
        await hub.clock.sleep(1800)
        assert process.provider.calls[calls:].count("complete") == 0
        (kept,) = await hub.store.list_quarantined()
        assert kept.body == "{this is nothing of ours"
        assert app.ran == ["once"]
        await process.stop()
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_known_terminate_of_an_unknown_id_loops(store: str) -> None:
    """2.3, 7.3: the merge of its status finds no row, 404, and the message comes back for ever (dt#1398)."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        with pytest.raises(InstanceNotFoundError):
            await process.client.terminate("nobody")
        # As from a client that saw the instance before it was purged.
        await hub.store.send([Message(id="t", instance_id="nobody", body=Terminate(), sent_at=hub.clock())])
        await process.handle(*await hub.take())
        assert await hub.left() == []
        assert await hub.store.read_row("nobody") is None
        assert await hub.store.list_quarantined() == []

    run_on(store, test)


@on_both
def test_known_late_message_creates_a_purged_instance_again(store: str) -> None:
    """2.6: a late start of a purged instance re-creates it, and runs it again."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("act_once", instance_id="x")
        start = await hub.take_one(StartExecution)
        await process.handle(start)
        assert await process.client.purge("x")
        await hub.process(app.registry).handle(msgspec.structs.replace(start, dequeue_count=2))
        await hub.clock.sleep(61)
        await hub.store.send(start.messages)
        await hub.settle(hub.process(app.registry))
        assert app.ran == ["once"]
        assert await hub.store.read_row("x") is None
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_known_purge_by_prefix_eats_a_neighbour(store: str) -> None:
    """2.6: blobs are listed by the raw id without a slash: purging `order-1` deletes the payloads of `order-10`."""

    async def test(hub: AnyHub) -> None:
        big = "long " * 20_000
        process = hub.process(App().registry)
        ids = ["order-1", "order-10", "order-1x", "order-1-2", "order"]
        for instance_id in ids:
            await process.client.start("echo", big + instance_id, instance_id=instance_id)
            await hub.settle(process)
        assert await process.client.purge("order-1")
        fresh = Client(hub.store, hub.store)
        for instance_id in ids[1:]:
            status = await fresh.get(instance_id)
            assert status is not None
            assert status.output == big + instance_id
        assert await fresh.get("order-1") is None

    run_on(store, test)


@pytest.mark.parametrize("instance_id", ["a^b", "dots...", "..", "100%", "größe"])
def test_known_payloads_of_escaped_ids_are_never_found(instance_id: str) -> None:
    """2.6: history blobs lie under the escaped id, the purge looks under the raw one: they are left for ever."""

    async def test(hub: AnyHub) -> None:
        assert isinstance(hub, AzureBacked)
        process = hub.process(App().registry)
        await process.client.start("echo", "long " * 20_000, instance_id=instance_id)
        await hub.settle(process)
        assert (await hub.double.list_blobs(hub.azure.names.blobs, "")).names
        assert await process.client.purge(instance_id)
        assert (await hub.double.list_blobs(hub.azure.names.blobs, "")).names == []

    run_on("azure", test)


@on_both
def test_known_bulk_purge_deletes_running_instances(store: str) -> None:
    """2.6: without a usable status the filter has none, and running instances go; purge by id never looks."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        for number in range(6):
            name = "act_once" if number % 2 else "two_events"
            await process.client.start(name, instance_id=f"x{number}")
        await hub.settle(process)
        await process.client.suspend("x4")
        await hub.settle(process)
        assert await process.client.purge_matching(InstanceFilter(created_from=hub.clock() - timedelta(days=1))) == 3
        assert [row.instance_id async for row in process.client.list()] == ["x0", "x2", "x4"]
        with pytest.raises(InstanceStateError):
            await process.client.purge("x0")
        with pytest.raises(ValueError, match="ended"):
            await process.client.purge_matching(InstanceFilter(statuses=frozenset({RuntimeStatus.RUNNING})))
        await process.client.raise_event("x0", "go", 1)
        await process.client.raise_event("x0", "go", 2)
        await hub.settle(process)
        assert await hub.output("x0") == [1, 2]

    run_on(store, test)


@on_both
@pytest.mark.parametrize("ends", ["terminated", "renewed"])
def test_known_ghost_timer_of_an_old_execution_comes_back(store: str, ends: str) -> None:
    """2.5: it finds no TimerCreated, is abandoned five times over a minute each, and only then deleted."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry, settings=_TIMERS_BY_QUEUE)
        await process.client.start("timer_or_event", False, instance_id="x")
        await hub.settle(process)
        await (process.client.terminate("x") if ends == "terminated" else process.client.raise_event("x", "go"))
        await hub.settle(process)
        await hub.clock.sleep(3600)
        ghost = await hub.take_one(FireTimer)
        await process.handle(ghost)
        assert await hub.left() == []
        assert await hub.store.list_quarantined() == []
        assert await hub.status("x") is (RuntimeStatus.TERMINATED if ends == "terminated" else RuntimeStatus.RUNNING)

    run_on(store, test)


@on_both
def test_known_ids_differing_only_in_case_share_a_session(store: str) -> None:
    """2.3: the map of sessions ignores case and the table does not: two instances mix their histories."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        ids = ["Order", "order", "ORDER", "orDer"]
        await asyncio.gather(*[process.client.start("two_events", instance_id=one) for one in ids])
        await hub.settle(process)
        for value in (1, 2):
            await asyncio.gather(*[process.client.raise_event(one, "go", f"{one}{value}") for one in ids])
            await process.handle(*await hub.take())
        for one in ids:
            assert await hub.output(one) == [f"{one}1", f"{one}2"]
            await hub.check(one)

    run_on(store, test)


@on_both
def test_known_result_ahead_of_its_scheduling_row_is_lost(store: str) -> None:
    """2.3: a response without its scheduling event is abandoned with back-off, and deleted as a zombie after that."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("event_then_queue", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go")
        event = await hub.take()
        row = await hub.row("x")
        early = Message(
            id="early",
            instance_id="x",
            execution_id=row.execution.execution_id,
            body=FinishTask(task_id=0, result=inline(b'"early"')),
            sent_at=hub.clock(),
        )
        await hub.store.send([early])
        await process.handle(*await hub.take())
        assert not (await hub.status("x")).is_terminal
        await process.handle(*event)
        work = [one for one in await hub.take() if isinstance(one.messages[0].body, RunActivity)]
        assert len(work) == 1
        await hub.clock.sleep(3)
        await hub.settle_control(process)
        assert await hub.output("x") == "early"
        assert await hub.store.list_quarantined() == []

    run_on(store, test)


@on_both
def test_known_activity_whose_lease_was_lost_reports_a_duplicate(store: str) -> None:
    """2.5: renewal stops, the activity runs on, and its late result is one more."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        await process.client.start("queue_then_event", instance_id="x")
        await hub.settle_control(process)
        item = await hub.take_one(RunActivity)
        first, second = hub.process(app.registry), hub.process(app.registry)
        await asyncio.gather(first.handle(item), second.handle(msgspec.structs.replace(item, dequeue_count=2)))
        assert app.ran == ["queued", "queued"], "there was one answer only"
        for answer in await hub.take():
            await process.handle(answer)
        await process.client.raise_event("x", "go", 1)
        await hub.settle(process)
        assert await hub.output("x") == ["queued", 1]
        await hub.check("x")
        assert await hub.left() == []

    run_on(store, test)


class _Counting(Feed):
    """A feed that knows how often the message it has handed out most often was."""

    def __init__(self, feed: Feed) -> None:
        self.most_deliveries = 0
        self._feed = feed

    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        return self._counted(await self._feed.receive_control(partition, limit=limit, lease=lease, wait=wait))

    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        return self._counted(await self._feed.receive_work(limit=limit, lease=lease, wait=wait, tag=tag))

    def _counted(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        self.most_deliveries = max([self.most_deliveries, *[one.dequeue_count for one in deliveries]])
        return deliveries


@on_both
def test_known_prefetched_message_comes_back_while_it_waits(store: str) -> None:
    """2.5: the prefetched buffer is not renewed: under load a message is delivered again while it waits in memory."""

    async def test(hub: AnyHub) -> None:
        app = App()
        worker = Worker(hub.store, hub.store, app.registry, clock=hub.clock)
        feed = _Counting(hub.store)
        pump = Pump(worker, hub.store, feed)
        tasks = [asyncio.create_task(pump.keep_leases()), asyncio.create_task(pump.poll())]
        await worker.client.start("long_kid", instance_id="x")
        await hub.clock.sleep(3700)
        assert app.ran == app.ended == ["long"]
        assert await hub.output("x") == "long"
        assert feed.most_deliveries == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await worker.drain(timedelta(seconds=1))
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_known_other_partition_count_strands_messages(store: str, tmp_path: Path) -> None:
    """2.6, 7.8: with another count ids hash to other queues, and messages lie in those that nobody reads."""

    async def main(clock: VirtualClock) -> None:
        double = StorageDouble(clock)

        def provider(partitions: int) -> SqliteProvider | AzureStorageProvider:
            if store == "sqlite":
                return SqliteProvider(str(tmp_path / "hub.sqlite"), partitions=partitions, clock=clock)
            return AzureStorageProvider("", "Hub", partitions, clock=clock, client=double)

        first, second = provider(4), provider(8)
        await first.create_hub()
        with pytest.raises(HubMismatchError, match="partition"):
            await second.create_hub()
        await first.create_hub()
        await second.close()
        await first.close()

    virtual_time.run(main)


@on_both
def test_known_terminate_reaches_neither_children_nor_activities(store: str) -> None:
    """2.5, 7.12: terminate is a message like any other, and stops nothing that the instance has started."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry)
        process.start()
        await process.client.start("parent_of_long", instance_id="x")
        await hub.until(lambda: app.ran == ["long"])
        await process.client.terminate("x", "enough")
        await hub.clock.sleep(120)
        assert await hub.status("x") is RuntimeStatus.TERMINATED
        assert await hub.status("kid") is RuntimeStatus.TERMINATED
        assert app.ended == []
        assert process.worker.open_sessions == 0

    run_on(store, test)


@on_both
def test_known_events_are_lost_before_the_start_or_at_continue_as_new(store: str) -> None:
    """7.13: raised before the instance runs, or while it continues as new, an event is gone (ext#67, #1410)."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        at = hub.clock() + timedelta(minutes=5)
        await process.client.start("renew_on_events", [], instance_id="x", options=StartOptions(start_at=at))
        for value in range(3):
            await process.client.raise_event("x", "go", value)
        await process.handle(*await hub.take())
        await hub.clock.sleep(301)
        await hub.settle(process)
        for value in range(3, 10):
            await process.client.raise_event("x", "go", value)
        process.start()
        await hub.clock.sleep(120)
        assert sorted(await hub.output("x")) == list(range(10))
        raised = [e for turn in await hub.store.history("x") for e in turn.events if isinstance(e, EventRaised)]
        assert len(raised) <= 1

    run_on(store, test)


@on_both
def test_known_second_start_of_a_running_instance_replaces_it(store: str) -> None:
    """2.1, 7: a start over a running id is accepted in silence, and the old history is written over."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        await process.client.start("two_events", instance_id="x")
        await hub.settle(process)
        with pytest.raises(InstanceExistsError):
            await process.client.start("two_events", instance_id="x")
        for value in (1, 2):
            await process.client.raise_event("x", "go", value)
        await hub.settle(process)
        assert await hub.output("x") == [1, 2]

    run_on(store, test)
