"""What people query: filters, pages, counts."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import InstanceRow, Parent, RuntimeStatus, Stuck
from durable_ext.testing.conformance.samples import ended, execution, many, row
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_ALL = InstanceFilter()
_HOUR = timedelta(hours=1)
_MOST_PAGES = 200


async def _ids(store: Store, where: InstanceFilter, limit: int = 100) -> list[str]:
    """The ids of all pages; a page may be short, but there is an end."""
    found: list[str] = []
    continuation: str | None = None
    for _ in range(_MOST_PAGES):
        page = await store.catalog.query(where, limit=limit, continuation=continuation)
        assert len(page.rows) <= limit
        found += [one.instance_id for one in page.rows]
        continuation = page.continuation
        if continuation is None:
            return found
    raise AssertionError(f"no end after {_MOST_PAGES} pages")


async def _create(store: Store, *ids: str) -> None:
    await many(store.provider.create_row(row(execution(one), store.clock())) for one in ids)


async def _at(store: Store, instance_id: str, created: datetime, updated: datetime) -> InstanceRow:
    one = msgspec.structs.replace(row(execution(instance_id), created), updated_at=updated)
    await store.provider.create_row(one)
    return one


class CatalogConformance(Conformance):
    """query, count."""

    @on_store
    async def test_an_empty_hub(self, store: Store) -> None:
        assert await _ids(store, _ALL) == []
        assert dict(await store.catalog.count(_ALL)) == {}

    @on_store
    async def test_all_instances_in_the_order_of_their_ids(self, store: Store) -> None:
        await _create(store, "b", "a", "c10", "c9", "C")
        assert await _ids(store, _ALL) == ["C", "a", "b", "c10", "c9"]

    @on_store
    async def test_entities_only_orchestrations_only_or_both(self, store: Store) -> None:
        await _create(store, "!1", "@counter@one", "@ledger@x", "A", "a@b")
        assert await _ids(store, InstanceFilter(entities=True)) == ["@counter@one", "@ledger@x"]
        assert await _ids(store, InstanceFilter(entities=False)) == ["!1", "A", "a@b"]
        assert await _ids(store, InstanceFilter(entities=True, id_prefix="@led")) == ["@ledger@x"]
        assert sum((await store.catalog.count(InstanceFilter(entities=False))).values()) == 3
        assert len(await _ids(store, _ALL)) == 5

    @on_store
    async def test_the_children_of_an_instance(self, store: Store) -> None:
        """Of whichever execution; an id that begins alike, or looks like the store's own writing, is another one."""
        families = {"p": ["a", "b"], "p2": ["c"], 'p","': ["d"], "é": ["e"], "P": ["f"]}
        for parent, children in families.items():
            for number, child in enumerate(children):
                of = Parent(instance_id=parent, execution_id=f"e{number}", task_id=number, name="family")
                one = msgspec.structs.replace(row(execution(child), store.clock()), parent=of)
                await store.provider.create_row(one)
        await _create(store, "g", "p")
        for parent, children in families.items():
            assert await _ids(store, InstanceFilter(parent=parent)) == children
        assert await _ids(store, InstanceFilter(parent="p", id_prefix="b")) == ["b"]
        assert sum((await store.catalog.count(InstanceFilter(parent="p"))).values()) == 2
        assert await _ids(store, InstanceFilter(parent="nobody")) == []

    @on_store
    async def test_instances_written_since_a_time(self, store: Store) -> None:
        now = store.clock()
        for number in range(3):
            await _at(store, f"i{number}", now, now + number * _HOUR)
        assert await _ids(store, InstanceFilter(updated_from=now + _HOUR)) == ["i1", "i2"]
        assert await _ids(store, InstanceFilter(updated_from=now + _HOUR, updated_to=now + _HOUR)) == ["i1"]

    @on_store
    async def test_those_that_are_stuck(self, store: Store) -> None:
        """Also together with another condition; a row that is replaced without the mark is not found any more."""
        await _create(store, "a", "b")
        stuck = Stuck(since=store.clock(), reason="why", message_id="m")
        of = [execution(one) for one in ("c", "d")]
        marked = [msgspec.structs.replace(row(one, store.clock()), stuck=stuck) for one in of]
        etags = [await store.provider.create_row(one) for one in marked]
        where = InstanceFilter(stuck=True)
        assert await _ids(store, where) == ["c", "d"]
        assert sum((await store.catalog.count(where)).values()) == 2
        assert await _ids(store, InstanceFilter(stuck=True, id_prefix="d")) == ["d"]
        assert await _ids(store, _ALL) == ["a", "b", "c", "d"]
        await store.provider.update_row(msgspec.structs.replace(marked[0], stuck=None), etags[0])
        assert await _ids(store, where) == ["d"]

    @on_store
    async def test_a_page_has_whole_rows(self, store: Store) -> None:
        one = await ended(store, execution("order-1"))
        page = await store.catalog.query(_ALL)
        assert page.rows == (one,)
        assert page.continuation is None

    @on_store
    async def test_pages_have_each_instance_once(self, store: Store) -> None:
        ids = [f"order-{n:02d}" for n in range(23)]
        await _create(store, *ids)
        for limit in (1, 5, 22, 23, 24, 100):
            assert await _ids(store, _ALL, limit) == ids

    @on_store
    async def test_pages_go_on_where_they_stopped(self, store: Store) -> None:
        """What comes or goes meanwhile moves nothing."""
        await _create(store, "b", "d", "f")
        first = await store.catalog.query(_ALL, limit=2)
        assert first.continuation is not None
        await _create(store, "a", "e")
        second = await store.catalog.query(_ALL, limit=10, continuation=first.continuation)
        found = [one.instance_id for page in (first, second) for one in page.rows]
        assert found in (["b", "d", "e", "f"], ["b", "d", "f"])

    @on_store
    async def test_pages_of_a_filter(self, store: Store) -> None:
        await _create(store, *(f"{kind}-{n}" for kind in ("order", "refund") for n in range(7)))
        assert await _ids(store, InstanceFilter(id_prefix="order-"), 3) == [f"order-{n}" for n in range(7)]

    @on_store
    async def test_a_continuation_of_somebody_else_is_refused(self, store: Store) -> None:
        await _create(store, "a", "b")
        for continuation in ("nonsense", "", "%%%", "e30=", "bnVsbA==", "é"):
            with pytest.raises(InvalidInputError):
                await store.catalog.query(_ALL, continuation=continuation)

    @on_store
    async def test_by_status(self, store: Store) -> None:
        for status in RuntimeStatus:
            await store.provider.create_row(row(execution(f"is-{status}"), store.clock(), status=status))
        for status in RuntimeStatus:
            assert await _ids(store, InstanceFilter(statuses=frozenset({status}))) == [f"is-{status}"]
        both = frozenset({RuntimeStatus.FAILED, RuntimeStatus.RUNNING})
        assert await _ids(store, InstanceFilter(statuses=both)) == ["is-Failed", "is-Running"]

    @on_store
    async def test_by_name(self, store: Store) -> None:
        for n, name in enumerate(("Order", "order", "Order2", "O'Rder", "Order")):
            await store.provider.create_row(row(execution(f"i{n}"), store.clock(), name=name))
        assert await _ids(store, InstanceFilter(name="Order")) == ["i0", "i4"]
        assert await _ids(store, InstanceFilter(name="O'Rder")) == ["i3"]
        assert await _ids(store, InstanceFilter(name="None")) == []

    @on_store
    async def test_by_times_with_both_ends(self, store: Store) -> None:
        start = store.clock().replace(microsecond=500_000)
        for n in range(5):
            await _at(store, f"i{n}", start + n * _HOUR, start + (n + 10) * _HOUR)
        assert await _ids(store, InstanceFilter(created_from=start + 3 * _HOUR)) == ["i3", "i4"]
        assert await _ids(store, InstanceFilter(created_to=start + _HOUR)) == ["i0", "i1"]
        between = InstanceFilter(created_from=start + _HOUR, created_to=start + 2 * _HOUR)
        assert await _ids(store, between) == ["i1", "i2"]
        assert await _ids(store, InstanceFilter(updated_to=start + 11 * _HOUR)) == ["i0", "i1"]
        just_before = start + _HOUR - timedelta(microseconds=1)
        assert await _ids(store, InstanceFilter(created_to=just_before)) == ["i0"]

    @on_store
    async def test_by_the_time_of_the_end(self, store: Store) -> None:
        start = store.clock().replace(microsecond=500_000)
        for n in range(4):
            ended = start + n * _HOUR
            status = RuntimeStatus.COMPLETED if n else RuntimeStatus.RUNNING
            made = row(execution(f"i{n}"), start, status=status)
            completed = ended if n else None
            made = msgspec.structs.replace(made, updated_at=ended, completed_at=completed)
            await store.provider.create_row(made)
        assert await _ids(store, InstanceFilter(completed_from=start)) == ["i1", "i2", "i3"]
        assert await _ids(store, InstanceFilter(completed_to=start + 2 * _HOUR)) == ["i1", "i2"]
        assert await _ids(store, InstanceFilter(updated_from=start + 2 * _HOUR)) == ["i2", "i3"]
        assert await _ids(store, InstanceFilter(updated_to=start + _HOUR)) == ["i0", "i1"]

    @on_store
    async def test_by_version(self, store: Store) -> None:
        for n, version in enumerate(("1", "2", None, "o'2", "2")):
            made = msgspec.structs.replace(row(execution(f"i{n}"), store.clock()), version=version)
            await store.provider.create_row(made)
        assert await _ids(store, InstanceFilter(version="2")) == ["i1", "i4"]
        assert await _ids(store, InstanceFilter(version="o'2")) == ["i3"]
        assert await _ids(store, InstanceFilter(version="3")) == []

    @on_store
    async def test_by_prefix_without_neighbours(self, store: Store) -> None:
        wanted = ["order", "order ", "order%", "order-1", "order1", "order_x", "orderZ", "orderé", "order日"]
        await _create(store, *wanted, "orde", "ordes", "Order", "ORDER-1", "ordeé", "a", "z")
        assert sorted(await _ids(store, InstanceFilter(id_prefix="order"))) == sorted(wanted)
        assert await _ids(store, InstanceFilter(id_prefix="order%")) == ["order%"]
        assert await _ids(store, InstanceFilter(id_prefix="order_")) == ["order_x"]
        assert await _ids(store, InstanceFilter(id_prefix="order-1")) == ["order-1"]
        assert await _ids(store, InstanceFilter(id_prefix="none")) == []

    @on_store
    async def test_all_conditions_hold(self, store: Store) -> None:
        now = store.clock()
        running = frozenset({RuntimeStatus.RUNNING})
        for instance_id, name, status in (
            ("order-1", "Order", RuntimeStatus.RUNNING),
            ("order-2", "Order", RuntimeStatus.FAILED),
            ("order-3", "Refund", RuntimeStatus.RUNNING),
            ("refund-1", "Order", RuntimeStatus.RUNNING),
        ):
            await store.provider.create_row(row(execution(instance_id), now, status=status, name=name))
        where = InstanceFilter(
            statuses=running, name="Order", id_prefix="order", created_from=now - _HOUR, created_to=now, updated_to=now
        )
        assert await _ids(store, where) == ["order-1"]
        assert dict(await store.catalog.count(where)) == {RuntimeStatus.RUNNING: 1}

    @on_store
    async def test_counts_by_status(self, store: Store) -> None:
        for status, number in ((RuntimeStatus.RUNNING, 3), (RuntimeStatus.FAILED, 2), (RuntimeStatus.PENDING, 1)):
            for n in range(number):
                await store.provider.create_row(row(execution(f"{status}-{n}"), store.clock(), status=status))
        expected = {RuntimeStatus.RUNNING: 3, RuntimeStatus.FAILED: 2, RuntimeStatus.PENDING: 1}
        assert dict(await store.catalog.count(_ALL)) == expected
        assert dict(await store.catalog.count(InstanceFilter(id_prefix="Failed"))) == {RuntimeStatus.FAILED: 2}

    @on_store
    async def test_a_query_sees_the_newest_row(self, store: Store) -> None:
        etag = await store.provider.create_row(row(execution("a"), store.clock()))
        done = row(execution("a"), store.clock(), status=RuntimeStatus.COMPLETED, turn=4)
        await store.provider.update_row(done, etag)
        assert (await store.catalog.query(_ALL)).rows == (done,)
        assert dict(await store.catalog.count(_ALL)) == {RuntimeStatus.COMPLETED: 1}
