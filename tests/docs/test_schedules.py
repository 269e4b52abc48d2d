"""The examples of docs/schedules.md run as they stand there, and the page names all there is."""

from __future__ import annotations

from datetime import timedelta
from types import FunctionType
from typing import Any

import pytest

import durable_ext
from durable_ext import ScheduleClient
from durable_ext.testing import Harness
from durable_ext.worker.client.schedules import ScheduleChanges

from .pages import DOCS, fences, read

PAGE = "schedules.md"
IMPORTS: dict[str, Any] = {name: getattr(durable_ext, name) for name in durable_ext.__all__} | {
    "Harness": Harness,
    "timedelta": timedelta,
}


def test_every_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = IMPORTS | {"__name__": __name__}
    for fence in fences(PAGE):
        FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()
    names["test_the_report_runs_every_night"]()
    with Harness(names["app"]) as hub:
        hub.wait(names["set_up"](hub.client))
        hub.wait(names["look_after"](hub.client))
    assert capsys.readouterr().out.splitlines()[1] == "['pulse', 'report-eu']"


def test_every_verb_and_option_is_told() -> None:
    page = read(PAGE)
    assert [name for name in vars(ScheduleClient) if not name.startswith("_") and f"`{name}(" not in page] == []
    options = set(ScheduleChanges.__annotations__) - {"orchestrator"}
    assert [name for name in options if f"`{name}`" not in page] == []
