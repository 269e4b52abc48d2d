"""The worked example of docs/how-a-turn-works.md comes to the rows that the page shows."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any, NamedTuple

from durable_ext import Registry, RuntimeStatus
from durable_ext.records.events import Input
from durable_ext.records.turns import Turn

from .hub import running
from .pages import fences, read
from .stores import memory_store

PAGE = "how-a-turn-works.md"
_PATIENCE = timedelta(seconds=30)
_ROW = re.compile(r"turn (\d), trigger (m\d)(?:, consumed m\d)?: (\w+)(?:\([^)]*\))? → (\w+)")


class Shown(NamedTuple):
    """A turn as the page shows it; the trigger is its place among the messages."""

    number: int
    trigger: str
    input: str
    decision: str


def shown_on_the_page() -> list[Shown]:
    return [Shown(int(match[1]), match[2], match[3], match[4]) for match in _ROW.finditer(read(PAGE))]


def shown(turn: Turn, triggers: dict[str, str]) -> Shown:
    (event,) = [event for event in turn.events if isinstance(event, Input)]
    (decision,) = [event for event in turn.events if not isinstance(event, Input)]
    return Shown(turn.number, triggers[turn.trigger_id], type(event).__name__, type(decision).__name__)


def registry() -> Registry:
    made = Registry()

    async def reserve(order: str) -> str:
        return order

    async def ship(order: str) -> str:
        return f"{order} shipped"

    names: dict[str, Any] = {"timedelta": timedelta, "reserve": reserve, "ship": ship}
    exec(fences(PAGE)[0].text, names)  # noqa: S102
    for activity in (reserve, ship):
        made.add_activity(activity)
    made.add_orchestrator(names["order_approval"])
    return made


async def run_example() -> tuple[list[Turn], str]:
    """The turns and the output."""
    store = memory_store()
    await store.create_hub()
    try:
        async with running(store, registry()) as worker:
            client = worker.client
            await client.start("order_approval", "tea", instance_id="order-17")
            await client.wait_until("order-17", lambda row: row.status is RuntimeStatus.RUNNING, _PATIENCE)
            await client.raise_event("order-17", "approval", True, message_id="m3")
            status = await client.wait_for_completion("order-17", _PATIENCE)
            turns = list(await client.history("order-17"))
        return turns, status.output
    finally:
        await store.close()


def test_the_turns_are_those_of_the_page() -> None:
    turns, output = asyncio.run(run_example())
    names = {turns[0].trigger_id: "m1", "m3": "m3"}
    assert output == "tea shipped"
    assert [shown(turn, names) for turn in turns] == shown_on_the_page()


def test_the_page_shows_four_turns() -> None:
    assert [turn.number for turn in shown_on_the_page()] == [0, 1, 2, 3]


def test_every_rule_has_its_line() -> None:
    text = read(PAGE)
    rules = [f"P{number}" for number in range(1, 14)] + [f"S{number}" for number in range(1, 8)]
    assert [rule for rule in rules if not re.search(rf"^{rule} \*\*", text, flags=re.MULTILINE)] == []
