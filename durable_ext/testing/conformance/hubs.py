"""The hub itself: made, found, deleted, closed."""

from __future__ import annotations

import pytest

from durable_ext.errors import HubNotFoundError
from durable_ext.testing.conformance.samples import LEASE, NO_WAIT, execution, message, row
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"


class HubConformance(Conformance):
    """create_hub, check_hub, delete_hub, close."""

    @on_store
    async def test_creating_a_hub_again_keeps_what_it_holds(self, store: Store) -> None:
        await store.provider.create_row(row(execution(_ID), store.clock()))
        await store.provider.send([message(_ID, 1, store.clock())])
        await store.provider.create_hub()
        await store.provider.check_hub()
        assert await store.provider.read_row(_ID) is not None
        partitions = range(store.provider.partitions)
        found = [
            delivery
            for partition in partitions
            for delivery in await store.feed.receive_control(partition, limit=8, lease=LEASE, wait=NO_WAIT)
        ]
        assert len(found) == 1

    @on_store
    async def test_a_hub_that_was_deleted_is_not_there_until_it_is_created(self, store: Store) -> None:
        await store.provider.create_row(row(execution(_ID), store.clock()))
        await store.provider.delete_hub()
        for _ in range(2):
            with pytest.raises(HubNotFoundError):
                await store.provider.check_hub()
        await store.provider.create_hub()
        await store.provider.check_hub()
        assert await store.provider.read_row(_ID) is None

    @on_store
    async def test_closing_twice_is_closing(self, store: Store) -> None:
        await store.provider.delete_hub()
        await store.provider.close()
        await store.provider.close()
