"""Wrong use gets one clear error, whole engine: the instance fails, and its failure says what to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError, DuplicateNameError, InvalidInputError, PayloadError
from durable_ext.records.instance import RuntimeStatus

from .hub import Hub, run


async def unserialisable(_: int) -> object:
    return object()


async def calls_nobody(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("nobody", 1)


async def wants_an_object(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity(unserialisable, 1)


async def returns_an_object(ctx: OrchestrationContext) -> object:
    return object()


async def opens_a_socket(ctx: OrchestrationContext) -> Any:
    return await asyncio.open_connection("127.0.0.1", 1)


async def uses_a_thread(ctx: OrchestrationContext) -> Any:
    return await asyncio.to_thread(int)


async def hands_its_context_to_a_thread(ctx: OrchestrationContext) -> str:
    seen: list[BaseException] = []

    def misuse() -> None:
        try:
            ctx.call_activity("anything")
        except Exception as error:  # noqa: BLE001 - the orchestrator reports what the thread met
            seen.append(error)

    thread = threading.Thread(target=misuse)
    thread.start()
    thread.join()
    return f"{type(seen[0]).__name__}: {seen[0]}"


def forgets_yield(ctx: OrchestrationContext) -> Generator[Any, Any, Any]:
    first = ctx.call_activity(unserialisable, 1)
    return (yield ctx.call_activity("anything", first))


def forgets_yield_inside(ctx: OrchestrationContext) -> Generator[Any, Any, Any]:
    yield ctx.create_timer(timedelta(0))
    return {"made": [ctx.call_activity("anything")]}


async def forgets_await(ctx: OrchestrationContext) -> Any:
    return {"made": ctx.call_activity("anything")}


def _registry() -> Registry:
    names = Registry()
    names.add_activity(unserialisable)
    for orchestrator in (calls_nobody, wants_an_object, returns_an_object, opens_a_socket, uses_a_thread):
        names.add_orchestrator(orchestrator)
    for orchestrator in (hands_its_context_to_a_thread, forgets_yield, forgets_yield_inside, forgets_await):
        names.add_orchestrator(orchestrator)
    return names


async def _failure_of(hub: Hub, name: str) -> str:
    """What the failure of an instance of this orchestrator says."""
    process = hub.process(_registry())
    await process.client.start(name, instance_id="it")
    await hub.settle(process)
    row = await hub.row("it")
    assert row.status is RuntimeStatus.FAILED
    assert row.failure is not None
    return row.failure.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("calls_nobody", "no activity is registered under the name 'nobody'; registered: unserialisable"),
        ("wants_an_object", "return plain data, a dataclass, a TypedDict or a msgspec Struct"),
        ("returns_an_object", "return plain data, a dataclass, a TypedDict or a msgspec Struct"),
        ("opens_a_socket", "do it in an activity"),
        ("uses_a_thread", "do it in an activity"),
    ],
)
def test_the_failure_says_what_to_do(name: str, said: str) -> None:
    async def test(hub: Hub) -> None:
        assert said in await _failure_of(hub, name)

    run(test)


def test_a_context_in_a_thread() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(_registry())
        await process.client.start("hands_its_context_to_a_thread", instance_id="it")
        await hub.settle(process)
        said = await hub.output("it")
        assert said.startswith("NotDurableError: ")
        assert "call it from the orchestrator only" in said

    run(test)


def test_a_start_of_an_unknown_orchestrator_and_of_what_is_no_data() -> None:
    async def test(hub: Hub) -> None:
        client = hub.process(_registry()).client
        with pytest.raises(ConfigurationError, match="no orchestrator is registered under the name 'nobody'"):
            await client.start("nobody", instance_id="it")
        with pytest.raises(PayloadError, match="cannot be carried as JSON"):
            await client.start("calls_nobody", object(), instance_id="it")
        assert await client.get("it") is None

    run(test)


async def calls_an_orchestrator(ctx: OrchestrationContext) -> Any:
    return await ctx.call_activity("calls_nobody")


async def has_an_activity_as_child(ctx: OrchestrationContext) -> Any:
    return await ctx.call_sub_orchestrator("unserialisable")


@pytest.mark.parametrize(
    ("parent", "hint"),
    [
        (calls_an_orchestrator, "'calls_nobody' is an orchestrator, which call_sub_orchestrator calls"),
        (has_an_activity_as_child, "'unserialisable' is an activity, which call_activity calls"),
    ],
)
def test_a_call_of_the_wrong_kind_says_the_right_one(parent: Any, hint: str) -> None:
    async def test(hub: Hub) -> None:
        registry = _registry()
        registry.add_orchestrator(parent)
        process = hub.process(registry)
        await process.client.start(parent.__name__, instance_id="it")
        await hub.settle(process)
        row = await hub.row("it")
        assert row.failure is not None
        assert hint in row.failure.message

    run(test)


def test_a_start_says_what_there_is() -> None:
    async def test(hub: Hub) -> None:
        client = hub.process(_registry()).client
        with pytest.raises(ConfigurationError, match=r"registered: .*calls_nobody, .*opens_a_socket"):
            await client.start("nobody", instance_id="it")

    run(test)


@pytest.mark.parametrize("name", ["forgets_yield", "forgets_yield_inside", "forgets_await"])
def test_a_call_that_nobody_waited_for_is_no_value(name: str) -> None:
    async def test(hub: Hub) -> None:
        said = await _failure_of(hub, name)
        assert "is a call that nobody waited for" in said
        assert "put yield in front of the call, or await in async code" in said

    run(test)


def test_a_signal_to_an_unknown_entity() -> None:
    def counter(context: EntityContext) -> None:
        context.set_state(1)

    async def test(hub: Hub) -> None:
        registry = _registry()
        registry.add_entity(counter)
        process = hub.process(registry)
        with pytest.raises(ConfigurationError, match=r"no entity is registered under the name 'conter'.*: counter"):
            await process.client.signal_entity("@Conter@a", "add", 1)
        await process.client.signal_entity("@Counter@a", "add", 1)
        await hub.settle(process)
        assert (await hub.row("@counter@a")).status is RuntimeStatus.RUNNING

    run(test)


@pytest.mark.parametrize("verb", ["get", "terminate", "purge", "executions", "wait_for_completion"])
def test_an_id_that_is_no_text(verb: str) -> None:
    async def test(hub: Hub) -> None:
        client = hub.process(_registry()).client
        forgotten = client.start("calls_nobody")
        more = (timedelta(seconds=1),) if verb.startswith("wait") else ()
        with pytest.raises(InvalidInputError, match="not of type coroutine; starting an instance is awaited"):
            await getattr(client, verb)(forgotten, *more)
        forgotten.close()

    run(test)


def test_two_functions_of_one_name() -> None:
    names = _registry()
    with pytest.raises(DuplicateNameError, match="give one of them another name"):
        names.add_activity(calls_nobody, name="unserialisable")


@pytest.mark.parametrize("message_id", ["", " ", "x" * 257, "a\nb"])
def test_an_idempotency_key_that_is_no_key(message_id: str) -> None:
    """One that no row could hold would block its instance for ever."""

    async def test(hub: Hub) -> None:
        client = hub.process(_registry()).client
        await client.start("calls_nobody", instance_id="it")
        with pytest.raises(InvalidInputError, match="message id"):
            await client.raise_event("it", "go", message_id=message_id)
        assert len(await hub.take()) == 1

    run(test)
