"""Terminating with an output: what people see of the instance afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.encryption import EncryptedConverter
from durable_ext.authoring.registry import Registry
from durable_ext.errors import PayloadError, TaskFailedError
from durable_ext.records.events import ExecutionTerminated
from durable_ext.records.instance import RuntimeStatus

from .ciphers import Mirrored
from .two_stores import AnyHub, on_both, run_on

_MINUTE = timedelta(minutes=1)
_LONG = {"text": "x" * 100_000}


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def mother(ctx: OrchestrationContext) -> str:
    try:
        return await ctx.call_sub_orchestrator(listen, instance_id="child")
    except TaskFailedError as error:
        return error.failure.message


async def renewing(ctx: OrchestrationContext, round_: int) -> None:
    await ctx.wait_for_external_event("renew")
    ctx.continue_as_new(round_ + 1)


def app(converter: Any = None) -> Registry:
    registry = Registry(converter)
    for orchestrator in (listen, mother, renewing):
        registry.add_orchestrator(orchestrator)
    return registry


@on_both
@pytest.mark.parametrize("output", [0, "", [1, 2], _LONG])
def test_the_output_is_what_the_status_shows(store: str, output: Any) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("listen", instance_id="x")
        await client.wait_for_start("x", _MINUTE)
        await client.terminate("x", "enough", output=output)
        status = await client.wait_for_completion("x", _MINUTE)
        assert (status.runtime_status, status.output) == (RuntimeStatus.TERMINATED, output)
        await hub.clock.sleep(60)
        await hub.check("x")
        ended = (await client.history("x"))[-1].events[-1]
        assert isinstance(ended, ExecutionTerminated)
        assert ended.reason == "enough"

    run_on(store, test)


@on_both
def test_without_one_it_is_the_reason_and_children_have_the_reason_only(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("mother", instance_id="x")
        await client.start("listen", instance_id="y")
        await hub.clock.sleep(1)
        await client.wait_for_start("child", _MINUTE)
        await client.terminate("x", "enough", output=_LONG)
        await client.terminate("y", "enough")
        assert [(await client.wait_for_completion(one, _MINUTE)).output for one in ("x", "y", "child")] == [
            _LONG,
            "enough",
            "enough",
        ]

    run_on(store, test)


@on_both
def test_the_parent_hears_the_reason(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("mother", instance_id="x")
        await hub.clock.sleep(1)
        await client.wait_for_start("child", _MINUTE)
        await client.terminate("child", "enough", output="nothing done")
        assert "enough" in (await client.wait_for_completion("x", _MINUTE)).output

    run_on(store, test)


@on_both
def test_one_that_comes_with_continue_as_new_keeps_its_output(store: str) -> None:
    """It ends the next execution, and names a payload of its own (P1)."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        await process.client.start("renewing", 0, instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "renew")
        await process.client.terminate("x", "enough", output=_LONG)
        await hub.settle(process)
        status = await process.client.get("x")
        assert status is not None
        assert (status.runtime_status, status.output) == (RuntimeStatus.TERMINATED, _LONG)

    run_on(store, test)


@on_both
def test_it_is_stored_encrypted(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app(EncryptedConverter(Mirrored())))
        process.start()
        client = process.client
        await client.start("listen", instance_id="x")
        await client.wait_for_start("x", _MINUTE)
        await client.terminate("x", output={"name": "Ada"})
        assert (await client.wait_for_completion("x", _MINUTE)).output == {"name": "Ada"}
        ended = (await client.history("x"))[-1].events[-1]
        assert isinstance(ended, ExecutionTerminated)
        for stored in ((await hub.row("x")).output, ended.output):
            assert stored is not None
            assert b"$encrypted" in stored.data
            assert b"Ada" not in stored.data

    run_on(store, test)


def test_an_output_that_is_no_data() -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        await process.client.start("listen", instance_id="x")
        with pytest.raises(PayloadError):
            await process.client.terminate("x", output=object())
        await hub.settle(process)
        assert await hub.status("x") is RuntimeStatus.RUNNING

    run_on("sqlite", test)
