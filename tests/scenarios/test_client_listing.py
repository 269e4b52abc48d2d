"""The client's ways to look at many instances, and to wait for what becomes of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import InstanceNotFoundError, InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import RuntimeStatus

from .hub import Hub, run
from .orchestrations import registry
from .rewinding import outside
from .rewinding import registry as failing

_LONG = timedelta(minutes=20)


def test_pages_go_on_where_one_has_ended() -> None:
    async def test(hub: Hub) -> None:
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

    run(test)


def test_every_execution_of_an_instance() -> None:
    async def test(hub: Hub) -> None:
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

    run(test)


def test_changes_are_seen_until_the_end() -> None:
    async def test(hub: Hub) -> None:
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

    run(test)


async def _collect(found: AsyncIterator[InstanceStatus]) -> list[InstanceStatus]:
    return [one async for one in found]


def test_a_recursive_purge_takes_children_along() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(failing())
        process.start()
        outside.breaks()
        await process.client.start("grandmother", "b", instance_id="x")
        await process.client.wait_for_completion("x", _LONG)
        assert set(await process.client.get_many(["x", "mother", "kid"])) == {"x", "mother", "kid"}
        assert await process.client.purge("x", recursive=True)
        assert [one async for one in process.client.list()] == []

    run(test)


def test_purge_of_what_ended_long_ago() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        await process.client.start("chain", 0, instance_id="old")
        await process.client.wait_for_completion("old", _LONG)
        await hub.clock.sleep(7200)
        await process.client.start("chain", 0, instance_id="new")
        await process.client.wait_for_completion("new", _LONG)
        assert await process.client.purge_older_than(timedelta(hours=1)) == 1
        assert [one.instance_id async for one in process.client.list()] == ["new"]

    run(test)
