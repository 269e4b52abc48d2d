"""Null stays None under the names of azure-functions-durable, whatever type is expected. Native code is strict.

So are annotations that say nothing to the engine: remarks there, an error in native code.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

import durable_ext as df
from durable_ext import TaskFailedError
from durable_ext.testing import Harness

Code = Generator[Any, Any, Any]
app = df.DFApp()


class Order:
    def __init__(self, item: str) -> None:
        self.item = item

    @staticmethod
    def to_json(order: Order) -> dict[str, str]:
        return {"item": order.item}

    @staticmethod
    def from_json(fields: dict[str, str]) -> Order:
        return Order(fields["item"])


@app.activity_trigger(input_name="order")
def look_up(order: Order | None) -> Order:
    found: Any = order
    return found


@app.activity_trigger(input_name="order")
def is_there(order: Order) -> bool:
    return bool(order)


@app.orchestration_trigger(context_name="context")
def asks_activities(context: df.DurableOrchestrationContext) -> Code:
    found = yield context.call_activity("look_up")
    known = yield context.call_activity("look_up", Order("hat"))
    there = yield context.call_activity("is_there")
    named = yield context.call_activity("look_up", None, expected_type=Order)
    return [found, known.item, there, named]


@app.orchestration_trigger(context_name="context", input_type=Order)
def takes_an_order(context: df.DurableOrchestrationContext) -> Any:
    order: Order | None = context.get_input()
    return order if order is None else order.item


@app.orchestration_trigger(context_name="context")
def says_what_it_expects(context: df.DurableOrchestrationContext) -> Code:
    given = context.get_input(expected_type=dict)
    event = yield context.wait_for_external_event("go", expected_type=bool)
    child = yield context.call_sub_orchestrator("takes_an_order", expected_type=int)
    entity = yield context.call_entity(df.EntityId("shelf", "a"), "look", None, expected_type=list)
    return [given, event, child, entity]


@app.entity_trigger(context_name="context")
def shelf(context: df.DurableEntityContext) -> None:
    context.set_result(context.get_input(expected_type=int))


class Plain:
    """Neither data nor with from_json."""


@app.activity_trigger(input_name="value")
def remarks(value: Plain) -> Plain:
    return value


def asked(context: df.DurableOrchestrationContext) -> Code:
    return (yield context.call_activity("nobody_knows", 1))


def nobody_knows(value: Any) -> Any:
    return value


# As with imports below TYPE_CHECKING.
asked.__annotations__["return"] = "nowhere.Thing"
nobody_knows.__annotations__.update({"value": "nowhere.Thing", "return": "nowhere.Thing"})


@app.orchestrator
async def native(ctx: df.OrchestrationContext, order: Order) -> str:
    return order.item


@app.orchestrator
async def native_event(ctx: df.OrchestrationContext) -> bool:
    return await ctx.wait_for_external_event("go", bool)


def test_activities() -> None:
    with Harness(app) as hub:
        assert hub.run("asks_activities") == [None, "hat", False, None]


def test_the_input() -> None:
    with Harness(app) as hub:
        assert hub.run("takes_an_order") is None
        assert hub.run("takes_an_order", Order("hat")) == "hat"


def test_what_a_call_expects() -> None:
    with Harness(app) as hub:
        instance = hub.start("says_what_it_expects")
        instance.raise_event("go")
        assert instance.result() == [None, None, None, None]


def test_another_value_has_to_fit() -> None:
    with Harness(app) as hub, pytest.raises(TaskFailedError, match="does not fit Order"):
        hub.run("takes_an_order", {"other": 1})


def test_annotations_that_say_nothing_are_remarks() -> None:
    some = df.DFApp()
    some.activity_trigger(input_name="value")(nobody_knows)
    some.orchestration_trigger(context_name="context")(asked)
    with Harness(some) as hub:
        assert hub.run("asked") == 1
    assert app.registry.activities["remarks"].input_type is Any
    assert app.registry.activities["remarks"].output_type is Any


def test_native_code_gets_what_it_says() -> None:
    with Harness(app) as hub:
        with pytest.raises(TaskFailedError, match="does not fit Order"):
            hub.run("native")
        instance = hub.start("native_event")
        instance.raise_event("go")
        with pytest.raises(TaskFailedError, match="does not fit bool"):
            instance.result()
