"""The examples of docs/harness.md run as they stand there, and the page names all there is."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FunctionType
from typing import Any

import azure.functions as func
import pytest

import durable_ext
from durable_ext.testing import Calls, Harness, HarnessInstance, WaitsForeverError
from durable_ext.testing.activity_calls import ActivityCall
from durable_ext.testing.harness import HarnessOptions
from durable_ext.testing.pytest_plugin import HarnessFactory, HistoryKeeper
from durable_ext.testing.virtual_time import START

from .pages import DOCS, fences, read

PAGE = "harness.md"
IMPORTS: dict[str, Any] = {name: getattr(durable_ext, name) for name in durable_ext.__all__} | {
    "HarnessFactory": HarnessFactory,
    "HistoryKeeper": HistoryKeeper,
    "START": START,
    "WaitsForeverError": WaitsForeverError,
    "asyncio": asyncio,
    "dataclass": dataclass,
    "func": func,
    "pytest": pytest,
    "timedelta": timedelta,
}


def test_every_example_runs(tmp_path: Path) -> None:
    names: dict[str, Any] = IMPORTS | {"__name__": __name__}
    for fence in fences(PAGE):
        if fence.language == "python":
            FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()
    tests = {name: value for name, value in names.items() if name.startswith("test_")}
    assert len(tests) == 7
    for name, test in tests.items():
        with ExitStack() as stack:
            factory = HarnessFactory(lambda: names["app"], stack)
            keeper = HistoryKeeper(tmp_path, name, records=True)
            test(
                **{"durable_harness": factory, "durable_history": keeper} if inspect.signature(test).parameters else {}
            )


@pytest.mark.parametrize("kind", [Harness, HarnessInstance, Calls])
def test_every_verb_is_told(kind: type) -> None:
    page = read(PAGE)
    public = {name for name in vars(kind) if not name.startswith("_")} - {"add", "engine", "do"}
    assert {name for name in public if f"`{name}" not in page and f", {name}" not in page} == set()


def test_every_option_and_field_is_told() -> None:
    page = read(PAGE)
    assert [name for name in HarnessOptions.__annotations__ if f"`{name}=" not in page] == []
    assert [name for name in ActivityCall.__struct_fields__ if f"`{name}`" not in page] == []
