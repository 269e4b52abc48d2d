"""docs/replay.md: its examples run as they stand there, and its tables are what the code says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from datetime import timedelta
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import msgspec
import pytest

from durable_ext import DurableApp, OrchestrationContext
from durable_ext.errors import InvalidInputError, NonDeterminismError
from durable_ext.records.parting import Parting
from durable_ext.testing import histories
from durable_ext.testing.histories import Finding, History, Verdict, check_replay, save_history

from ..docs.pages import DOCS, Fence, fences, read
from ..pumped import pumped

PAGE = "replay.md"
_PATIENCE = 30


def compiled(fence: Fence) -> CodeType:
    code = "\n" * (fence.line - 1) + fence.text
    return compile(code, str(DOCS / PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def imports() -> dict[str, Any]:
    named = (DurableApp, OrchestrationContext, Path, check_replay, save_history, timedelta)
    return {one.__name__: one for one in named} | {"__name__": __name__, "pytest": pytest}


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests" / "histories").mkdir(parents=True)
    app, test, saving = [compiled(fence) for fence in fences(PAGE) if fence.language == "python"]
    names = imports()
    FunctionType(app, names)()

    async def save() -> None:
        async with asyncio.timeout(_PATIENCE), pumped(names["app"].registry) as worker:
            names["client"] = worker.client
            outcome: Any = FunctionType(saving, names)()
            assert inspect.iscoroutine(outcome)
            await outcome

    with pytest.raises(InvalidInputError, match="no history file"):
        FunctionType(test, dict(names))()
    asyncio.run(save())
    FunctionType(test, names)()
    check = names["test_running_orders_go_on"]
    (files,) = [mark.args[1] for mark in check.pytestmark]
    assert [file.name for file in files] == ["order.json"]
    check(files[0])
    changed = DurableApp()
    changed.orchestrator(name="place_order")(_changed)
    with pytest.raises(NonDeterminismError):
        names["check_replay"](changed, files[0])


async def _changed(ctx: OrchestrationContext, sku: str) -> None:
    await ctx.call_activity("order", sku)


def test_names_fields_and_verdicts_are_told() -> None:
    page = read(PAGE)
    functions = ("check_replay", "history_files", "save_history", "read_history", "write_history", "fetch_history")
    for name in (*functions, "check_history"):
        assert hasattr(histories, name)
        assert f"`{name}(" in page
    for text in (*(verdict.value for verdict in Verdict), *History.__struct_encode_fields__):
        assert f"| `{text}` |" in page


def test_the_json_it_shows_is_what_is_printed() -> None:
    (text,) = [fence.text for fence in fences(PAGE) if fence.language == "json"]
    (result,) = json.loads(text)["results"]
    assert result.pop("file", "") is None
    assert result == msgspec.to_builtins(msgspec.convert(result, Finding, strict=True))
    assert set(result["parting"]) == set(Parting.__struct_encode_fields__)


def test_the_page_says_who_runs_it() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", read(PAGE))
    assert [DOCS.parent / name for name in named] == [Path(__file__)]
