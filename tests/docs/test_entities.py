"""The examples of docs/entities.md run as they stand there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import FunctionType
from typing import Any

import pytest

import durable_ext
from durable_ext.replay.entity_turn import MOST_TURNS
from durable_ext.testing import Harness

from .pages import DOCS, fences, read

PAGE = "entities.md"
IMPORTS: dict[str, Any] = {name: getattr(durable_ext, name) for name in durable_ext.__all__} | {
    "dataclass": dataclass,
    "timedelta": timedelta,
}


def test_every_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = IMPORTS | {"__name__": __name__}
    for fence in fences(PAGE):
        FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()
    with Harness(names["app"]) as hub:
        hub.wait(names["look_after"](hub.client))
        assert capsys.readouterr().out.splitlines() == [
            "30",
            "Account(balance=70)",
            "['@account@a', '@account@b']",
            "Cleaned(removed=0, released=0)",
        ]
        hub.advance(timedelta(days=1))
        archive = hub.wait(hub.client.read_entity("@ledger@archive"))
        assert archive is not None
        assert archive.state == ["1 notes"]
        assert [found.status.name for found in hub.instances()].count("audit") == 1


def test_the_length_of_an_execution_is_told() -> None:
    assert f"Every {MOST_TURNS} batches" in read(PAGE)
