"""The client's ways to look at many instances, and to wait for what becomes of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pytest

from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import InstanceExistsError, InstanceNotFoundError, InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing.virtual_time import START
from durable_ext.worker.client import Client, StartOptions

from .orchestrations import registry
from .rewinding import outside
from .rewinding import registry as failing
from .two_stores import AnyHub, on_both, run_on

_LONG = timedelta(minutes=20)


@on_both
def test_pages_go_on_where_one_has_ended(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        client = hub.process(registry()).client
        for number in range(5):
            await client.start("chain", 0, instance_id=f"i{number}")
        pages = [page async for page in client.pages(size=2)]
        assert [[one.instance_id for one in page.statuses] for page in pages] == [["i0", "i1"], ["i2", "i3"], ["i4"]]
        rest = [page async for page in client.pages(size=4, continuation=pages[0].continuation)]
        assert [one.instance_id for one in rest[0].statuses] == ["i2", "i3", "i4"]
        assert dict(await client.count(InstanceFilter(id_prefix="i"))) == {RuntimeStatus.PENDING: 5}
        assert list(await client.get_many(["i3", "none", "i1", "i3"])) == ["i3", "i1"]
        with pytest.raises(InvalidInputError):
            await anext(client.pages(size=0))

    run_on(store, test)


@on_both
def test_every_execution_of_an_instance(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(registry())
        process.start()
        await process.client.start("eternal", [], instance_id="x")
        for letter in "abc":
            await process.client.raise_event("x", "tick", letter)
            await hub.clock.sleep(5)
        await process.client.wait_for_completion("x", _LONG)
        found = await process.client.executions("x")
        statuses = [one.runtime_status for one in found]
        assert statuses == [RuntimeStatus.CONTINUED_AS_NEW, RuntimeStatus.CONTINUED_AS_NEW, RuntimeStatus.COMPLETED]
        assert [one.input for one in found] == [[], ["a"], ["a", "b"]]
        assert [one.row.execution.generation for one in found] == [0, 1, 2]
        assert found[-1].output == ["a", "b", "c"]
        assert await process.client.executions("nobody") == ()

    run_on(store, test)


@on_both
def test_changes_are_seen_until_the_end(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(registry())
        process.start()
        await process.client.start("approval", instance_id="x")
        await process.client.wait_for_start("x", _LONG)
        waiting = asyncio.create_task(
            process.client.wait_for_custom_status("x", lambda status: status == "never", _LONG)
        )
        seen = asyncio.create_task(_collect(process.client.changes("x")))
        await hub.clock.sleep(10)
        await process.client.raise_event("x", "approval", "yes")
        found = await seen
        assert found[0].custom_status == "waiting"
        assert found[-1].runtime_status is RuntimeStatus.COMPLETED
        assert (await waiting).output == "yes"
        with pytest.raises(InstanceNotFoundError):
            await _collect(process.client.changes("nobody"))

    run_on(store, test)


async def _collect(found: AsyncIterator[InstanceStatus]) -> list[InstanceStatus]:
    return [one async for one in found]


@on_both
def test_a_recursive_purge_takes_children_along(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(failing())
        process.start()
        outside.breaks()
        await process.client.start("grandmother", "b", instance_id="x")
        await process.client.wait_for_completion("x", _LONG)
        assert set(await process.client.get_many(["x", "mother", "kid"])) == {"x", "mother", "kid"}
        assert await process.client.purge("x", recursive=True)
        assert [one async for one in process.client.list()] == []
        await process.client.start("grandmother", "b", instance_id="y")
        await process.client.wait_for_completion("y", _LONG)
        assert await process.client.purge_matching(InstanceFilter(name="grandmother"), recursive=True) == 1
        assert [one async for one in process.client.list()] == []

    run_on(store, test)


@on_both
def test_purge_of_what_ended_long_ago(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(registry())
        process.start()
        await process.client.start("chain", 0, instance_id="old")
        await process.client.wait_for_completion("old", _LONG)
        await hub.clock.sleep(7200)
        await process.client.start("chain", 0, instance_id="new")
        await process.client.wait_for_completion("new", _LONG)
        assert await process.client.purge_older_than(timedelta(hours=1)) == 1
        assert [one.instance_id async for one in process.client.list()] == ["new"]

    run_on(store, test)


@dataclass
class Counter:
    """An entity, to be left out."""

    value: int = 0

    def add(self, number: int) -> None:
        self.value += number


async def _some(hub: AnyHub) -> Client:
    """Five instances a minute apart, the first two ended, one with another version, one of another name; an entity."""
    names = registry()
    names.add_entity(Counter, "counter")
    process = hub.process(names)
    process.start()
    client = process.client
    for number, (name, version) in enumerate(
        [("chain", None), ("chain", "2"), ("approval", None), ("approval", "2"), ("greeted", None)]
    ):
        options = StartOptions(version=version, tags={"n": str(number)})
        await client.start(name, 0 if name == "chain" else None, instance_id=f"i{number}", options=options)
        await hub.clock.sleep(60)
    await client.signal_entity("@counter@a", "add", 1)
    await hub.clock.sleep(60)
    return client


def _minute(number: int) -> datetime:
    """When all instances before this one were created, and this one was not."""
    return START + timedelta(seconds=60 * number - 30)


FILTERS: list[tuple[InstanceFilter, list[str]]] = [
    (InstanceFilter(entities=False), ["i0", "i1", "i2", "i3", "i4"]),
    (InstanceFilter(entities=True), ["@counter@a"]),
    (InstanceFilter(), ["@counter@a", "i0", "i1", "i2", "i3", "i4"]),
    (InstanceFilter(statuses=frozenset({RuntimeStatus.COMPLETED})), ["i0", "i1"]),
    (InstanceFilter(statuses=frozenset({RuntimeStatus.RUNNING}), entities=False), ["i2", "i3", "i4"]),
    (InstanceFilter(name="approval"), ["i2", "i3"]),
    (InstanceFilter(version="2"), ["i1", "i3"]),
    (InstanceFilter(id_prefix="i4"), ["i4"]),
    (InstanceFilter(created_from=_minute(1), created_to=_minute(3)), ["i1", "i2"]),
    (InstanceFilter(updated_from=_minute(4), entities=False), ["i4"]),
    (InstanceFilter(updated_to=_minute(2)), ["i0", "i1"]),
    (InstanceFilter(completed_from=_minute(1)), ["i1"]),
    (InstanceFilter(completed_to=_minute(1)), ["i0"]),
    (InstanceFilter(name="chain", version="2", created_from=_minute(1)), ["i1"]),
    (InstanceFilter(name="chain", created_from=_minute(2)), []),
]


@on_both
def test_every_condition_one_by_one_in_pages_and_counted(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        client = await _some(hub)
        for where, expected in FILTERS:
            assert [one.instance_id async for one in client.list(where)] == expected, where
            pages = [page async for page in client.pages(where, size=2)]
            assert [one.instance_id for page in pages for one in page.statuses] == expected, where
            assert sum((await client.count(where)).values()) == len(expected), where

    run_on(store, test)


@on_both
def test_without_a_filter_it_is_orchestrations_only(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        client = await _some(hub)
        ids = ["i0", "i1", "i2", "i3", "i4"]
        assert [one.instance_id async for one in client.list()] == ids
        assert [one.input async for one in client.list(with_input=False)] == [None] * 5
        assert [one.instance_id async for page in client.pages() for one in page.statuses] == ids
        assert dict(await client.count()) == {RuntimeStatus.COMPLETED: 2, RuntimeStatus.RUNNING: 3}
        assert [one.row.tags async for one in client.list()] == [{"n": str(number)} for number in range(5)]

    run_on(store, test)


@on_both
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_restart_has_the_very_text_of_the_input(store: str, size: int) -> None:
    """No number is another one afterwards."""
    text = b'{"price":1.10,"big":12345678901234567890123,"more":"' + b"x" * size + b'"}'

    async def test(hub: AnyHub) -> None:
        process = hub.process(registry())
        process.start()
        client = process.client
        await client.start("forgetful", msgspec.Raw(text), instance_id="x")
        await client.wait_for_completion("x", _LONG)
        for again in (await client.restart("x"), await client.restart("x", new_instance_id=False)):
            found = (await hub.row(again)).input
            assert found is not None
            assert (await client.load_payload(found)).data == text

    run_on(store, test)


@on_both
def test_a_restart_has_the_input_the_version_and_the_tags(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        client = await _some(hub)
        for same in (True, False):
            again = await client.restart("i1", new_instance_id=not same)
            assert (again == "i1") == same
            status = await client.wait_for_completion(again, _LONG)
            assert (status.input, status.output) == (0, 3)
            assert (status.row.version, status.row.tags) == ("2", {"n": "1"})
        with pytest.raises(InstanceExistsError):
            await client.restart("i2", new_instance_id=False)
        with pytest.raises(InstanceNotFoundError):
            await client.restart("nobody")

    run_on(store, test)
