"""Instances rows: created once, replaced under their etag only (P8, P9)."""

from __future__ import annotations

import msgspec
import pytest

from durable_ext.errors import InstanceExistsError, RowChangedError
from durable_ext.providers.contract import Loaded
from durable_ext.records.failures import Failure
from durable_ext.records.instance import FirstEvent, InstanceRow, Parent, Rewinding, RuntimeStatus, Stuck
from durable_ext.records.messages import StartExecution
from durable_ext.records.payloads import inline
from durable_ext.records.trace import TraceContext
from durable_ext.testing.conformance.samples import (
    ended,
    execution,
    message,
    outcomes,
    receive_one,
    row,
    stored,
    text,
)
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"


class RowConformance(Conformance):
    """create_row, update_row, read_row."""

    @on_store
    async def test_a_missing_row_is_none(self, store: Store) -> None:
        assert await store.provider.read_row("nobody") is None

    @on_store
    async def test_a_row_comes_back_as_it_was(self, store: Store) -> None:
        now = store.clock()
        full = InstanceRow(
            execution=execution(_ID, 3),
            name="Order",
            status=RuntimeStatus.FAILED,
            created_at=now,
            updated_at=now.replace(microsecond=123456),
            turn=17,
            version="2.1",
            input=inline(b'{"n": 1}'),
            output=inline(b'"done"'),
            custom_status=inline('"höher"'.encode()),
            failure=Failure(
                type="a.B", message="broke\nhere", traceback="line 1", cause=Failure(type="c.D", message="why")
            ),
            completed_at=now,
            scheduled_start=now,
            parent=Parent(instance_id="parent", execution_id="pe", task_id=4, name="Parent"),
            tags={"team": "blue", "odd key": "ü'\"%"},
            previous="before",
            rewinds=Rewinding(execution_id="before", reason="mended", time=now),
            status_changes=3,
            trace=TraceContext(f"00-{'a' * 32}-{'b' * 16}-01", "vendor=one"),
            first_event=FirstEvent(name="héllo", input=inline(b'{"text": "' + b"x" * 40_000 + b'"}')),
            stuck=Stuck(since=now, reason="it parts\nfrom 'ü' " + "x" * 1000, message_id="a-b-0"),
        )
        await store.provider.create_row(full)
        assert (await stored(store, _ID)).row == full

    @on_store
    async def test_a_message_makes_no_row(self, store: Store) -> None:
        """P9: the row is the client's or the worker's to write; a start in the queue is no instance yet."""
        of = execution(_ID)
        body = StartExecution(execution=of, name="Order", created_at=store.clock())
        await store.provider.send([message(_ID, 1, store.clock(), body=body)])
        await receive_one(store, _ID)
        assert await store.provider.load(_ID) == Loaded(None, ())

    @on_store
    async def test_an_empty_row_comes_back_as_it_was(self, store: Store) -> None:
        bare = row(execution(_ID), store.clock())
        await store.provider.create_row(bare)
        assert (await stored(store, _ID)).row == bare

    @on_store
    async def test_a_replaced_row_keeps_nothing_of_the_old_one(self, store: Store) -> None:
        """A custom status that was cleared, an output that is gone: what is not in the row is not there."""
        now = store.clock()
        full = msgspec.structs.replace(
            row(execution(_ID), now), version="2.0", output=text(100), custom_status=inline(b"1"), completed_at=now
        )
        etag = await store.provider.create_row(full)
        bare = row(execution(_ID), now, turn=1)
        await store.provider.update_row(bare, etag)
        assert (await stored(store, _ID)).row == bare

    @on_store
    async def test_an_inserted_row_can_be_updated_with_the_etag_of_the_insert(self, store: Store) -> None:
        etag = await store.provider.create_row(row(execution(_ID), store.clock()))
        assert etag
        assert etag == (await stored(store, _ID)).etag
        running = row(execution(_ID), store.clock(), status=RuntimeStatus.RUNNING, turn=0)
        second = await store.provider.update_row(running, etag)
        assert second != etag
        found = await stored(store, _ID)
        assert (found.row, found.etag) == (running, second)

    @on_store
    async def test_a_second_start_is_refused(self, store: Store) -> None:
        first = row(execution(_ID, execution_id="one"), store.clock())
        etag = await store.provider.create_row(first)
        with pytest.raises(InstanceExistsError):
            await store.provider.create_row(row(execution(_ID, execution_id="two"), store.clock()))
        found = await stored(store, _ID)
        assert (found.row, found.etag) == (first, etag)

    @on_store
    async def test_our_own_insert_again_is_success(self, store: Store) -> None:
        """P13: the answer of the first one was lost."""
        ours = row(execution(_ID), store.clock())
        await store.provider.create_row(ours)
        etag = await store.provider.create_row(ours)
        await store.provider.update_row(row(execution(_ID), store.clock(), turn=0), etag)

    @on_store
    async def test_of_two_starts_at_once_one_wins(self, store: Store) -> None:
        rows = [row(execution(_ID, execution_id=f"e{n}"), store.clock()) for n in range(5)]
        etags, errors = await outcomes(store.provider.create_row(one) for one in rows)
        assert len(etags) == 1
        assert [type(error) for error in errors] == [InstanceExistsError] * 4
        assert (await stored(store, _ID)).etag == etags[0]

    @on_store
    async def test_a_slow_writer_does_not_overwrite(self, store: Store) -> None:
        old = await store.provider.create_row(row(execution(_ID), store.clock()))
        newer = row(execution(_ID), store.clock(), status=RuntimeStatus.COMPLETED, turn=5)
        await store.provider.update_row(newer, old)
        with pytest.raises(RowChangedError):
            await store.provider.update_row(row(execution(_ID), store.clock(), turn=1), old)
        assert (await stored(store, _ID)).row == newer

    @on_store
    async def test_of_two_updates_at_once_one_wins(self, store: Store) -> None:
        etag = await store.provider.create_row(row(execution(_ID), store.clock()))
        rows = [row(execution(_ID), store.clock(), turn=n) for n in range(5)]
        etags, errors = await outcomes(store.provider.update_row(one, etag) for one in rows)
        assert len(etags) == 1
        assert [type(error) for error in errors] == [RowChangedError] * 4

    @on_store
    async def test_a_row_that_is_gone_cannot_be_updated(self, store: Store) -> None:
        etag = await store.provider.create_row(row(execution("other"), store.clock()))
        for one in (etag, "", "no etag at all"):
            with pytest.raises(RowChangedError):
                await store.provider.update_row(row(execution(_ID), store.clock()), one)
        assert await store.provider.read_row(_ID) is None

    @on_store
    async def test_an_instance_can_be_started_anew(self, store: Store) -> None:
        etag = await store.provider.create_row(row(execution(_ID, execution_id="old"), store.clock()))
        new = row(execution(_ID, 1, "new"), store.clock())
        replaced = await store.provider.create_row(new, replacing=etag)
        found = await stored(store, _ID)
        assert (found.row, found.etag) == (new, replaced)

    @on_store
    async def test_a_start_that_replaces_a_changed_row_is_refused(self, store: Store) -> None:
        old = row(execution(_ID, execution_id="old"), store.clock())
        stale = await store.provider.create_row(old)
        await store.provider.update_row(old, stale)
        with pytest.raises(RowChangedError):
            await store.provider.create_row(row(execution(_ID, 1, "new"), store.clock()), replacing=stale)
        assert (await stored(store, _ID)).row == old

    @on_store
    async def test_our_own_replacement_again_is_success(self, store: Store) -> None:
        """P13: the answer of the first one was lost."""
        stale = await store.provider.create_row(row(execution(_ID, execution_id="old"), store.clock()))
        new = row(execution(_ID, 1, "new"), store.clock())
        first = await store.provider.create_row(new, replacing=stale)
        assert await store.provider.create_row(new, replacing=stale) == first

    @on_store
    async def test_a_start_cannot_replace_a_row_that_is_gone(self, store: Store) -> None:
        etag = await store.provider.create_row(row(execution("other"), store.clock()))
        with pytest.raises(RowChangedError):
            await store.provider.create_row(row(execution(_ID), store.clock()), replacing=etag)

    @on_store
    async def test_an_etag_does_not_outlive_a_purge(self, store: Store) -> None:
        old = await ended(store, execution(_ID, execution_id="old"))
        etag = (await stored(store, _ID)).etag
        await store.catalog.purge(old)
        new = row(execution(_ID, execution_id="new"), store.clock())
        await store.provider.create_row(new)
        with pytest.raises(RowChangedError):
            await store.provider.update_row(old, etag)
        assert (await stored(store, _ID)).row == new

    @on_store
    async def test_a_row_with_long_values(self, store: Store) -> None:
        length = min(store.provider.inline_limit, 32_000)
        long = InstanceRow(
            execution=execution(_ID),
            name="N" * 256,
            status=RuntimeStatus.FAILED,
            created_at=store.clock(),
            updated_at=store.clock(),
            input=text(length),
            output=text(length),
            custom_status=text(length),
            failure=Failure(type="T", message="m" * 8_000, traceback="t" * 8_000),
            tags={f"tag{n}": "v" * 200 for n in range(50)},
        )
        await store.provider.create_row(long)
        assert (await stored(store, _ID)).row == long
