"""Small entities, and orchestrations that between them use every verb for entities; each ends with a known output."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from durable_ext.authoring.context import GeneratorContext, OrchestrationContext
from durable_ext.authoring.entities import DurableEntity
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import TaskFailedError
from durable_ext.records.entity_id import EntityId

COUNTER = EntityId("counter", "one")


def counter(context: EntityContext) -> None:
    """A function, as azure-functions-durable has them."""
    count = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            count += context.get_input()
        case "reset":
            count = 0
        case "fail":
            context.set_state(-1)
            context.signal_entity(EntityId("ledger", "all"), "note", "never")
            raise ValueError("no such luck")
        case _:
            pass
    context.set_state(count)
    context.set_result(count)


@dataclass
class Account:
    """An object that is its own state."""

    balance: int = 0

    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    async def withdraw(self, amount: int) -> int:
        await asyncio.sleep(0)
        if amount > self.balance:
            raise ValueError(f"only {self.balance} left")
        self.balance -= amount
        return self.balance

    def read(self) -> int:
        return self.balance


class Ledger(DurableEntity):
    """A class with a context, which tells others."""

    def note(self, text: str) -> None:
        self.set_state([*self.get_state(list[str], []), text])

    def notes(self) -> list[str]:
        return self.get_state(list[str], [])

    def pass_on(self, text: str) -> None:
        self.note(text)
        self.signal_entity(EntityId("ledger", "all"), "note", text)
        self.schedule_new_orchestration("told", text, instance_id=f"told-{text}")

    def later(self, text: str) -> None:
        self.signal_entity(self.entity_id, "note", text, signal_time=self.context.now + timedelta(minutes=20))


@dataclass
class Hoard:
    """Grows until an execution of it is long enough."""

    items: list[str] = field(default_factory=list[str])

    def add(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)


async def calls(ctx: OrchestrationContext, times: int) -> int:
    for _ in range(times):
        await ctx.call_entity(COUNTER, "add", 2)
    return int(await ctx.call_entity(COUNTER, "get"))


def generator_calls(context: GeneratorContext) -> Generator[Any, Any, int]:
    context.signal_entity(COUNTER, "add", 5)
    yield context.call_entity(COUNTER, "add", 2)
    return (yield context.call_entity(COUNTER, "get"))


async def signals(ctx: OrchestrationContext, times: int) -> int:
    """Each is taken once, all before the call that comes after them."""
    for _ in range(times):
        ctx.signal_entity(COUNTER, "add", 1)
        await ctx.call_activity(nothing)
    return int(await ctx.call_entity(COUNTER, "get"))


async def in_order(ctx: OrchestrationContext, times: int) -> list[str]:
    ledger = EntityId("ledger", "it")
    for number in range(times):
        ctx.signal_entity(ledger, "note", str(number))
    return await ctx.call_entity(ledger, Ledger.notes)


async def transfer(ctx: OrchestrationContext, amount: int) -> list[int]:
    one, other = EntityId("account", "a"), EntityId("account", "b")
    async with ctx.lock_entities([other, one]):
        if await ctx.call_entity(one, Account.read) < amount:
            await ctx.call_entity(one, Account.deposit, amount)
        await ctx.call_entity(one, Account.withdraw, amount)
        await ctx.call_entity(other, Account.deposit, amount)
    return [await ctx.call_entity(one, Account.read), await ctx.call_entity(other, Account.read)]


async def transfers(ctx: OrchestrationContext, count: int) -> int:
    """Children that want the same two entities, each named in another order."""
    await asyncio.gather(*[ctx.call_sub_orchestrator(transfer, 3) for _ in range(count)])
    return await ctx.call_entity(EntityId("account", "b"), Account.read)


async def impatient_lock(ctx: OrchestrationContext, holder: str) -> int:
    """Gives up waiting for a lock that another holds; the entity is free afterwards."""
    child = ctx.call_sub_orchestrator(holding, 120, instance_id=holder)
    await ctx.wait_for_external_event("locked")
    try:
        async with asyncio.timeout(10), ctx.lock_entities([COUNTER]):
            return -1
    except TimeoutError:
        pass
    await child
    return int(await ctx.call_entity(COUNTER, "get"))


async def holding(ctx: OrchestrationContext, seconds: int) -> None:
    lock = await ctx.lock_entities([COUNTER, EntityId("ledger", "it")])
    assert lock.entities
    if ctx.parent_instance_id is not None:
        ctx.send_event(ctx.parent_instance_id, "locked")
    await asyncio.sleep(seconds)
    await ctx.call_entity(COUNTER, "add", 7)


async def failing(ctx: OrchestrationContext) -> list[Any]:
    await ctx.call_entity(COUNTER, "add", 3)
    try:
        await ctx.call_entity(COUNTER, "fail")
    except TaskFailedError as error:
        text = error.failure.message
    else:
        text = "it did not fail"
    notes = await ctx.call_entity(EntityId("ledger", "all"), Ledger.notes)
    return [text, await ctx.call_entity(COUNTER, "get"), notes]


async def telling(ctx: OrchestrationContext) -> list[Any]:
    """An entity that signals another and starts an orchestration."""
    await ctx.call_entity(EntityId("ledger", "it"), Ledger.pass_on, "hello")
    told = await ctx.wait_for_external_event("told")
    ledger = EntityId("ledger", "all")
    while not (notes := await ctx.call_entity(ledger, Ledger.notes)):  # noqa: ASYNC110 - others tell it
        await asyncio.sleep(5)
    return [told, notes]


async def telling_behind_a_call(ctx: OrchestrationContext) -> list[list[str]]:
    """An entity at rest in memory answers a call, and is signalled before its session rests again."""
    ledger = EntityId("ledger", "it")
    await ctx.call_entity(ledger, Ledger.note, "first")
    await asyncio.sleep(120)
    await ctx.call_entity(ledger, Ledger.note, "second")
    ctx.signal_entity(ledger, Ledger.pass_on, "third")
    await asyncio.sleep(300)
    return [await ctx.call_entity(one, Ledger.notes) for one in (ledger, EntityId("ledger", "all"))]


async def told(ctx: OrchestrationContext, text: str) -> None:
    ctx.send_event("it", "told", text)


async def later(ctx: OrchestrationContext) -> list[Any]:
    """Signals for later, one by the orchestration and one by the entity itself."""
    ledger = EntityId("ledger", "it")
    ctx.signal_entity(ledger, "note", "at ten", signal_time=ctx.now + timedelta(minutes=10))
    await ctx.call_entity(ledger, Ledger.later, "at twenty")
    before = await ctx.call_entity(ledger, Ledger.notes)
    await asyncio.sleep(timedelta(minutes=29).total_seconds())
    return [before, await ctx.call_entity(ledger, Ledger.notes)]


async def hoarding(ctx: OrchestrationContext, size: int) -> int:
    """Several executions of the entity."""
    hoard, count = EntityId("hoard", "it"), 0
    for _ in range(12):
        count = await ctx.call_entity(hoard, Hoard.add, "x" * size)
    return count


async def dropping(ctx: OrchestrationContext) -> list[Any]:
    await ctx.call_entity(COUNTER, "add", 3)
    await ctx.call_entity(EntityId("account", "gone"), Account.deposit, 3)
    await ctx.call_entity(EntityId("account", "gone"), "delete")
    return [await ctx.call_entity(EntityId("account", "gone"), Account.read)]


async def nothing() -> None:
    return None


def registry() -> Registry:
    found = Registry()
    for entity in (counter, Account, Ledger, Hoard):
        found.add_entity(entity)
    found.add_activity(nothing)
    for orchestrator in (
        calls, generator_calls, signals, in_order, transfer, transfers, impatient_lock, holding, failing, telling, told,
        telling_behind_a_call,
        later, hoarding, dropping,
    ):  # fmt: skip
        found.add_orchestrator(orchestrator)
    return found
