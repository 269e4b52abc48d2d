"""What no scenario meets by itself: pages that end early, arrivals, and a purge that stops at any call."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.providers.azure_storage.client import Condition, Query
from durable_ext.providers.azure_storage.names import folder
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.testing import virtual_time
from durable_ext.testing.conformance.samples import ended, execution
from durable_ext.testing.conformance.store import Store
from durable_ext.testing.faults import Fault, InjectedFaultError
from durable_ext.testing.storage_double import FaultyStorageClient, StorageDouble
from durable_ext.testing.virtual_time import VirtualClock

_ID, _NEIGHBOUR = "order-1", "order-10"
_MOST_CALLS = 100


def test_a_page_may_be_empty_and_go_on() -> None:
    async def main(clock: VirtualClock) -> None:
        double = StorageDouble(clock, page_rows=2)
        await double.create_table("T")
        for number in range(5):
            await double.insert_entity("T", {"PartitionKey": "p", "RowKey": f"{number}", "N": number})
        query = Query((Condition("N", "ge", 3),))
        lengths: list[int] = []
        continuation = None
        while not lengths or continuation is not None:
            page = await double.query_entities("T", query, continuation)
            lengths.append(len(page.entities))
            continuation = page.continuation
        assert lengths == [0, 1, 1]

    virtual_time.run(main)


def test_an_arrival_ends_a_wait() -> None:
    async def main(clock: VirtualClock) -> None:
        double = StorageDouble(clock)
        await double.create_queue("q")
        waiting = asyncio.create_task(double.arrival("q"))
        await clock.sleep(5)
        await double.put_message("q", "text", hidden=7)
        await clock.sleep(6)
        assert not waiting.done()
        await waiting
        assert [one.text for one in await double.get_messages("q", 1, 30)] == ["text"]

    virtual_time.run(main)


async def _purge_twice(clock: VirtualClock, fault: Fault, call: int) -> bool:
    """A purge with a fault at a call, then a second one; whether there was such a call (P10)."""
    double = StorageDouble(clock, page_rows=2, page_blobs=2)
    healthy = AzureStorageProvider("", "Hub", 1, clock=clock, client=double)
    await healthy.create_hub()
    store = Store(healthy, healthy, healthy, pass_time=clock.sleep, clock=clock)
    for instance_id in (_ID, _NEIGHBOUR):
        for number in range(3):
            await healthy.put_payload(instance_id, b"%d" % number)
        await ended(store, execution(instance_id, execution_id=f"of {instance_id}"))
    client = FaultyStorageClient(  # pyright: ignore[reportAbstractUsage] - its calls are made at run time
        double, lambda _call, number: fault if number == call else Fault.NONE
    )
    faulty = AzureStorageProvider("", "Hub", 1, clock=clock, client=client)
    row = await healthy.read_row(_ID)
    assert row is not None
    try:
        await faulty.purge(row.row)
    except InjectedFaultError:
        # A crash leaves something to purge again, or nothing but the tombstone.
        row = await healthy.read_row(_ID) or row
        await healthy.purge(row.row)
    loaded = await healthy.load(_ID)
    assert (loaded.stored, loaded.turns, loaded.buried) == (None, (), {f"of {_ID}"})
    assert (await double.list_blobs(healthy.names.blobs, folder(_ID))).names == []
    assert len((await healthy.load(_NEIGHBOUR)).turns) == 3
    assert len((await double.list_blobs(healthy.names.blobs, folder(_NEIGHBOUR))).names) == 2
    return call < len(client.calls)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_a_purge_may_stop_at_every_call(fault: Fault) -> None:
    for call in range(_MOST_CALLS):
        if not virtual_time.run(lambda clock, call=call: _purge_twice(clock, fault, call)):
            assert call > 10, "a purge has more storage calls than that"
            return
    pytest.fail("the purge never ended")
