"""The examples of docs/telemetry.md run as they stand there, and its tables name what there is."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from types import FunctionType
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider

from durable_ext.telemetry.measures import Measures
from durable_ext.worker.telemetry import Level

from .hub import in_memory
from .pages import DOCS, fences, read

PAGE = "telemetry.md"


def test_every_example_runs() -> None:
    names: dict[str, Any] = {"__name__": __name__, "asyncio": asyncio, "timedelta": timedelta, "hub": in_memory}
    for fence in fences(PAGE):
        if fence.language != "python":
            continue
        FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()


def test_the_tables_name_every_measurement() -> None:
    made = Measures(MeterProvider(shutdown_on_exit=False).get_meter("x"))
    instruments = [value for value in vars(made).values() if hasattr(value, "name")]
    counted: dict[Any, Any] = vars(made)["_counted"]
    names = {one.name for one in (*instruments, *counted.values())} | {level.value for level in Level}
    told = set(re.findall(r"`(durable\.[a-z_.]+)`", read(PAGE)))
    attributes = {"durable.outcome", "durable.failure.kind", "durable.activity.repeated", "durable.queue.kind"}
    assert told - attributes - {"durable.work.tag", "durable.storage.operation"} == names
