"""Every example of docs/orchestrations.md runs as it stands there, on a worker over SQLite."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import CodeType, FunctionType
from typing import Any, TypedDict

import pytest

import durable_ext
from durable_ext import ActivityContext, OrchestrationContext
from durable_ext.functions import DurableBlueprint

from .hub import running
from .pages import DOCS, Fence, fences, read
from .stores import memory_store

PAGE = "orchestrations.md"
_PATIENCE = 60

# What the examples take from elsewhere, as a user's module would import it.
IMPORTS: dict[str, Any] = {name: getattr(durable_ext, name) for name in durable_ext.__all__} | {
    "Any": Any,
    "Decimal": Decimal,
    # Code that comes from azure-functions-durable names its context so.
    "DurableOrchestrationContext": OrchestrationContext,
    "Generator": Generator,
    "TypedDict": TypedDict,
    "asyncio": asyncio,
    "dataclass": dataclass,
    "logging": logging,
    "timedelta": timedelta,
    "uuid": uuid,
}


def examples() -> list[Fence]:
    return [fence for fence in fences(PAGE) if fence.language == "python"]


def compiled(fence: Fence) -> CodeType:
    """The code of a block, its lines numbered as in the page; it may await at its top level."""
    code = "\n" * (fence.line - 1) + fence.text
    return compile(code, str(DOCS / PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


async def run_block(code: CodeType, names: dict[str, Any]) -> None:
    outcome: Any = FunctionType(code, names)()
    if inspect.iscoroutine(outcome):
        await outcome


async def run_page(blocks: list[Fence]) -> None:
    app = DurableBlueprint()
    store = memory_store()
    await store.create_hub()
    try:
        async with asyncio.timeout(_PATIENCE), running(store, app.registry) as worker:
            names = IMPORTS | {"__name__": __name__, "app": app, "client": worker.client}
            for block in blocks:
                await run_block(compiled(block), names)
    finally:
        await store.close()


def test_every_example_runs() -> None:
    asyncio.run(run_page(examples()))


def test_an_example_that_is_wrong_is_found() -> None:
    wrong = Fence("python", 'await client.start("nothing like this")\n', "", 7)
    with pytest.raises(durable_ext.ConfigurationError):
        asyncio.run(run_page([wrong]))


def public_names(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_name_of_the_context_is_shown() -> None:
    assert public_names(OrchestrationContext) - set(re.findall(r"\w+", read(PAGE))) == set()


def test_the_activity_context_is_shown() -> None:
    known = ActivityContext("i", "e", 1)
    named = {name for name in (*vars(known), *public_names(ActivityContext)) if not name.startswith("_")}
    assert {name for name in named if f"`{name}`" not in read(PAGE) and f"ctx.{name}" not in read(PAGE)} == set()
