"""Values of the wrong type, and times without a zone: refused or understood at the call, before anything is written
that nobody could read again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import Client, StartOptions

from .two_stores import AnyHub, on_both, run_on

_SOON = timedelta(minutes=20)
_FIVE: Any = 5


async def act(value: Any = None) -> Any:
    return value


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def child(ctx: OrchestrationContext) -> str:
    return "done"


def app(call: Callable[[OrchestrationContext], Any] = lambda ctx: None) -> Registry:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            call(ctx)
        except InvalidInputError as error:
            return str(error)
        return await ctx.call_activity(act, "nothing was refused")

    registry = Registry()
    registry.add_activity(act)
    registry.add_orchestrator(main)
    registry.add_orchestrator(child)
    registry.add_orchestrator(listen)
    return registry


@on_both
def test_a_start_without_a_zone_is_utc(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        due = hub.clock() + timedelta(minutes=5)
        options = StartOptions(start_at=due.replace(tzinfo=None))
        await process.client.start("child", instance_id="x", options=options)
        assert (await hub.row("x")).scheduled_start == due
        await process.worker.tidy()
        await hub.clock.sleep(240)
        assert await hub.status("x") is RuntimeStatus.PENDING
        assert (await process.client.wait_for_completion("x", _SOON)).output == "done"
        assert hub.clock() >= due

    run_on(store, test)


def test_a_time_that_is_a_text_is_refused() -> None:
    text: Any = "2030-01-31T12:00:00Z"

    async def test(hub: AnyHub) -> None:
        client = hub.process(app()).client
        with pytest.raises(InvalidInputError, match="a time is a datetime, not of type str"):
            await client.start("child", instance_id="x", options=StartOptions(start_at=text))
        with pytest.raises(InvalidInputError, match="a time is a datetime, not of type str"):
            await client.signal_entity("@counter@a", "add", signal_time=text)
        with pytest.raises(InvalidInputError, match="a time is a datetime, not of type str"):
            InstanceFilter(created_from=text)
        assert await client.get("x") is None

    run_on("sqlite", test)


@on_both
def test_a_filter_without_a_zone_is_utc(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        client = hub.process(app()).client
        await client.start("child", instance_id="a")
        await hub.clock.sleep(60)
        between = (hub.clock() - timedelta(seconds=30)).replace(tzinfo=None)
        await client.start("child", instance_id="b")
        for where, expected in (
            (InstanceFilter(created_from=between), ["b"]),
            (InstanceFilter(created_to=between), ["a"]),
            (InstanceFilter(updated_from=between), ["b"]),
        ):
            assert [one.instance_id async for one in client.list(where)] == expected
            assert await client.count(where) == {RuntimeStatus.PENDING: 1}
        assert [one async for one in client.list_entities(modified_from=between, modified_to=between)] == []

    run_on(store, test)


WRONG: dict[str, Callable[[Client], Any]] = {
    "tags": lambda client: client.start("child", options=StartOptions(tags={"n": _FIVE})),
    "keys of tags": lambda client: client.start("child", options=StartOptions(tags={_FIVE: "n"})),
    "version": lambda client: client.start("child", options=StartOptions(version=_FIVE)),
    "id": lambda client: client.start("child", instance_id=_FIVE),
    "name": lambda client: client.start(_FIVE),
    "event": lambda client: client.raise_event("x", _FIVE),
    "message id": lambda client: client.raise_event("x", "go", message_id=_FIVE),
    "reason of terminate": lambda client: client.terminate("x", _FIVE),
    "reason of suspend": lambda client: client.suspend("x", _FIVE),
    "reason of resume": lambda client: client.resume("x", _FIVE),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_client_refuses_what_is_no_text(what: str) -> None:
    async def test(hub: AnyHub) -> None:
        client = hub.process(app()).client
        await client.start("child", instance_id="x")
        await hub.take()
        with pytest.raises(InvalidInputError, match=r"is (a text|called), not (what is )?of type int"):
            await WRONG[what](client)
        assert not await hub.take()
        assert await client.count() == {RuntimeStatus.PENDING: 1}

    run_on("sqlite", test)


def test_no_reason_at_all() -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        await process.client.start("listen", instance_id="x")
        nothing: Any = None
        await process.client.terminate("x", nothing)
        ended = await process.client.wait_for_completion("x", _SOON)
        assert (ended.runtime_status, ended.output) == (RuntimeStatus.TERMINATED, "")

    run_on("sqlite", test)


CALLS: dict[str, Callable[[OrchestrationContext], Any]] = {
    "tags of an activity": lambda ctx: ctx.call_activity(act, 1, tags={"n": _FIVE}),
    "placement": lambda ctx: ctx.call_activity(act, 1, placement=_FIVE),
    "tags of a child": lambda ctx: ctx.call_sub_orchestrator(child, tags={"n": _FIVE}),
    "tags of a detached one": lambda ctx: ctx.start_new_orchestration("child", tags={"n": _FIVE}),
    "version of a child": lambda ctx: ctx.call_sub_orchestrator(child, version=_FIVE),
    "version of a detached one": lambda ctx: ctx.start_new_orchestration("child", version=_FIVE),
    "version of the next": lambda ctx: ctx.continue_as_new(1, version=_FIVE),
}


@pytest.mark.parametrize("what", CALLS)
def test_an_orchestrator_meets_it_at_the_call(what: str) -> None:
    """Nothing is in history that could not be read."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app(CALLS[what]))
        process.start()
        await process.client.start("main", instance_id="x")
        ended = await process.client.wait_for_completion("x", _SOON)
        assert re.search("is a text, not of type int|no placement 5; there are auto, local, queue", str(ended.output))
        assert not await hub.store.list_quarantined()
        await hub.check("x")

    run_on("sqlite", test)
