"""Names to functions: what may be registered, and what the signature says."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from durable_ext.authoring.context import ActivityContext, OrchestrationContext
from durable_ext.authoring.payload import JsonConverter
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError, DuplicateNameError, InvalidInputError

if TYPE_CHECKING:
    from fractions import Fraction

    from durable_ext.authoring.context import ActivityContext as LateContext


async def no_input(ctx: OrchestrationContext) -> int:
    return 1


async def with_input(ctx: OrchestrationContext, order: Order) -> list[Order]:
    return [order]


async def unannotated(context, order):  # type: ignore[no-untyped-def]  # pyright: ignore
    return order  # pyright: ignore[reportUnknownVariableType]


def generator(ctx: OrchestrationContext, order: Order) -> Generator[Any, Any, Order]:
    yield
    return order


def bare_generator(ctx: OrchestrationContext) -> Any:
    yield


async def late_context(ctx: LateContext, order: Order) -> Order:
    return order


async def late_input(ctx: OrchestrationContext, part: Fraction) -> None: ...


async def async_generator(ctx: OrchestrationContext) -> AsyncGenerator[int, None]:
    yield 1


class Order:
    """Used in annotations above: they are read when they are needed."""


@pytest.mark.parametrize(
    ("function", "takes_input", "input_type", "output_type"),
    [
        (no_input, False, Any, int),
        (with_input, True, Order, list[Order]),
        (unannotated, True, Any, Any),  # pyright: ignore[reportUnknownArgumentType]
        (generator, True, Order, Order),
        (bare_generator, False, Any, Any),
        (late_context, True, Order, Order),
    ],
)
def test_orchestrators(function: Callable[..., Any], takes_input: bool, input_type: Any, output_type: Any) -> None:
    definition = Registry().add_orchestrator(function)
    assert definition.takes_input is takes_input
    assert definition.input_type == input_type
    assert definition.output_type == output_type


def test_kinds_of_orchestrators() -> None:
    registry = Registry()
    assert registry.add_orchestrator(no_input).is_async
    assert not registry.add_orchestrator(no_input).is_generator
    assert registry.add_orchestrator(generator).is_generator
    assert not registry.add_orchestrator(generator).is_async


def test_an_input_type_may_be_given_at_registration() -> None:
    assert Registry().add_orchestrator(no_input, input_type=int).input_type is int
    assert Registry().add_orchestrator(unannotated, input_type=int).input_type is int  # pyright: ignore[reportUnknownArgumentType]
    assert Registry().add_orchestrator(with_input, input_type=int).input_type is Order


def nothing() -> int:
    return 1


def of_input(order: Order) -> Order:
    return order


def of_context(ctx: ActivityContext) -> None: ...


def of_both(info: Any, order: Order) -> Order:
    return order


def named_context(context) -> None: ...  # type: ignore[no-untyped-def]  # pyright: ignore


def named_otherwise(order) -> None: ...  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]


def named_context_but_typed(ctx: dict[str, int]) -> None: ...


def with_keyword_only(order: int, *, trace: bool = False) -> None: ...


async def asynchronous(order: int) -> str:
    return str(order)


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*arguments: Any) -> Any:
        return function(*arguments)

    return inner


@pytest.mark.parametrize(
    ("function", "takes_context", "takes_input", "input_type", "output_type"),
    [
        (nothing, False, False, Any, int),
        (of_input, False, True, Order, Order),
        (of_context, True, False, Any, type(None)),
        (of_both, True, True, Order, Order),
        (named_context, True, False, Any, type(None)),  # pyright: ignore[reportUnknownArgumentType]
        (named_otherwise, False, True, Any, type(None)),  # pyright: ignore[reportUnknownArgumentType]
        (named_context_but_typed, False, True, dict[str, int], type(None)),
        (with_keyword_only, False, True, int, type(None)),
        (asynchronous, False, True, int, str),
        (wrapped(of_both), True, True, Order, Order),
    ],
)
def test_activities(
    function: Callable[..., Any],
    takes_context: bool,
    takes_input: bool,
    input_type: Any,
    output_type: Any,
) -> None:
    definition = Registry().add_activity(function)
    assert (definition.takes_context, definition.takes_input) == (takes_context, takes_input)
    assert (definition.input_type, definition.output_type) == (input_type, output_type)


def test_an_activity_knows_whether_it_is_async() -> None:
    registry = Registry()
    assert registry.add_activity(asynchronous).is_async
    assert not registry.add_activity(of_input).is_async


def three(a: int, b: int, c: int) -> None: ...


def none_at_all() -> None: ...


def activity_generator(order: int) -> Generator[int, None, None]:
    yield order


@pytest.mark.parametrize(
    ("add", "function", "why"),
    [
        (Registry.add_orchestrator, three, r"parameters \(a, b, c\); it takes \(ctx\) or \(ctx, input\)"),
        (Registry.add_orchestrator, none_at_all, r"parameters \(\)"),
        (Registry.add_orchestrator, async_generator, "is an async generator; use await"),
        (Registry.add_activity, three, r"it takes \(\), \(input\) or \(ctx, input\)"),
        (Registry.add_activity, activity_generator, "is a generator; return a value"),
        (Registry.add_activity, async_generator, "is a generator; return a value"),
    ],
)
def test_signatures_that_cannot_be_called(add: Callable[..., Any], function: Callable[..., Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        add(Registry(), function)


def test_an_annotation_that_cannot_be_resolved_says_so_when_it_is_needed() -> None:
    definition = Registry().add_orchestrator(late_input)
    with pytest.raises(ConfigurationError, match=r"'late_input' cannot be resolved: name 'Fraction'.*module level"):
        _ = definition.input_type


def test_two_functions_of_one_name() -> None:
    registry = Registry()
    registry.add_activity(of_input, "reserve")
    with pytest.raises(DuplicateNameError) as found:
        registry.add_activity(nothing, "reserve")
    assert "two activity functions are called 'reserve'" in str(found.value)
    assert f"{__name__}:{of_input.__code__.co_firstlineno}" in str(found.value)
    assert f"{__name__}:{nothing.__code__.co_firstlineno}" in str(found.value)
    assert registry.activities["reserve"].function is of_input


def test_the_same_function_twice_is_no_clash() -> None:
    registry = Registry()
    registry.add_activity(of_input)
    registry.add_activity(of_input)
    assert list(registry.activities) == ["of_input"]


def test_an_activity_and_an_orchestrator_may_share_a_name() -> None:
    registry = Registry()
    registry.add_activity(of_input, "ship")
    registry.add_orchestrator(no_input, "ship")
    assert (len(registry.activities), len(registry.orchestrators)) == (1, 1)


def test_names() -> None:
    registry = Registry()
    registry.add_activity(of_input, "reserve")
    registry.add_orchestrator(no_input, "main")
    assert registry.name_of(of_input) == "reserve"
    assert registry.name_of(no_input) == "main"
    assert registry.name_of("by name") == "by name"
    with pytest.raises(ConfigurationError, match="is not registered"):
        registry.name_of(nothing)


@pytest.mark.parametrize("name", ["\n", "x" * 257])
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidInputError, match="activity name"):
        Registry().add_activity(nothing, name)


def test_including_another_registry() -> None:
    blueprint, app = Registry(), Registry()
    blueprint.add_activity(of_input, "reserve")
    blueprint.add_orchestrator(no_input, "main")
    app.include(blueprint)
    assert app.name_of(of_input) == "reserve"
    assert set(app.orchestrators) == {"main"}
    app.include(blueprint)
    clash = Registry()
    clash.add_activity(nothing, "reserve")
    with pytest.raises(DuplicateNameError):
        app.include(clash)


def test_the_converter_of_an_app() -> None:
    converter = JsonConverter()
    assert Registry(converter).converter is converter
    assert isinstance(Registry().converter, JsonConverter)


def test_what_an_activity_may_know() -> None:
    context = ActivityContext("order-1", "e1", 3, attempt=2)
    again = ActivityContext("order-1", "e1", 3, attempt=3)
    assert (context.instance_id, context.execution_id, context.task_id, context.attempt) == ("order-1", "e1", 3, 2)
    assert context.idempotency_key == again.idempotency_key
    assert context.idempotency_key != ActivityContext("order-1", "e1", 4).idempotency_key
    assert context.idempotency_key != ActivityContext("order-1", "e2", 3).idempotency_key
