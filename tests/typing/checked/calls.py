"""What a type checker knows of an orchestrator's calls (R5). Checked, never run.

A line that must be an error has a `pyright: ignore` with the rule; pyright reports an ignore that is not needed, so
every line here is either right or wrong in just the way it says.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durable_ext import ActivityContext, DurableApp, OrchestrationContext, Registry, RetryPolicy


@dataclass
class Order:
    sku: str


@dataclass
class Receipt:
    number: int


async def reserve(order: Order) -> Receipt:
    return Receipt(len(order.sku))


def reserve_in_a_thread(order: Order) -> Receipt:
    return Receipt(len(order.sku))


async def reserve_with_context(ctx: ActivityContext, order: Order) -> Receipt:
    return Receipt(ctx.attempt)


def reserve_with_context_in_a_thread(ctx: ActivityContext, order: Order) -> Receipt:
    return Receipt(ctx.attempt)


async def ping() -> int:
    return 1


def ping_in_a_thread() -> int:
    return 1


async def forget(order: Order) -> None: ...


async def find(sku: str) -> Order | None:
    return Order(sku)


async def child(ctx: OrchestrationContext, order: Order) -> Receipt:
    return await ctx.call_activity(reserve, order)


async def child_without_input(ctx: OrchestrationContext) -> Receipt:
    return Receipt(1)


def old_child(ctx: OrchestrationContext, order: Order) -> Generator[Any, Any, Receipt]:
    yield ctx.call_activity(reserve, order)
    return Receipt(1)


def old_child_without_input(ctx: OrchestrationContext) -> Generator[Any, Any, str]:
    yield ctx.create_timer(timedelta(seconds=1))
    return ""


async def of_anything(context: Any) -> str:
    return ""


def unannotated(context):  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]
    yield context.call_activity("a")  # pyright: ignore[reportUnknownMemberType]
    return str(5)


POLICY = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=3)


async def activities(ctx: OrchestrationContext, order: Order) -> None:
    assert_type(await ctx.call_activity(reserve, order), Receipt)
    assert_type(await ctx.call_activity(reserve_in_a_thread, order), Receipt)
    assert_type(await ctx.call_activity(reserve_with_context, order), Receipt)
    assert_type(await ctx.call_activity(reserve_with_context_in_a_thread, order), Receipt)
    assert_type(await ctx.call_activity(ping), int)
    assert_type(await ctx.call_activity(ping_in_a_thread), int)
    assert_type(await ctx.call_activity(forget, order), None)
    assert_type(await ctx.call_activity(find, "a"), Order | None)
    assert_type(await ctx.call_activity(reserve, order, retry=POLICY, placement="queue", tags={"a": "b"}), Receipt)


async def names(ctx: OrchestrationContext, order: Order) -> None:
    assert_type(await ctx.call_activity("reserve", order), Any)
    assert_type(await ctx.call_activity("ping"), Any)
    assert_type(await ctx.call_sub_orchestrator("child", order), Any)
    assert_type(await ctx.call_activity_with_retry("reserve", POLICY, order), Any)


async def children(ctx: OrchestrationContext, order: Order) -> None:
    assert_type(await ctx.call_sub_orchestrator(child, order), Receipt)
    assert_type(await ctx.call_sub_orchestrator(child, order, instance_id="c1", version="2"), Receipt)
    assert_type(await ctx.call_sub_orchestrator(child_without_input), Receipt)
    assert_type(await ctx.call_sub_orchestrator(old_child, order), Receipt)
    assert_type(await ctx.call_sub_orchestrator(old_child_without_input), str)
    assert_type(await ctx.call_sub_orchestrator(of_anything, order), str)
    assert_type(await ctx.call_sub_orchestrator(unannotated, order), str)  # pyright: ignore[reportUnknownArgumentType]


async def together(ctx: OrchestrationContext, order: Order) -> None:
    receipt, number = await asyncio.gather(ctx.call_activity(reserve, order), ctx.call_activity(ping))
    assert_type(receipt, Receipt)
    assert_type(number, int)
    many = await asyncio.gather(*[ctx.call_activity(reserve, order) for _ in range(3)])
    assert_type(many, list[Receipt])
    assert_type(await asyncio.wait_for(ctx.call_activity(reserve, order), 5), Receipt)
    async with asyncio.timeout(5):
        assert_type(await ctx.create_timer(timedelta(seconds=1)), None)
    assert_type(await ctx.wait_for_external_event("approval"), Any)


async def composites(ctx: OrchestrationContext, order: Order) -> None:
    reserving, pinging = ctx.call_activity(reserve, order), ctx.call_activity(ping)
    assert_type(await ctx.task_all([reserving, reserving]), list[Receipt])
    assert_type(await ctx.task_all([reserving, pinging]), list[Receipt | int])
    winner = await ctx.task_any([reserving, reserving])
    assert_type(winner, asyncio.Future[Receipt])
    assert_type(winner.result(), Receipt)
    await ctx.task_any([5])  # pyright: ignore[reportArgumentType]


def generator(ctx: OrchestrationContext, order: Order) -> Generator[Any, Any, int]:
    found = yield ctx.task_all([ctx.call_activity(reserve, order), ctx.call_activity("ping")])
    assert_type(found, Any)
    winner = yield ctx.task_any([ctx.create_timer(timedelta(seconds=1)), ctx.wait_for_external_event("go")])
    assert_type(winner, Any)
    return 1


def terms(registry: Registry, app: DurableApp) -> None:
    minute = timedelta(minutes=1)
    registry.add_activity(reserve, at_most_once=True, after_fault=reserve_with_context_in_a_thread, time_limit=minute)
    registry.add_activity(ping, "pong", after_fault=None, time_limit=None)
    assert_type(app.activity(at_most_once=True, after_fault=ping)(ping).__name__, str)
    app.activity(time_limit=minute)(reserve)
    app.activity("other", time_limit=minute)(reserve)
    app.activity_trigger("order", "third", time_limit=minute)(reserve)
    registry.add_activity(reserve, time_limit=60)  # pyright: ignore[reportArgumentType]
    registry.add_activity(reserve, at_most=1)  # pyright: ignore[reportCallIssue]
    app.activity(at_most_once=True, after_fault="ping")  # pyright: ignore[reportArgumentType]
    app.activity_trigger("order", time_limit=60)  # pyright: ignore[reportArgumentType]


async def mistakes(ctx: OrchestrationContext, order: Order) -> str:
    ctx.call_activity(reserve, "sku")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(reserve)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(reserve_with_context, 5)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(reserve_in_a_thread, None)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(ping, order)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(5, order)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(reserve, order, placement="here")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_activity(reserve, order, retries=3)  # pyright: ignore[reportCallIssue]
    ctx.call_sub_orchestrator(child, "sku")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_sub_orchestrator(child)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_sub_orchestrator(reserve, order)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_sub_orchestrator(old_child, "sku")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_sub_orchestrator(old_child)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.create_timer(5)  # pyright: ignore[reportArgumentType]
    receipt: str = await ctx.call_activity(reserve, order)  # pyright: ignore[reportAssignmentType]
    number: int = await ctx.call_sub_orchestrator(child, order)  # pyright: ignore[reportAssignmentType]
    return receipt * number
