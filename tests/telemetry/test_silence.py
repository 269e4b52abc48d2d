"""Off is the default, and costs nothing: nobody is told, nothing is loaded, nothing is written."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from durable_ext import DFApp
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.functions import storage
from durable_ext.functions.engine import Engine
from durable_ext.functions.settings import Told, read_settings
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.codec import encode_events, encode_messages
from durable_ext.telemetry import open_telemetry
from durable_ext.telemetry.listener import OpenTelemetry
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.telemetry import SILENCE
from tests.scenarios.two_stores import AnyHub, on_both, run_on

from .hearing import Ears, app

HERE = Path(__file__).resolve().parent
LOADED = """
import sys
from durable_ext.functions.engine import Engine
from durable_ext.authoring.registry import Registry
from durable_ext.worker.worker import Worker
import durable_ext.http_api.app
settings = Engine(Registry()).worker_settings
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "durable_ext.telemetry"))))
"""


def test_nobody_is_told_by_default() -> None:
    assert WorkerSettings().telemetry is SILENCE
    assert Engine(Registry()).worker_settings.telemetry is SILENCE


def test_nothing_is_loaded_by_default() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=HERE.parents[1], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_silence_makes_nothing() -> None:
    """The same thing for every turn and every run; events and providers go through as they are."""
    nothing: Any = None
    told = SILENCE.turn(nothing, [], [])
    assert told is SILENCE.turn(nothing, [], [])
    events: Any = (object(),)
    assert told.stamped(events) is events
    provider: Any = object()
    assert SILENCE.measured(provider) is provider
    assert SILENCE.activity(nothing, nothing, 1) is SILENCE.operation("", nothing, known=())


@on_both
def test_nothing_is_written_by_default(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(app(Ears()))
        await process.client.start("everything", 4, instance_id="x")
        messages = [message for delivery in await hub.take() for message in delivery.messages]
        assert b"trace" not in encode_messages(messages)
        await hub.leases_run_out()
        await hub.settle(process)
        assert await hub.output("x") == 9
        await process.worker.tidy()
        assert "oldest_work" not in process.provider.calls, "asked for by who measures only"
        for instance_id in ("x", "beside", "@counter@one"):
            for turn in await hub.store.history(instance_id):
                assert b"trace" not in encode_events(turn.events)

    run_on(store, test)


@pytest.mark.parametrize(
    ("value", "traces", "metrics"), [("on", True, True), ("traces", True, False), ("Metrics", False, True)]
)
def test_a_setting_switches_it_on(monkeypatch: pytest.MonkeyPatch, value: str, traces: bool, metrics: bool) -> None:
    monkeypatch.setenv("DURABLE_TELEMETRY", value)
    listener = Engine(Registry()).worker_settings.telemetry
    assert isinstance(listener, OpenTelemetry)
    assert (listener.traces, listener.measures) == (traces, metrics)


def test_a_wrong_value_is_named() -> None:
    assert read_settings({"DURABLE_TELEMETRY": "off"}, HERE).telemetry is Told.OFF
    with pytest.raises(ConfigurationError, match="DURABLE_TELEMETRY is 'loud'; it takes off, traces, metrics, on"):
        read_settings({"DURABLE_TELEMETRY": "loud"}, HERE)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "durable_ext.telemetry.listener")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(
        ConfigurationError, match=r"opentelemetry is not installed: pip install 'durable_ext\[telemetry\]'"
    ):
        open_telemetry()


def test_the_app_under_functions_tells_its_worker_and_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made(SqliteProvider):
        """A hub that a host has made, whoever asks first."""

        async def check_hub(self) -> None:
            await self.create_hub()

    def open_store(*_: object) -> SqliteProvider:
        return Made(":memory:")

    async def test() -> None:
        app = DFApp()
        worker = await app.worker()
        for client in (worker.client, await app.engine.client(), await app.engine.client("Other")):
            assert client.telemetry is app.engine.telemetry
        assert isinstance(app.engine.telemetry, OpenTelemetry)
        await app.close()

    monkeypatch.setenv("DURABLE_TELEMETRY", "on")
    monkeypatch.setattr(storage, "open_store", open_store)
    asyncio.run(test())
