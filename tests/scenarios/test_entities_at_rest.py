"""Entities where messages come late, in another order or twice, where processes meet, and what the janitor does."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.entity_id import EntityId
from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.instance import Caller, RuntimeStatus
from durable_ext.records.messages import Body, Message, ReleaseLock, RequestLock, RunOperation
from durable_ext.records.payloads import inline
from durable_ext.testing.injection import Fault

from .hub import Hub, run

LIST = EntityId("list", "one")
GONE = Caller(instance_id="gone", execution_id="gone0", task_id=0)
_ids = map("m{}".format, itertools.count())


def remember(context: EntityContext) -> None:
    context.set_state([*context.get_state(list), context.get_input()])


def app() -> Registry:
    registry = Registry()
    registry.add_entity(remember, "list")
    return registry


def message(hub: Hub, body: Body, *, message_id: str = "") -> Message:
    return Message(id=message_id or next(_ids), instance_id=str(LIST), body=body, sent_at=hub.clock())


def noting(value: Any) -> RunOperation:
    return RunOperation(operation="add", input=inline(msgspec.json.encode(value)))


async def state_of(process: Any) -> Any:
    found = await process.worker.client.read_entity(LIST)
    return None if found is None else found.state


def test_a_message_is_taken_once_also_after_many_executions() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        first = message(hub, noting("once"), message_id="first")
        await hub.store.send([first])
        await hub.settle(process)
        for _ in range(450):
            await hub.store.send([message(hub, RunOperation(operation="add", input=inline(b'"more"')))])
            await hub.settle(process)
        assert (await hub.row(str(LIST))).execution.generation >= 2
        await hub.store.send([msgspec.structs.replace(first, resent=True)])
        await hub.settle(hub.process(app()))  # a process that knows nothing of it
        assert (await state_of(process)).count("once") == 1

    run(test)


def test_two_processes_fight_over_one_entity() -> None:
    async def test(hub: Hub) -> None:
        one, other = hub.process(app()), hub.process(app())
        for number in range(20):
            await hub.store.send([message(hub, noting(number))])
            await hub.settle(one if number % 2 else other)
        assert await state_of(one) == list(range(20))
        assert await hub.left() == []

    run(test)


def test_a_release_that_overtakes_its_request() -> None:
    """The request comes by way of another entity, and may be later: nobody is to hold that lock."""

    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await hub.store.send([message(hub, ReleaseLock(lock="l"))])
        await hub.settle(process)
        await hub.store.send([message(hub, RequestLock(lock="l", holder=GONE, entities=(str(LIST),)))])
        await hub.store.send([message(hub, noting(1))])
        await hub.settle(process)
        assert await state_of(process) == [1]

    run(test)


def test_the_janitor_releases_a_lock_whose_holder_is_gone() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        await hub.store.send([message(hub, RequestLock(lock="l", holder=GONE, entities=(str(LIST),)))])
        await hub.store.send([message(hub, noting(1))])
        await hub.settle(process)
        summary = EntitySummary.of((await hub.row(str(LIST))).custom_status)
        assert (summary.locked_by, summary.waiting, summary.exists) == ("gone", 1, False)
        await process.worker.tidy()
        await hub.settle(process)
        assert await state_of(process) is None, "it may have begun this moment"
        await hub.clock.sleep(timedelta(minutes=6).total_seconds())
        await process.worker.tidy()
        await hub.settle(process)
        assert await state_of(process) == [1]

    run(test)


def test_the_janitor_leaves_a_lock_alone_whose_holder_runs() -> None:
    async def test(hub: Hub) -> None:
        registry = app()

        async def holding(ctx: Any) -> None:
            async with ctx.lock_entities([LIST]):
                await ctx.wait_for_external_event("enough")

        registry.add_orchestrator(holding)
        process = hub.process(registry)
        await process.worker.client.start("holding", instance_id="holder")
        await hub.settle(process)
        await hub.clock.sleep(timedelta(minutes=6).total_seconds())
        await process.worker.tidy()
        await hub.settle(process)
        assert EntitySummary.of((await hub.row(str(LIST))).custom_status).locked_by == "holder"
        await process.worker.client.raise_event("holder", "enough")
        await hub.settle(process)
        assert await hub.status("holder") is RuntimeStatus.COMPLETED
        assert EntitySummary.of((await hub.row(str(LIST))).custom_status).locked_by == ""

    run(test)


@pytest.mark.parametrize("end", ["terminate", "raise", "return", "renew"])
def test_a_lock_ends_with_the_execution_of_its_holder(end: str) -> None:
    """Its last turn says so; nobody waits for the janitor."""

    async def test(hub: Hub) -> None:
        registry = app()

        async def holding(ctx: Any, renewed: bool) -> None:
            if renewed:
                return
            await ctx.lock_entities([LIST])
            await ctx.wait_for_external_event("enough")
            if end == "raise":
                raise ValueError("enough")
            if end == "renew":
                ctx.continue_as_new(True)

        registry.add_orchestrator(holding)
        process = hub.process(registry)
        client = process.worker.client
        await client.start("holding", False, instance_id="holder")
        await hub.settle(process)
        assert EntitySummary.of((await hub.row(str(LIST))).custom_status).locked_by == "holder"
        await (client.terminate("holder") if end == "terminate" else client.raise_event("holder", "enough"))
        await hub.settle(process)
        assert EntitySummary.of((await hub.row(str(LIST))).custom_status).locked_by == ""

    run(test)


def test_one_that_was_removed_is_made_anew() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(app())
        client = process.worker.client
        await client.signal_entity(LIST, "delete")
        registry_less = hub.process(Registry())  # its code is elsewhere: the operation fails, and the entity is empty
        await hub.settle(registry_less)
        process.start()
        assert (await client.clean_entities()).removed == 1
        assert await hub.store.read_row(str(LIST)) is None
        await client.signal_entity(LIST, "add", "again")
        await hub.clock.sleep(5)
        assert await state_of(process) == ["again"]

    run(test)


def test_an_entity_at_rest_is_read_less_and_less() -> None:
    async def test(hub: Hub) -> None:
        calls: list[str] = []

        def noted(call: str, _number: int) -> Fault:
            calls.append(call)
            return Fault.NONE

        process = hub.process(app(), plan=noted)
        await hub.store.send([message(hub, noting(1))])
        await hub.settle(process)
        per_hour: list[int] = []
        for _ in range(24):
            calls.clear()
            for _ in range(60):
                await hub.clock.sleep(60)
                await process.worker.tidy()
            per_hour.append(calls.count("load"))
        assert per_hour[0] > 5, "a row that lags after a crash is found within minutes"
        assert max(per_hour[10:]) <= 1
        await hub.store.send([message(hub, noting(2))])
        await hub.settle(process)
        assert await state_of(process) == [1, 2]

    run(test)
