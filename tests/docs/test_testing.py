"""The examples of docs/testing.md run as they stand there, and its texts are what the library says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from types import FunctionType
from typing import Any

from durable_ext import ActivityContext, DurableApp, OrchestrationContext
from durable_ext.testing import faults
from durable_ext.testing.faults import CrashOptions
from durable_ext.testing.scenario import WAYS, WORLDS

from .pages import DOCS, fences, read

PAGE = "testing.md"
IMPORTS: dict[str, Any] = {
    "ActivityContext": ActivityContext,
    "DurableApp": DurableApp,
    "OrchestrationContext": OrchestrationContext,
    "dataclass": dataclass,
    "timedelta": timedelta,
}


def test_every_example_runs() -> None:
    names: dict[str, Any] = IMPORTS | {"__name__": __name__}
    for fence in fences(PAGE):
        if fence.language == "python":
            FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_the_report_it_shows_is_of_the_example() -> None:
    names: dict[str, Any] = IMPORTS | {"__name__": __name__}
    first, text = fences(PAGE)[0].text, fences(PAGE)[3].text
    FunctionType(compile(first, PAGE, "exec", dont_inherit=True), names)()
    order = names["Order"]("A-1", 10)
    report = faults.crash_everywhere(names["app"], names["process_order"], order, events=[("approval", True)])
    assert _shape(str(report)) == _shape(text)


def _shape(text: str) -> list[str]:
    """Lines without their figures."""
    return [re.sub(r"\d+", "n", line) for line in text.strip().splitlines()]


def test_every_option_and_name_is_told() -> None:
    page = read(PAGE)
    missing = [name for name in CrashOptions.__annotations__ if f"`{name}`" not in page]
    missing += [name for name in (*WAYS, *WORLDS) if f'`"{name}"`' not in page]
    assert missing == []
