"""What no scenario meets by itself: pages that end early, and arrivals."""

from __future__ import annotations

import asyncio

from durable_ext.providers.azure_storage.client import Condition, Query
from durable_ext.testing import virtual_time
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.virtual_time import VirtualClock


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
