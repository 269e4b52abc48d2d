"""What a type checker knows of calls of entities (R5). Checked, never run; see calls.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, assert_type

from durable_ext import EntityContext, EntityId, OrchestrationContext


@dataclass
class Amount:
    cents: int


class Account:
    def deposit(self, amount: Amount) -> int:
        return amount.cents

    def read(self) -> Amount:
        return Amount(0)

    def with_context(self, context: EntityContext, amount: Amount) -> str:
        return context.entity_key

    async def later(self, amount: Amount) -> bool:
        return amount.cents > 0

    async def looked_up(self) -> Amount | None:
        return None

    def forget(self) -> None: ...


ONE = EntityId("account", "one")


async def by_method(ctx: OrchestrationContext) -> None:
    amount = Amount(1)
    assert_type(await ctx.call_entity(ONE, Account.deposit, amount), int)
    assert_type(await ctx.call_entity(ONE, Account.read), Amount)
    assert_type(await ctx.call_entity(ONE, Account.with_context, amount), str)
    assert_type(await ctx.call_entity(ONE, Account.later, amount), bool)
    assert_type(await ctx.call_entity(ONE, Account.looked_up), Amount | None)
    assert_type(await ctx.call_entity(ONE, Account.forget), None)
    assert_type(
        await asyncio.gather(ctx.call_entity(ONE, Account.read), ctx.call_entity("@a@b", "get")), tuple[Amount, Any]
    )


async def by_name(ctx: OrchestrationContext) -> None:
    assert_type(await ctx.call_entity(ONE, "deposit", 5), Any)
    assert_type(await ctx.call_entity("@account@one", "read"), Any)


async def mistakes(ctx: OrchestrationContext) -> str:
    ctx.call_entity(ONE, Account.deposit, "a lot")  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_entity(ONE, Account.deposit)  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_entity(ONE, Account.read, Amount(1))  # pyright: ignore[reportArgumentType, reportCallIssue]
    ctx.call_entity(5, Account.read)  # pyright: ignore[reportArgumentType, reportCallIssue]
    total: str = await ctx.call_entity(ONE, Account.deposit, Amount(1))  # pyright: ignore[reportAssignmentType]
    return total
