"""The examples of docs/lifecycle-events.md run as they stand there, and its numbers and names are the real ones."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import FunctionType
from typing import Any

from durable_ext.authoring.lifecycle import LifecycleEvent
from durable_ext.outbound import event_grid
from durable_ext.outbound.event_grid import RETRIED
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker import lifecycle

from .hub import in_memory
from .pages import DOCS, fences, read

PAGE = "lifecycle-events.md"


def test_every_example_runs() -> None:
    names: dict[str, Any] = {"__name__": __name__, "asyncio": asyncio, "timedelta": timedelta, "hub": in_memory}
    for fence in fences(PAGE):
        if fence.language == "python":
            FunctionType(compile("\n" * (fence.line - 1) + fence.text, str(DOCS / PAGE), "exec"), names)()


def test_the_schema_is_what_is_sent() -> None:
    (fence,) = (fence for fence in fences(PAGE) if fence.language == "json")
    (shown,) = json.loads(fence.text)
    event = LifecycleEvent(
        id=shown["id"],
        hub="Shop",
        name="order",
        instance_id="x",
        status=RuntimeStatus.FAILED,
        time=datetime(2030, 1, 1, 12, tzinfo=UTC),
        reason="ValueError: none left",
    )
    sent = vars(event_grid)["_entry"](event)
    assert shown == sent | {"eventTime": "2030-01-01T12:00:00Z"}


def test_the_numbers_are_told() -> None:
    page, own = read(PAGE), vars(lifecycle)
    assert f"batches of up to {own['_BATCH']}" in page
    assert f"Up to {own['_MOST_WAITING']:,} wait" in page
    assert f"after {own['_LONGEST_ATTEMPT']:.0f} seconds" in page
    assert ",".join(map(str, sorted(RETRIED))) in page
