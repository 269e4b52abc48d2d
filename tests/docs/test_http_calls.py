"""The examples of docs/http-calls.md run as they stand there."""

from __future__ import annotations

from datetime import timedelta
from types import FunctionType
from typing import Any

import durable_ext
from durable_ext.outbound.http_activity import MOST_BYTES
from durable_ext.testing import Harness, in_turn

from .pages import DOCS, fences, read

PAGE = "http-calls.md"
IMPORTS: dict[str, Any] = {name: getattr(durable_ext, name) for name in durable_ext.__all__} | {
    "Harness": Harness,
    "in_turn": in_turn,
    "timedelta": timedelta,
}


def test_every_example_runs() -> None:
    names: dict[str, Any] = IMPORTS | {"__name__": __name__}
    for fence in fences(PAGE):
        FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()
    names["test_a_build_of_twenty_minutes"]()


def test_the_limit_is_told() -> None:
    assert f"{MOST_BYTES // 2**20} MiB" in read(PAGE)
