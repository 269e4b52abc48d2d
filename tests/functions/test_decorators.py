"""Decorators hand back the user's function, typed as it was (R5), and refuse what cannot work.

The assert_type lines are checked by pyright in strict mode.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

import azure.functions as func
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.payload import or_none
from durable_ext.errors import ConfigurationError, DuplicateNameError
from durable_ext.functions import DurableApp, DurableBlueprint

app = DurableApp()
bp = DurableBlueprint()


@dataclass(frozen=True)
class Order:
    number: str


@app.activity
async def price(order: Order) -> float:
    return float(order.number)


@bp.activity(name="Weigh")
def weigh(order: Order) -> int:
    return len(order.number)


@app.activity_trigger(input_name="city")
def say_hello(city: str) -> str:
    return f"Hello {city}!"


@bp.activity_trigger(input_name="city", activity="Shout")
def shout(city: str) -> bytes:
    return city.upper().encode()


@app.orchestrator
async def quote(ctx: OrchestrationContext, order: Order) -> float:
    future = ctx.call_activity(price, order)
    assert_type(future, "asyncio.Future[float]")
    assert_type(await ctx.call_activity(weigh, order), int)
    assert_type(await ctx.call_activity(say_hello, "x"), str)
    assert_type(await ctx.call_activity(shout, "x"), bytes)
    return await future


@bp.orchestrator("Both")
async def both(ctx: OrchestrationContext) -> list[float]:
    first = await ctx.call_sub_orchestrator(quote, Order("1"))
    assert_type(first, float)
    return [first]


@app.orchestration_trigger(context_name="context")
def chain(context: OrchestrationContext) -> Generator[Any, Any, str]:
    return (yield context.call_activity(say_hello, "Tokyo"))


@app.orchestration_trigger(context_name="context", orchestration="Typed", input_type=Order)
def typed(context: OrchestrationContext) -> Generator[Any, Any, int]:
    return (yield context.call_activity(weigh, context.get_input()))


def look_up(order: Order) -> str:
    return order.number


@app.activity(at_most_once=True, after_fault=look_up)
async def charge(order: Order) -> str:
    return order.number


@bp.activity_trigger(input_name="order", activity="Ship", time_limit=timedelta(minutes=1))
def ship(order: Order) -> int:
    return len(order.number)


async def terms(ctx: OrchestrationContext, order: Order) -> None:
    assert_type(await ctx.call_activity(charge, order), str)
    assert_type(await ctx.call_activity(ship, order), int)


def test_functions_stay_what_they_are() -> None:
    assert say_hello("Rome") == "Hello Rome!"
    assert weigh(Order("12")) == 2
    assert asyncio.run(price(Order("3"))) == 3.0
    assert inspect.iscoroutinefunction(quote)
    assert chain.__dict__["orchestrator_function"] is chain


def test_names() -> None:
    assert set(app.registry.activities) == {"price", "say_hello", "charge"}
    assert set(app.registry.orchestrators) == {"quote", "chain", "Typed"}
    assert set(bp.registry.activities) == {"Weigh", "Shout", "Ship"}
    assert set(bp.registry.orchestrators) == {"Both"}
    assert bp.registry.name_of(weigh) == "Weigh"


def test_terms_of_an_activity() -> None:
    charging, shipping = app.registry.activities["charge"], bp.registry.activities["Ship"]
    assert charging.at_most_once
    assert charging.after_fault is not None
    assert charging.after_fault.function is look_up
    assert (shipping.at_most_once, shipping.time_limit) == (False, timedelta(minutes=1))
    with pytest.raises(ConfigurationError, match="at_most_once=True"):
        DurableApp().activity(after_fault=look_up)(price)


def test_terms_are_no_business_of_the_host() -> None:
    """The functions and bindings that it is told of are the same with them and without."""
    plain, with_terms = DurableApp(), DurableApp()
    plain.activity(charge)
    with_terms.activity(at_most_once=True, time_limit=timedelta(minutes=1))(charge)
    told = [[function.get_function_json() for function in each.get_functions()] for each in (plain, with_terms)]
    assert told[0] == told[1] != []


def test_the_declared_input_type_is_kept() -> None:
    assert app.registry.orchestrators["Typed"].input_type == or_none(Order)
    assert app.registry.orchestrators["chain"].input_type is Any
    assert app.registry.orchestrators["quote"].input_type is Order


def test_a_client_without_a_trigger_is_told(caplog: pytest.LogCaptureFixture) -> None:
    app, blueprint = DurableApp(), DurableBlueprint()

    @app.durable_client_input(client_name="client")
    async def forgotten(client: Any) -> None: ...

    @blueprint.durable_client_input(client_name="client")
    async def forgotten_too(client: Any) -> None: ...

    @app.route(route="below")
    @app.durable_client_input(client_name="client")
    async def below(req: func.HttpRequest, client: Any) -> str:
        return ""

    @blueprint.durable_client_input(client_name="client")
    @blueprint.route(route="above")
    async def above(req: func.HttpRequest, client: Any) -> str:
        return ""

    assert None not in (forgotten, forgotten_too, below, above)
    app.register_functions(blueprint)
    app.get_functions()
    told = [record.getMessage() for record in caplog.records if "no trigger" in record.getMessage()]
    assert [text.split("'")[1] for text in told] == ["forgotten", "forgotten_too"]
    assert "@app.route" in told[0]


def test_bindings_that_nobody_fills_in_are_refused() -> None:
    app = DurableApp()

    @app.queue_output(arg_name="$return", queue_name="q", connection="C")  # pyright: ignore[reportUnknownMemberType]
    @app.activity_trigger(input_name="x")
    def above(x: int) -> int:
        return x

    assert above is not None
    with pytest.raises(ConfigurationError, match=r"'above' has a binding '\$return' of type 'queue'.*library"):
        app.get_functions()

    @app.queue_output(arg_name="out", queue_name="q", connection="C")  # pyright: ignore[reportUnknownMemberType]
    def below(x: int, out: func.Out[str]) -> int:
        return x

    with pytest.raises(ConfigurationError, match="'below' has a binding 'out' of type 'queue'"):
        app.activity_trigger(input_name="x")(below)


def test_what_older_unit_tests_reach_for() -> None:
    app = DurableApp()

    @app.activity_trigger(input_name="x")
    def double(x: int) -> int:
        return 2 * x

    decorated: Any = double
    assert decorated._function._func(2) == 4


def test_a_name_is_given_once() -> None:
    def again(text: str) -> str:
        return text

    with pytest.raises(DuplicateNameError, match="say_hello"):
        app.activity(name="say_hello")(again)
    with pytest.raises(DuplicateNameError, match="quote"):
        app.orchestrator(name="quote")(again)


@pytest.mark.parametrize(
    ("decorate", "message"),
    [
        (DurableApp().orchestration_trigger(context_name="context"), "context_name"),
        (DurableApp().activity_trigger(input_name="city"), "input_name"),
        (DurableApp().durable_client_input(client_name="client"), "durable_client_input"),
    ],
)
def test_a_parameter_that_is_not_there(decorate: Callable[[Any], Any], message: str) -> None:
    def function(ctx: Any) -> None: ...

    with pytest.raises(ConfigurationError, match=message):
        decorate(function)


def test_an_orchestrator_takes_no_trigger_of_its_own() -> None:
    mine = DurableApp()

    @mine.route(route="x")
    def built(ctx: Any) -> None: ...

    for decorate in (mine.orchestrator, mine.activity, mine.orchestration_trigger("ctx"), mine.activity_trigger("ctx")):
        with pytest.raises(ConfigurationError, match="no other trigger"):
            decorate(built)


def test_azure_names_are_those_of_the_base_class() -> None:
    for name in ("orchestration_trigger", "activity_trigger", "durable_client_input"):
        assert getattr(DurableApp, name) is not getattr(func.FunctionApp, name)
        assert getattr(DurableBlueprint, name) is not getattr(func.Blueprint, name)


def test_versions_of_an_orchestrator() -> None:
    app = DurableApp(default_version="2.0")

    @app.orchestration_trigger(context_name="context", orchestration="greet", version="1.0")
    def old(context: OrchestrationContext) -> Any:
        yield context.call_activity("hello")

    @app.orchestrator("greet", version="2.0")
    async def new(ctx: OrchestrationContext) -> str:
        return "new"

    @app.orchestrator(version="3.0")
    async def greet(ctx: OrchestrationContext) -> str:
        return "newest"

    found = [app.registry.find_orchestrator("greet", version) for version in ("1.0", "2.0", "3.0", None)]
    assert [one and one.function for one in found] == [old, new, greet, None]
    assert app.registry.version_for("greet") == "2.0"
    with pytest.raises(DuplicateNameError):
        app.orchestrator("greet", version="2.0")(greet)


@pytest.mark.parametrize(
    "name", ["orchestration_trigger", "activity_trigger", "entity_trigger", "durable_client_input"]
)
@pytest.mark.parametrize("container", [DurableApp, DurableBlueprint])
def test_a_decorator_without_its_parentheses(container: Callable[[], Any], name: str) -> None:
    """It would take the function for a name, and give a decorator in its place: nothing would be registered."""

    def lost(context: Any) -> None: ...

    with pytest.raises(TypeError, match=rf"@app\.{name}\((context|input|client)_name=\.\.\.\)"):
        getattr(container(), name)(lost)
