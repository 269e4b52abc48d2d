"""A first event beside everything else that a start can be: for later, refused, a reuse, encrypted, large, rewound,
restarted (P9). That it is part of the start and comes before what overtook it is in test_starts.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.encryption import EncryptedConverter
from durable_ext.authoring.registry import Registry
from durable_ext.errors import InstanceExistsError, InvalidInputError, PayloadError
from durable_ext.records.events import EventRaised
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import Client, StartOptions

from .ciphers import Mirrored
from .two_stores import AnyHub, on_both, run_on

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


class Broken:
    """Whether the activity fails."""

    def __init__(self) -> None:
        self.now = True


def app(broken: Broken | None = None, converter: Any = None) -> Registry:
    registry = Registry(converter)

    async def fragile(value: Any) -> Any:
        if broken is not None and broken.now:
            raise ValueError("broken")
        return value

    async def two(ctx: OrchestrationContext) -> list[Any]:
        first = await ctx.wait_for_external_event("go")
        second = await ctx.wait_for_external_event("go", timeout=_MINUTE, default="none")
        return [await ctx.call_activity(fragile, first), second]

    registry.add_activity(fragile)
    registry.add_orchestrator(two)
    return registry


def going(value: Any, **more: Any) -> StartOptions:
    return StartOptions(first_event=("go", value), **more)


async def output_of(client: Client, instance_id: str = "x") -> Any:
    status = await client.wait_for_completion(instance_id, _HOUR * 3)
    assert status.runtime_status is RuntimeStatus.COMPLETED, status.failure
    return status.output


@on_both
def test_with_a_start_for_later(store: str) -> None:
    """It comes at that time, before an event that was raised long before."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("two", instance_id="x", options=going(1, start_at=hub.clock() + _HOUR))
        await client.raise_event("x", "go", "early")
        await hub.clock.sleep(60)
        assert await hub.status("x") is RuntimeStatus.PENDING
        assert await output_of(client) == [1, "early"]
        assert hub.clock() - (await hub.row("x")).created_at >= _HOUR

    run_on(store, test)


@on_both
def test_a_start_that_is_refused_raises_nothing(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("two", instance_id="x", options=going(1))
        await client.wait_for_start("x", _MINUTE)
        with pytest.raises(InstanceExistsError):
            await client.start("two", instance_id="x", options=going(2))
        assert await output_of(client) == [1, "none"]
        never = going(3, replace=frozenset[RuntimeStatus]())
        with pytest.raises(InstanceExistsError):
            await client.start("two", instance_id="x", options=never)
        assert await output_of(client) == [1, "none"]

    run_on(store, test)


@on_both
def test_a_start_under_a_used_id_has_its_own(store: str) -> None:
    """Of one that has ended, and of one that is still Pending and is replaced: then its event goes with it."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        for number in range(2):
            await client.start("two", instance_id="x", options=going(number))
            assert await output_of(client) == [number, "none"]
        await client.start("two", instance_id="x", options=going("old", start_at=hub.clock() + _HOUR))
        pending = frozenset({RuntimeStatus.PENDING})
        await client.start("two", instance_id="x", options=going("new", replace=pending))
        assert await output_of(client) == ["new", "none"]
        await hub.clock.sleep(_HOUR.total_seconds() * 2)
        assert await output_of(client) == ["new", "none"]

    run_on(store, test)


@on_both
@pytest.mark.parametrize("value", ["short", "x" * 100_000])
def test_its_data_is_stored_encrypted(store: str, value: str) -> None:
    """In the row while it is Pending, and in history."""
    secret = f"Ada {value}"

    async def test(hub: AnyHub) -> None:
        process = hub.process(app(converter=EncryptedConverter(Mirrored())))
        await process.client.start("two", instance_id="x", options=going(secret))
        waiting = (await hub.row("x")).first_event
        assert waiting is not None
        process.start()
        assert await output_of(process.client) == [secret, "none"]
        assert (await hub.row("x")).first_event is None
        events = [event for turn in await process.client.history("x") for event in turn.events]
        kept = [event.input for event in events if isinstance(event, EventRaised)]
        assert len(kept) == 1
        for payload in (waiting.input, *kept):
            stored = payload.data if payload.inline else await hub.store.get_payload(payload)
            assert b"$encrypted" in stored
            assert b"Ada" not in stored

    run_on(store, test)


@on_both
def test_a_rewind_keeps_it_and_does_not_repeat_it(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        broken = Broken()
        process = hub.process(app(broken))
        process.start()
        client = process.client
        await client.start("two", instance_id="x", options=going("first"))
        failed = await client.wait_for_completion("x", _HOUR)
        assert failed.runtime_status is RuntimeStatus.FAILED
        broken.now = False
        await client.rewind("x")
        assert await output_of(client) == ["first", "none"]
        await hub.clock.sleep(60)
        await hub.check("x")

    run_on(store, test)


@on_both
@pytest.mark.parametrize("new_id", [True, False])
def test_a_restart_starts_without_it(store: str, new_id: bool) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        process.start()
        client = process.client
        await client.start("two", instance_id="x", options=going("first"))
        assert await output_of(client) == ["first", "none"]
        again = await client.restart("x", new_instance_id=new_id)
        await client.raise_event(again, "go", "by hand")
        assert await output_of(client, again) == ["by hand", "none"]

    run_on(store, test)


@pytest.mark.parametrize(
    ("event", "error"),
    [(("", 1), InvalidInputError), (("x" * 300, 1), InvalidInputError), (("go", object()), PayloadError)],
)
def test_one_that_cannot_be_starts_nothing(event: Any, error: type[Exception]) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app())
        with pytest.raises(error):
            await process.client.start("two", instance_id="x", options=StartOptions(first_event=event))
        assert await process.client.get("x") is None

    run_on("sqlite", test)
