"""The example of docs/export.md runs as it stands there, and the page names all there is."""

from __future__ import annotations

from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import durable_ext
from durable_ext import OrchestrationContext, Registry
from durable_ext.host.export import CHECKPOINT, ExportOptions, file_name
from durable_ext.testing import Harness

from .pages import DOCS, fences, read

PAGE = "export.md"


async def greeting(ctx: OrchestrationContext) -> str:
    return "hello"


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {name: getattr(durable_ext, name) for name in durable_ext.__all__} | {"Path": Path}
    [fence] = [fence for fence in fences(PAGE) if fence.language == "python"]
    FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()
    registry = Registry()
    registry.add_orchestrator(greeting)
    with Harness(registry) as hub:
        hub.run(greeting)
        hub.wait(names["keep"](hub.client, tmp_path))
    assert capsys.readouterr().out == "1 executions of 1 instances in 1 files\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, file_name(1, compress=True)]


def test_every_option_and_name_is_told() -> None:
    page = read(PAGE)
    assert [name for name in ExportOptions.__annotations__ if f"`{name}=" not in page] == []
    assert f"`{CHECKPOINT}`" in page
    assert f"`{file_name(1, compress=True)}`" in page
