"""Payloads: long values by content, short ones in place (P1)."""

from __future__ import annotations

import pytest

from durable_ext.errors import StorageError
from durable_ext.records.payloads import inline, stored
from durable_ext.testing.conformance.samples import ended, execution, text
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"


class PayloadConformance(Conformance):
    """put_payload, get_payload."""

    @on_store
    async def test_a_payload_comes_back_as_it_was(self, store: Store) -> None:
        for data in (text(200_000).data, '"é日本😀"'.encode(), b'{"a": [1, 2, {"b": null}]}'):
            payload = await store.provider.put_payload(_ID, data)
            assert payload.size == len(data)
            assert await store.provider.get_payload(payload) == data

    @on_store
    async def test_a_payload_in_place_needs_no_store(self, store: Store) -> None:
        assert await store.provider.get_payload(inline(b"[1]")) == b"[1]"

    @on_store
    async def test_a_payload_stored_twice_is_one(self, store: Store) -> None:
        """P1: after an unknown outcome it is put again."""
        data = text(50_000).data
        first = await store.provider.put_payload(_ID, data)
        assert await store.provider.put_payload(_ID, data) == first
        owned = await store.provider.put_payload(_ID, data, owner="e1/..")
        assert await store.provider.put_payload(_ID, data, owner="e1/..") == owned
        assert await store.provider.get_payload(owned) == data
        assert await store.provider.get_payload(first) == data

    @on_store
    async def test_a_payload_that_is_not_there_is_an_error(self, store: Store) -> None:
        with pytest.raises(StorageError):
            await store.provider.get_payload(stored(f"{_ID}/there-is-no-such-blob", 5))

    @on_store
    async def test_a_neighbour_keeps_its_payload_at_a_purge(self, store: Store) -> None:
        data = text(50_000).data
        kept = [await store.provider.put_payload(_ID + end, data) for end in ("0", "-")]
        await store.provider.put_payload(_ID, data)
        await store.catalog.purge(await ended(store, execution(_ID)))
        for payload in kept:
            assert await store.provider.get_payload(payload) == data
