"""A function means the registration of this very function, and never that of another one with its name (R5)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from durable_ext.authoring.names import ByName
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.functions.app import DurableApp, DurableBlueprint, named_registry


def load(value: int) -> str:
    return f"mine {value}"


def _others() -> Callable[[int], str]:
    def load(value: int) -> str:
        return f"other {value}"

    return load


async def flow(ctx: Any) -> None: ...


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def load(self, value: int) -> str:
        return f"{self.name} {value}"


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*values: Any) -> Any:
        return function(*values)

    return call


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.add_activity(load)
    registry.add_orchestrator(flow)
    return registry


def test_another_function_of_that_name_is_an_error_that_names_both(registry: Registry) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.name_of(_others(), "activity")
    text = str(caught.value)
    assert text.startswith("function '_others.<locals>.load' (")
    assert f"({__name__}:{_others().__code__.co_firstlineno})" in text
    assert "is not registered as an activity of this app" in text
    assert f"Another function has that name: function 'load' ({__name__}:{load.__code__.co_firstlineno})" in text
    assert "register_functions" in text


def test_each_lambda_is_one_of_its_own() -> None:
    registry = Registry()

    def made(sign: int) -> Callable[[int], int]:
        return lambda value: sign * value

    first, second = made(1), made(-1)
    registry.add_activity(first, "first")
    assert registry.name_of(first, "activity") == "first"
    with pytest.raises(ConfigurationError, match="is not registered"):
        registry.name_of(second, "activity")
    registry.add_activity(second, "second")
    assert registry.name_of(second, "activity") == "second"


def test_a_bound_method_is_one_of_its_object(registry: Registry) -> None:
    mine, other = Shop("mine"), Shop("other")
    registry.add_activity(mine.load, "mine")
    assert registry.name_of(mine.load, "activity") == "mine"
    for stranger in (other.load, Shop.load):
        with pytest.raises(ConfigurationError, match="is not registered"):
            registry.name_of(stranger, "activity")


def test_a_wrapper_means_what_it_wraps_where_that_is_clear(registry: Registry) -> None:
    assert registry.name_of(traced(load), "activity") == "load"
    wrapped, inner = traced(_others()), _others()
    registry.add_activity(traced(inner), "wrapped")
    assert registry.name_of(inner, "activity") == "wrapped"
    with pytest.raises(ConfigurationError, match="is not registered"):
        registry.name_of(wrapped, "activity")
    registry.add_activity(traced(inner), "twice")
    with pytest.raises(ConfigurationError, match="registered several times, wrapped: 'wrapped', 'twice'"):
        registry.name_of(inner, "activity")


def test_a_partial_is_nobody_but_itself(registry: Registry) -> None:
    partial = functools.partial(load, 1)
    with pytest.raises(ConfigurationError, match="is not registered"):
        registry.name_of(partial, "activity")
    with pytest.raises(ConfigurationError, match="has no name of its own"):
        registry.add_activity(partial)
    registry.add_activity(partial, "one")
    assert registry.name_of(partial, "activity") == "one"
    assert registry.name_of(load, "activity") == "load"


def test_a_function_of_another_kind_is_told_apart(registry: Registry) -> None:
    registry.add_activity(_others(), "flow")
    with pytest.raises(ConfigurationError, match="orchestrator 'flow' is called by call_sub_orchestrator"):
        registry.name_of(flow, "activity")
    with pytest.raises(ConfigurationError, match="activity 'load' is called by call_activity"):
        registry.name_of(load, "orchestrator")


def test_an_operation_belongs_to_its_class_or_a_base_of_it() -> None:
    class Base:
        def add(self, amount: int) -> int:
            return amount

    class Counter(Base):
        def add(self, amount: int) -> int:
            return amount + 1

        def get(self) -> int:
            return 1

    class Account:
        def add(self, amount: int) -> int:
            return 0

    registry = Registry()
    registry.add_entity(Counter)
    registry.add_entity(Account)
    assert registry.operation_of("counter", "anything") == "anything"
    for method in (Counter.add, Base.add, Counter().add):
        assert registry.operation_of("counter", method) == "add"
    with pytest.raises(ConfigurationError, match=r"Account.add' .* is no operation of entity 'counter'"):
        registry.operation_of("counter", Account.add)
    with pytest.raises(ConfigurationError, match="no entity is registered under the name 'stock'"):
        registry.operation_of("stock", Account.add)


def test_functions_of_a_blueprint_count_once_the_app_has_taken_it_over() -> None:
    app, blueprint = DurableApp(), DurableBlueprint()
    own = blueprint.activity(_others())
    with pytest.raises(ConfigurationError, match="is not registered"):
        app.registry.name_of(own, "activity")
    app.register_functions(blueprint)
    assert app.registry.name_of(own, "activity") == "load"


def test_a_decorated_object_means_its_function() -> None:
    app = DurableApp()
    builder: Any = app.function_name("Load")(app.activity(_others()))
    assert not callable(getattr(builder, "__code__", None))
    registry = named_registry(app)
    assert registry.name_of(builder, "activity") == "Load"
    stranger: Any = func.FunctionApp().function_name("Load")(load)
    with pytest.raises(ConfigurationError, match="is not registered"):
        registry.name_of(stranger, "activity")


def test_who_knows_no_app_takes_names_only() -> None:
    assert ByName().name_of("load") == ByName().operation_of("counter", "load") == "load"
    with pytest.raises(ConfigurationError, match="in no app that is known here"):
        ByName().name_of(load)
