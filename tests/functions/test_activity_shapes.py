"""Activities as Functions apps write them: any name for the input, a `context`, plain annotations as remarks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import azure.functions as func
import pytest

from durable_ext import ActivityContext, DFApp
from durable_ext.errors import ConfigurationError

from .attached import attached

Code = Generator[Any, Any, Any]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")


@dataclass
class Order:
    number: int


def named_context(context: dict[str, Any]) -> Any:
    return context["x"]


def named_context_without_type(context):  # type: ignore[no-untyped-def]  # pyright: ignore
    return context["x"]  # pyright: ignore


def with_host_context(given: dict[str, Any], context: func.Context) -> Any:
    assert context.function_name == "with_host_context"
    assert context.invocation_id
    return given["x"]


async def with_host_context_first(context: func.Context, given: dict[str, Any]) -> Any:
    return [*given["x"], context.function_name][:1]


def with_a_default(given: dict[str, Any], other: int = 5) -> Any:
    return given["x"] if other == 5 else None


def native(ctx: ActivityContext, given: dict[str, Any]) -> Any:
    assert ctx.attempt == 1
    return given["x"]


def remark(given: str) -> str:
    """Says text, gets and returns an object, as nobody minds there."""
    found: Any = given
    return found["x"]


def typed(given: Order) -> Any:
    return given.number


async def outcome(function: Callable[..., Any], input_name: str, given: Any) -> Any:
    app = DFApp()
    app.activity_trigger(input_name=input_name, activity="Named")(function)

    @app.orchestration_trigger(context_name="context")
    def main(context: Any) -> Code:
        return [(yield context.call_activity(function, given)), (yield context.call_activity("Named", given))]

    assert main is not None
    async with attached(app) as host:
        client = await app.engine.client()
        response = await client.wait_for_completion_or_create_check_status_response(
            None, await client.start_new("main"), 20_000
        )
        assert host is not None
        return response.status_code, response.get_body()


@pytest.mark.parametrize(
    ("function", "input_name"),
    [
        (named_context, "context"),
        (named_context_without_type, "context"),  # pyright: ignore
        (with_host_context, "given"),
        (with_host_context_first, "given"),
        (with_a_default, "given"),
        (native, "given"),
        (remark, "given"),
    ],
)
def test_shapes(function: Callable[..., Any], input_name: str) -> None:
    assert asyncio.run(outcome(function, input_name, {"x": [1]})) == (200, b"[[1],[1]]")


def test_a_type_that_is_no_plain_json_is_decoded() -> None:
    assert asyncio.run(outcome(typed, "given", {"number": 3})) == (200, b"[3,3]")


def test_no_input_for_a_text() -> None:
    def greet(name: str) -> str:
        return f"Hello {name}"

    assert asyncio.run(outcome(greet, "name", None)) == (200, b'["Hello None","Hello None"]')


@pytest.mark.parametrize(("input_name", "message"), [("nobody", "not among them"), ("given", "no bindings")])
def test_what_nothing_fills(input_name: str, message: str) -> None:
    def activity(given: str, blob: str) -> None: ...

    with pytest.raises(ConfigurationError, match=message):
        DFApp().activity_trigger(input_name=input_name)(activity)
