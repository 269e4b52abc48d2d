"""What an entity, an orchestration and a client may do with entities, verb by verb, through the whole engine."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import (
    DurableEntity,
    EntityContext,
    EntityId,
    InvalidInputError,
    OrchestrationContext,
    Registry,
    RuntimeStatus,
    TaskFailedError,
)
from durable_ext.testing import Harness

COUNTER = EntityId("Counter", "a")
BOX = EntityId("Box", "b")
registry = Registry()


@dataclass
class Total:
    amount: int


@dataclass
class Box:
    """A class that is its own state; its public methods are its operations."""

    items: list[str] = field(default_factory=list[str])

    def put(self, item: str) -> Total:
        self.items.append(item)
        if item == "bomb":
            raise ValueError("not that")
        return Total(len(self.items))

    def content(self) -> list[str]:
        return self.items


class Messenger(DurableEntity):
    """A class with a context, which tells others."""

    def spread(self, amount: int) -> str:
        self.signal_entity(COUNTER, "add", amount)
        return self.schedule_new_orchestration("greet", amount, instance_id="greeted")


def counter(context: EntityContext) -> None:
    """As people write it for azure-functions-durable 1.7."""
    value = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            value += context.get_input(int)
        case "fail":
            context.set_state(-1)
            context.signal_entity(BOX, "put", "leftover")
            raise ValueError("no")
        case "leave":
            context.destruct_on_exit()
            return
        case "silent":
            return
        case "delete_it":
            context.delete_state()
            return
        case "peek":
            context.set_result(value)
            return
        case "peek_and_size":
            context.set_result([value, context.batch_size])
            return
        case "tell":
            context.set_result(_told(context))
            return
        case other:
            raise AssertionError(other)
    context.set_state(value)
    context.set_result(value)


def _told(context: EntityContext) -> list[Any]:
    return [
        *(context.entity_name, context.entity_key, context.operation, context.has_state),
        *(context.is_newly_constructed, context.has_input, context.get_input()),
    ]


def keeper(context: EntityContext) -> None:
    """Without roll-back, as in azure-functions-durable 1.x."""
    context.set_state(context.get_state(lambda: 0) + 1)
    if context.operation == "fail":
        raise ValueError("no")
    context.set_result(context.get_state())


def batched(context: EntityContext) -> None:
    """Changes its state where it is: what `get_state` returns is the state itself."""
    if not context.has_state:
        context.set_state([])
    context.get_state().append([context.batch_position, context.batch_size])


def hear(context: EntityContext) -> None:
    context.set_state([context.get_input()])


async def greet(ctx: OrchestrationContext, amount: int) -> int:
    return amount


async def ask(ctx: OrchestrationContext, asked: list[Any]) -> Any:
    name, operation, given = asked
    return await ctx.call_entity(EntityId(name, "a"), operation, given)


async def put_typed(ctx: OrchestrationContext, item: str) -> int:
    total = await ctx.call_entity(BOX, Box.put, item)
    return total.amount


def asking(ctx: OrchestrationContext) -> Generator[Any, Any, list[Any]]:
    added = yield ctx.call_entity(COUNTER, "add", 2)
    told = yield ctx.call_entity(COUNTER, "tell", 7)
    nothing = yield ctx.call_entity(COUNTER, "silent")
    yield ctx.call_entity(COUNTER, "leave")
    gone = yield ctx.call_entity(COUNTER, "tell")
    return [added, told, nothing, gone]


async def asking_at_once(ctx: OrchestrationContext) -> list[Any]:
    operations = ("peek_and_size", "silent")
    return await asyncio.gather(*[ctx.call_entity(COUNTER, operation) for operation in operations])


async def telling(ctx: OrchestrationContext, count: int) -> None:
    for number in range(count):
        ctx.signal_entity(EntityId("Batched", "a"), "note", number)
    ctx.signal_entity(COUNTER, "add", 5)
    ctx.signal_entity(COUNTER, "add", 100, signal_time=ctx.now + timedelta(days=3))


async def locking(ctx: OrchestrationContext, seconds: int) -> list[Any]:
    async with ctx.lock_entities([COUNTER, BOX]):
        seen: list[Any] = [ctx.is_locked, [str(entity) for entity in ctx.locked_entities]]
        before = await ctx.call_entity(COUNTER, "peek")
        await ctx.create_timer(timedelta(seconds=seconds))
        after = await ctx.call_entity(COUNTER, "add", 1)
    return [*seen, after - before, ctx.is_locked]


async def misusing(ctx: OrchestrationContext) -> list[str]:
    refused: list[str] = []
    lock = ctx.lock_entities([COUNTER])
    for early in (lambda: ctx.call_entity(COUNTER, "add", 1), lambda: ctx.signal_entity(COUNTER, "add", 1)):
        try:
            early()
        except InvalidInputError as error:
            refused.append(str(error))
    ctx.signal_entity(BOX, "put", "cup")  # it is not among them
    async with lock:
        for misuse in (
            lambda: ctx.call_entity(BOX, "content"),
            lambda: ctx.signal_entity(COUNTER, "add", 1),
            lambda: ctx.lock_entities([BOX]),
        ):
            try:
                misuse()
            except InvalidInputError as error:
                refused.append(str(error))
    try:
        ctx.lock_entities([])
    except InvalidInputError as error:
        refused.append(str(error))
    return refused


for entity, name in ((counter, "Counter"), (Box, "Box"), (Messenger, "Messenger"), (batched, "Batched"), (hear, "Ear")):
    registry.add_entity(entity, name)
registry.add_entity(keeper, "Keeper", rolls_back=False)
for orchestrator in (greet, ask, put_typed, asking, asking_at_once, telling, locking, misusing):
    registry.add_orchestrator(orchestrator)


def test_a_function_with_the_names_of_1_7() -> None:
    with Harness(registry) as hub:
        added, told, nothing, gone = hub.run(asking)
        assert added == 2
        assert told == ["counter", "a", "tell", True, False, True, 7]
        assert nothing is None
        assert gone == ["counter", "a", "tell", False, True, False, None]
        hub.run(ask, ["Counter", "add", 1])
        hub.run(ask, ["Counter", "delete_it", None])
        assert not hub.wait(hub.client.read_entity(COUNTER)).exists  # pyright: ignore[reportOptionalMemberAccess]
        hub.assert_replays()


def test_a_class_is_dispatched_by_operation() -> None:
    with Harness(registry) as hub:
        assert hub.run(ask, ["Box", "put", "cup"]) == {"amount": 1}
        assert hub.run(ask, ["Box", "PUT", "plate"]) == {"amount": 2}
        assert hub.run(ask, ["Box", "content", None]) == ["cup", "plate"]
        with pytest.raises(TaskFailedError, match="burn"):
            hub.run(ask, ["Box", "burn", None])


def test_a_call_by_method_is_decoded() -> None:
    with Harness(registry) as hub:
        assert hub.run(put_typed, "cup") == 1


def test_a_failed_operation_is_rolled_back() -> None:
    with Harness(registry) as hub:
        hub.run(ask, ["Counter", "add", 3])
        failed = hub.start(ask, ["Counter", "fail", None])
        hub.run_until_idle()
        failure = hub.wait(hub.client.get(failed.id)).failure  # pyright: ignore[reportOptionalMemberAccess]
        assert failure is not None
        assert failure.is_caused_by(ValueError)
        assert hub.run(ask, ["Counter", "peek", None]) == 3
        assert hub.wait(hub.client.read_entity(BOX)) is None
        with pytest.raises(TaskFailedError, match="not that"):
            hub.run(ask, ["Box", "put", "bomb"])
        assert hub.run(ask, ["Box", "content", None]) == []


def test_without_roll_back_it_stays_as_it_was() -> None:
    with Harness(registry) as hub:
        with pytest.raises(TaskFailedError, match="no"):
            hub.run(ask, ["Keeper", "fail", None])
        assert hub.run(ask, ["Keeper", "count", None]) == 2


def test_a_result_does_not_leak() -> None:
    with Harness(registry) as hub:
        assert hub.run(asking_at_once) == [[0, 2], None]
        found = hub.wait(hub.client.read_entity(COUNTER))
        assert found is None or not found.exists


def test_an_entity_signals_and_starts() -> None:
    with Harness(registry) as hub:
        assert hub.run(ask, ["Messenger", "spread", 4]) == "greeted"
        hub.run_until_idle()
        assert hub.instance("greeted").output == 4
        assert hub.run(ask, ["Counter", "peek", None]) == 4


def test_operations_that_wait_are_one_batch() -> None:
    with Harness(registry) as hub:
        hub.run(telling, 3)
        hub.run_until_idle()
        found = hub.wait(hub.client.read_entity(EntityId("Batched", "a")))
        assert found is not None
        assert found.state == [[0, 3], [1, 3], [2, 3]]


def test_signals_of_an_orchestration() -> None:
    with Harness(registry) as hub:
        hub.run(telling, 1)
        hub.advance(timedelta(hours=1))
        assert hub.run(ask, ["Counter", "peek", None]) == 5
        hub.advance(timedelta(days=3))
        assert hub.run(ask, ["Counter", "peek", None]) == 105


def test_a_scheduled_signal() -> None:
    with Harness(registry) as hub:
        hub.wait(hub.client.signal_entity(COUNTER, "add", 2, signal_time=hub.now + timedelta(days=9)))
        hub.advance(timedelta(days=8))
        assert hub.run(ask, ["Counter", "peek", None]) == 0
        hub.advance(timedelta(days=1, seconds=1))
        assert hub.run(ask, ["Counter", "peek", None]) == 2


@pytest.mark.parametrize("nothing_much", [0, "", [], False, {}])
def test_a_signal_of_nothing_much(nothing_much: Any) -> None:
    ear = EntityId("Ear", "a")
    with Harness(registry) as hub:
        assert hub.run(ask, ["Counter", "tell", nothing_much])[-2:] == [True, nothing_much]
        hub.wait(hub.client.signal_entity(ear, "hear", nothing_much))
        hub.run_until_idle()
        found = hub.wait(hub.client.read_entity(ear))
        assert found is not None
        assert found.state == [nothing_much]


def test_a_lock() -> None:
    with Harness(registry) as hub:
        both = [hub.start(locking, 60), hub.start(locking, 60)]
        hub.run_until_idle()
        assert [one.output for one in both] == [[True, ["@box@b", "@counter@a"], 1, False]] * 2
        hub.assert_replays()


def test_what_a_lock_refuses() -> None:
    with Harness(registry) as hub:
        refused = hub.run(misusing)
        words = ("await the lock first",) * 2 + ("not among", "is locked", "all entities at once", "at least one")
        for said, word in zip(refused, words, strict=True):
            assert word in said


def test_the_client_lists_and_cleans() -> None:
    with Harness(registry) as hub:
        hub.run(ask, ["Counter", "add", 1])
        hub.run(ask, ["Box", "put", "cup"])
        hub.run(ask, ["Keeper", "count", None])

        async def known() -> list[str]:
            return [str(found.entity_id) async for found in hub.client.list_entities()]

        assert hub.wait(known()) == ["@box@a", "@counter@a", "@keeper@a"]
        hub.run(ask, ["Counter", "leave", None])
        assert hub.wait(hub.client.clean_entities()).removed == 1
        hub.run_until_idle()
        assert hub.wait(known()) == ["@box@a", "@keeper@a"]
        box = hub.wait(hub.client.read_entity(EntityId("Box", "a")))
        assert box is not None
        assert box.state == {"items": ["cup"]}


def test_a_lock_of_one_that_is_terminated_is_released() -> None:
    with Harness(registry) as hub:
        holder = hub.start(locking, 10**6)
        hub.advance(timedelta(seconds=1))
        hub.wait(hub.client.terminate(holder.id))
        assert hub.run(locking, 1)[2] == 1
        assert holder.runtime_status is RuntimeStatus.TERMINATED
