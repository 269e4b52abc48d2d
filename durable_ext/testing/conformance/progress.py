"""Progress of running activities: the newest of each work item, until it is deleted or its instance is purged."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from durable_ext.records.payloads import inline
from durable_ext.records.progress import Report
from durable_ext.testing.conformance.ids import ODD_IDS
from durable_ext.testing.conformance.samples import ended, execution, started
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ID = "order-1"
_DAY = timedelta(days=1)
_ODD_ITEMS = ("a/b", "A/B", "a#b?c", "x" * 600, "é", "e\u0301", "^progress-a", " ")


def _report(time: datetime, item: str = "e1-1-0", instance_id: str = _ID, value: str = "half") -> Report:
    payload = inline(msgspec.json.encode(value))
    return Report(instance_id=instance_id, work_item=item, task_id=7, name="render", time=time, value=payload)


class ProgressConformance(Conformance):
    """write_progress, progress, delete_progress, and what purge, prune and sweep do to them."""

    @on_store
    async def test_a_report_is_read_as_it_was_written(self, store: Store) -> None:
        report = _report(store.clock(), value="ü" * 4000)
        await store.provider.write_progress(report)
        assert list(await store.provider.progress(_ID)) == [report]

    @on_store
    async def test_the_newest_takes_the_place_of_the_last(self, store: Store) -> None:
        await store.provider.write_progress(_report(store.clock()))
        newest = _report(store.clock() + _DAY, value="done")
        for _ in range(2):
            await store.provider.write_progress(newest)
        assert list(await store.provider.progress(_ID)) == [newest]

    @on_store
    async def test_one_that_is_deleted_is_gone_and_the_others_are_not(self, store: Store) -> None:
        kept = _report(store.clock(), "e1-1-1")
        await store.provider.write_progress(_report(store.clock()))
        await store.provider.write_progress(kept)
        for _ in range(2):
            await store.provider.delete_progress(_ID, "e1-1-0")
        assert list(await store.provider.progress(_ID)) == [kept]
        assert list(await store.provider.progress("nobody")) == []

    @on_store
    async def test_odd_work_items_and_instances_are_kept_apart(self, store: Store) -> None:
        reports = [_report(store.clock(), item) for item in _ODD_ITEMS]
        others = [_report(store.clock(), instance_id=one) for one in ODD_IDS if one != _ID]
        for report in (*reports, *others):
            await store.provider.write_progress(report)
        found = await store.provider.progress(_ID)
        assert sorted(found, key=lambda one: one.work_item) == sorted(reports, key=lambda one: one.work_item)
        for report in others:
            assert list(await store.provider.progress(report.instance_id)) == [report]

    @on_store
    async def test_progress_is_neither_history_nor_a_claim(self, store: Store) -> None:
        await started(store, execution(_ID))
        await store.provider.write_progress(_report(store.clock()))
        assert len((await store.provider.load(_ID)).turns) == 1
        assert await store.provider.claim(_ID, "e1-1-0", "host-1")
        assert len(await store.provider.progress(_ID)) == 1

    @on_store
    async def test_it_goes_with_its_instance(self, store: Store) -> None:
        row = await ended(store, execution(_ID))
        await ended(store, execution(_ID + "0"))
        other = _report(store.clock(), instance_id=_ID + "0")
        for report in (_report(store.clock()), other):
            await store.provider.write_progress(report)
        await store.catalog.purge(row)
        assert list(await store.provider.progress(_ID)) == []
        assert list(await store.provider.progress(_ID + "0")) == [other]

    @on_store
    async def test_a_sweep_takes_what_came_after_a_purge(self, store: Store) -> None:
        """A process that did not know of the purge said how far it was."""
        now = store.clock()
        await store.catalog.purge(await ended(store, execution(_ID)))
        await store.provider.write_progress(_report(now))
        await store.catalog.sweep(now - _DAY)
        assert len(await store.provider.progress(_ID)) == 1
        await store.catalog.sweep(now + _DAY)
        assert list(await store.provider.progress(_ID)) == []

    @on_store
    async def test_prune_takes_what_is_old(self, store: Store) -> None:
        now = store.clock()
        await started(store, execution(_ID))
        young = _report(now, "e1-1-1")
        await store.provider.write_progress(_report(now - 3 * _DAY))
        await store.provider.write_progress(young)
        await store.catalog.prune(_ID, below_generation=0, older_than=now - _DAY)
        assert list(await store.provider.progress(_ID)) == [young]
