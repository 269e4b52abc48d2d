"""Of two functions with one name every verb means the one it was given; one that is not registered is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entities import DurableEntity
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import ConfigurationError
from durable_ext.testing.harness import Harness
from durable_ext.worker.client.schedules import ScheduleClient

RETRY = RetryPolicy(first_interval=timedelta(seconds=1), max_attempts=2)
COUNTER = "@counter@a"


def _namesake(result: str) -> Any:
    async def load(value: int = 0) -> str:
        return f"{result} {value}"

    return load


def _child(result: str) -> Any:
    async def child(ctx: OrchestrationContext) -> str:
        return result

    return child


mine, strange = _namesake("mine"), _namesake("strange")
own_child, strange_child = _child("mine"), _child("strange")


@dataclass
class Counter:
    value: int = 0

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value


@dataclass
class Account:
    value: int = 0

    def add(self, amount: int) -> int:
        return amount


class Starter(DurableEntity):
    def start(self) -> None:
        self.schedule_new_orchestration(strange_child)

    def signal(self) -> None:
        self.context.signal_entity(self.entity_id, Account.add, 1)


async def main(ctx: OrchestrationContext, verb: str) -> Any:
    return await VERBS[verb](ctx)


VERBS: dict[str, Callable[[Any], Any]] = {
    "activity": lambda ctx: ctx.call_activity(strange, 1),
    "retry": lambda ctx: ctx.call_activity(strange, 1, retry=RETRY),
    "old retry": lambda ctx: ctx.call_activity_with_retry(strange, RETRY, 1),
    "child": lambda ctx: ctx.call_sub_orchestrator(strange_child),
    "old child retry": lambda ctx: ctx.call_sub_orchestrator_with_retry(strange_child, RETRY),
    "start": lambda ctx: ctx.start_new_orchestration(strange_child),
    "call entity": lambda ctx: ctx.call_entity(COUNTER, Account.add, 1),
    "signal entity": lambda ctx: ctx.signal_entity(COUNTER, Account.add, 1),
    "entity starts": lambda ctx: ctx.call_entity("@starter@a", Starter.start),
    "entity signals": lambda ctx: ctx.call_entity("@starter@a", Starter.signal),
    "an orchestrator as an activity": lambda ctx: ctx.call_activity(main, 1),
}


def app() -> Registry:
    registry = Registry()
    registry.add_orchestrator(main)
    registry.add_activity(mine)
    registry.add_orchestrator(own_child)
    for entity in (Counter, Starter):
        registry.add_entity(entity)
    registry.add_activity(_namesake("activity"), "main")
    return registry


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_takes_a_namesake(verb: str) -> None:
    with Harness(app()) as harness:
        status = harness.start(main, verb).wait()
        failure = status.failure
        assert failure is not None, status
        while failure.cause is not None:
            failure = failure.cause
        assert failure.type == "durable_ext.errors.ConfigurationError", failure
        assert __name__ in failure.message
        assert not harness.calls, "nothing ran"


def test_nor_does_a_client_or_a_test() -> None:
    with Harness(app()) as harness:
        client = harness.client
        for call in (
            lambda: client.start(strange_child),
            lambda: client.signal_entity(COUNTER, Account.add, 1),
            lambda: ScheduleClient(client).create("often", strange_child, timedelta(hours=1)),
        ):
            with pytest.raises(ConfigurationError, match=__name__):
                harness.wait(call())
        for refused in (lambda: harness.mock(strange, 1), lambda: harness.start(strange_child)):
            with pytest.raises(ConfigurationError, match="is not registered"):
                refused()


def test_the_function_itself_is_taken() -> None:
    async def calls(ctx: OrchestrationContext) -> list[Any]:
        await ctx.call_entity(COUNTER, Counter.add, 2)
        ctx.signal_entity(COUNTER, Counter.add, 3)
        return [
            await ctx.call_activity(mine, 1),
            await ctx.call_sub_orchestrator(own_child),
            await ctx.call_activity("load", 2),
            await ctx.call_entity(COUNTER, Counter.add, 0),
        ]

    registry = app()
    registry.add_orchestrator(calls)
    with Harness(registry) as harness:
        instance_id = harness.wait(harness.client.start(calls))
        done = harness.wait(harness.client.wait_for_completion(instance_id, timeout=timedelta(minutes=1)))
        assert done.output == ["mine 1", "mine", "mine 2", 5]
        harness.mock(mine, "mocked")
        assert harness.start(calls).result()[0] == "mocked"
