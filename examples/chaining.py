"""Function chaining: each activity gets the result of the one before. Written as a generator, as existing apps are."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from durable_ext import DurableBlueprint, OrchestrationContext

bp = DurableBlueprint()


@bp.activity
def say_hello(city: str) -> str:
    return f"Hello {city}!"


@bp.orchestrator
def chaining(context: OrchestrationContext) -> Generator[Any, Any, list[str]]:
    tokyo = yield context.call_activity(say_hello, "Tokyo")
    seattle = yield context.call_activity(say_hello, "Seattle")
    london = yield context.call_activity(say_hello, "London")
    return [tokyo, seattle, london]
