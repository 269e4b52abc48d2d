"""Quarantine through the CLI: an operator mends what an engine could not read, and the engine goes on (P11)."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.host.cli import main
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.testing import virtual_time
from durable_ext.testing.virtual_time import VirtualClock

from .hub import Hub

_ENGINE_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
# Commands run by the clock on the wall, which is between the two.
_ENGINE_AFTER = datetime(2090, 1, 1, tzinfo=UTC)


async def listen(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


def _registry() -> Registry:
    registry = Registry()
    registry.add_orchestrator(listen)
    return registry


def _with_engine(file: Path, start: datetime, test: Callable[[Hub], Coroutine[Any, Any, None]]) -> None:
    async def run(clock: VirtualClock) -> None:
        store = SqliteProvider(str(file), partitions=4, clock=clock)
        hub = Hub(clock, store)
        await store.create_hub()
        try:
            await test(hub)
        finally:
            await hub.close()

    virtual_time.run(run, start=start)


async def _do(hub: Hub, statement: str) -> None:
    assert isinstance(hub.store, SqliteProvider)
    await hub.store._database.write(lambda db: db.execute(statement))  # pyright: ignore[reportPrivateUsage] - the damage


def test_operator_lists_shows_replays_and_deletes_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hub.sqlite"

    def durable(*arguments: str) -> str:
        capsys.readouterr()
        assert main([*arguments, "--storage", f"sqlite:{file}"]) == 0
        return capsys.readouterr().out

    async def damaged(hub: Hub) -> None:
        process = hub.process(_registry(), most_attempts=2)
        process.start()
        for instance_id in ("x", "y"):
            await process.client.start("listen", instance_id=instance_id)
        await hub.clock.sleep(5)
        await process.stop()
        await _do(hub, "UPDATE history SET events = '?' || events")
        again = hub.process(_registry(), most_attempts=2)
        again.start()
        for instance_id in ("x", "y"):
            await again.client.raise_event(instance_id, "go", instance_id, message_id=f"to {instance_id}")
            await hub.clock.sleep(30)

    async def mended(hub: Hub) -> None:
        await _do(hub, "UPDATE history SET events = substr(events, 2)")
        process = hub.process(_registry())
        process.start()
        await hub.clock.sleep(5)
        assert await hub.output("x") == "x"
        assert not (await hub.status("y")).is_terminal
        assert await hub.left() == []

    _with_engine(file, _ENGINE_BEFORE, damaged)
    listed = json.loads(durable("quarantine", "list", "--json"))
    assert [(one["id"], one["instanceId"], one["dequeueCount"]) for one in listed] == [
        ("to x", "x", 2),
        ("to y", "y", 2),
    ]
    assert "cannot be read" in durable("quarantine", "list")
    shown = durable("quarantine", "show", "to x")
    assert "Traceback (most recent call last):\n" in shown
    assert "turn 0 of instance 'x' cannot be read" in shown
    assert json.loads(durable("quarantine", "show", "to x", "--json")) == listed[0]
    assert "sent again" in durable("quarantine", "replay", "to x")
    assert "deleted" in durable("quarantine", "delete", "to y")
    assert json.loads(durable("quarantine", "list", "--json")) == []
    _with_engine(file, _ENGINE_AFTER, mended)
