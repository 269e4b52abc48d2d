"""What a type checker knows of decorated functions, of activities and payloads (R5). Checked, never run.

As in calls.py, a line that must be an error says so, and pyright reports an ignore that is not needed.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durable_ext import (
    ActivityContext,
    ActivityProgress,
    Client,
    DurableApp,
    DurableBlueprint,
    EncryptedConverter,
    InstanceFilter,
    InstanceStatus,
    JsonConverter,
    OrchestrationContext,
    Registry,
    RuntimeStatus,
    StatusPage,
    TaskFailedError,
)
from durable_ext.functions import BlockingClient


@dataclass
class Order:
    sku: str


@dataclass
class Receipt:
    number: int


app = DurableApp(converter=JsonConverter(), properties_of=lambda error: {"text": str(error)})
blueprint = DurableBlueprint(converter=JsonConverter(marked=[Order]))
registry = Registry()


@app.activity
async def bare(order: Order) -> Receipt:
    return Receipt(1)


@app.activity(max_concurrent=3, run_in="process", time_limit=timedelta(minutes=1))
def with_terms(ctx: ActivityContext, order: Order) -> Receipt:
    return Receipt(ctx.attempt)


@app.activity_trigger(input_name="order")
def triggered(order: Order) -> Receipt:
    return Receipt(1)


@app.activity_trigger(input_name="order", activity="other", at_most_once=True, after_fault=bare, run_in="thread")
async def triggered_with_terms(order: Order) -> list[Receipt]:
    return [Receipt(1)]


@blueprint.activity("in_a_blueprint")
def in_a_blueprint(order: Order) -> dict[str, Receipt] | None:
    return None


@app.orchestrator
async def child(ctx: OrchestrationContext, order: Order) -> Receipt:
    return await ctx.call_activity(bare, order)


@app.orchestration_trigger(context_name="context", orchestration="old", input_type=Order)
def old_child(context: OrchestrationContext) -> Generator[Any, Any, Receipt]:
    yield context.call_activity("bare", Order("a"))
    return Receipt(1)


@blueprint.orchestrator(name="more")
async def more(ctx: OrchestrationContext) -> int:
    return 1


@registry.add_error
class StockError(Exception):
    left: int = 0


async def calls(ctx: OrchestrationContext, order: Order) -> None:
    assert_type(await ctx.call_activity(bare, order), Receipt)
    assert_type(await ctx.call_activity(with_terms, order), Receipt)
    assert_type(await ctx.call_activity(triggered, order), Receipt)
    assert_type(await ctx.call_activity(triggered_with_terms, order), list[Receipt])
    assert_type(await ctx.call_activity(in_a_blueprint, order, placement="queue"), dict[str, Receipt] | None)
    assert_type(await ctx.call_sub_orchestrator(child, order), Receipt)
    assert_type(await ctx.call_sub_orchestrator(old_child), Receipt)
    assert_type(await ctx.call_sub_orchestrator(more), int)
    one, several = await asyncio.gather(
        ctx.call_activity(triggered, order), ctx.call_activity(triggered_with_terms, order)
    )
    assert_type(one, Receipt)
    assert_type(several, list[Receipt])


async def failures(ctx: OrchestrationContext, order: Order) -> int:
    try:
        await ctx.call_activity(bare, order)
    except StockError as error:
        assert_type(error.left, int)
        if isinstance(error, TaskFailedError):
            assert_type(error.failure.properties, dict[str, Any])
            assert_type(error.failure.is_caused_by(StockError), bool)
        return error.left
    return 0


def contexts(ctx: ActivityContext) -> None:
    assert_type(ctx.name, str)
    ctx.logger.info("%s of %d", "one", 2, extra={"order": 1}, stacklevel=2)
    ctx.logger.shout("a line")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    assert_type(ctx.heartbeat({"done": 1}), bool)
    assert_type(ctx.last_progress, Any)


async def clients(client: Client) -> None:
    found = await client.activity_progress("a")
    assert_type(found, Sequence[ActivityProgress])
    assert_type(found[0].progress, Any)
    status = await client.get("a", with_progress=True)
    assert_type(status, InstanceStatus | None)
    assert_type([one async for one in client.list()], list[InstanceStatus])
    assert_type([page async for page in client.pages(size=3)], list[StatusPage])
    assert_type([one async for one in client.changes("a")], list[InstanceStatus])
    assert_type(await client.wait_for_event("a", "go", timedelta(seconds=1), int), Any)
    assert_type(await client.wait_for_completion("a", timedelta(seconds=1)), InstanceStatus)
    assert_type(await client.terminate("a", "why", output={"n": 1}), None)
    assert_type(await client.purge_matching(InstanceFilter(), recursive=True), int)
    await client.terminate("a", recursive="no")  # pyright: ignore[reportArgumentType]
    await client.wait_for_event("a", "go")  # pyright: ignore[reportCallIssue]


def blocking(client: BlockingClient) -> None:
    assert_type(client.start("child", Order("a"), instance_id="a"), str)
    assert_type(client.get("a", with_input=False), InstanceStatus | None)
    assert_type(client.list(), Iterator[InstanceStatus])
    assert_type(client.pages(size=3), Iterator[StatusPage])
    assert_type(client.changes("a"), Iterator[InstanceStatus])
    assert_type(client.count(), Mapping[RuntimeStatus, int])
    assert_type(client.wait_for_completion("a", timedelta(seconds=1)).output, Any)
    assert_type(client.raise_event("a", event_name="go", event_data=1), None)
    assert_type(client.create_http_management_payload("a"), dict[str, str])
    client.start(5)  # pyright: ignore[reportArgumentType]
    client.wait_for_completion("a")  # pyright: ignore[reportCallIssue]
    client.list(5)  # pyright: ignore[reportArgumentType]
    client.begin("child")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


class Cipher:
    def encrypt(self, data: bytes) -> tuple[str, bytes]:
        return "key", data

    def decrypt(self, key_id: str, data: bytes) -> bytes:
        return data


def converters() -> None:
    DurableApp(converter=EncryptedConverter(Cipher()))
    Registry(EncryptedConverter(Cipher(), JsonConverter(), failures=False))


def kept() -> None:
    """A decorator hands back the function itself."""
    direct: Callable[[Order], Awaitable[Receipt]] = bare
    plain: Callable[[Order], Receipt] = triggered
    assert_type(plain(Order("a")), Receipt)
    assert_type(with_terms(ActivityContext("i", "e", 1), Order("a")), Receipt)
    assert direct is bare


async def mistakes(ctx: OrchestrationContext, order: Order) -> None:
    ctx.call_activity(bare, "sku")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(triggered, 5)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(triggered)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(with_terms, None)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_sub_orchestrator(child, "sku")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(triggered, order, run_in="process")  # pyright: ignore[reportCallIssue]
    text: str = await ctx.call_activity(triggered, order)  # pyright: ignore[reportAssignmentType]
    app.activity(run_in="fork")  # pyright: ignore[reportArgumentType]
    app.activity(max_concurrent="3")  # pyright: ignore[reportArgumentType]
    app.activity_trigger("order", max_concurrent=1.5)  # pyright: ignore[reportArgumentType]
    registry.add_error(5)  # pyright: ignore[reportArgumentType]
    registry.add_error(KeyboardInterrupt)  # pyright: ignore[reportArgumentType]
    DurableApp(converter=object())  # pyright: ignore[reportArgumentType]
    EncryptedConverter(JsonConverter())  # pyright: ignore[reportArgumentType]
    assert text
