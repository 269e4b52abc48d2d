"""One converter for an app, wherever its values turn into JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import azure.functions as func
import pytest

from durable_ext import DurableApp, DurableBlueprint, JsonConverter
from durable_ext.functions.app import engine_of
from durable_ext.functions.engine import Engine
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.worker.worker import Worker

HUB = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "DURABLE_HUB": "hub"}


class Counting(JsonConverter):
    pass


def told(error: BaseException) -> dict[str, Any]:
    return {}


def test_of_an_app() -> None:
    converter = Counting()
    app = DurableApp(converter=converter, properties_of=told)
    blueprint = DurableBlueprint(converter=Counting())
    app.register_functions(blueprint)
    assert app.registry.converter is converter
    assert engine_of(app).registry is app.registry
    assert app.registry.properties_of is told


def test_of_a_plain_app_with_blueprints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HUB.items():
        monkeypatch.setenv(name, value)
    app = func.FunctionApp()
    first = DurableBlueprint(converter=Counting(), properties_of=told)
    for blueprint in (first, DurableBlueprint()):
        app.register_functions(blueprint)
    assert engine_of(app).registry.converter is first.registry.converter
    assert engine_of(app).registry.properties_of is told


def test_of_the_worker_and_its_client() -> None:
    registry = DurableApp(converter=Counting()).registry
    store = SqliteProvider(":memory:")
    worker = Worker(store, store, registry)
    assert worker.client.converter is registry.converter


def test_of_the_client_of_another_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    app = DurableApp(converter=Counting())

    async def open_store(self: Engine, settings: Any, *, creates: bool) -> SqliteProvider:
        return SqliteProvider(":memory:")

    monkeypatch.setattr(Engine, "_open_store", open_store)
    for name, value in HUB.items():
        monkeypatch.setenv(name, value)
    client = asyncio.run(app.engine.client("other"))
    assert client.converter is app.registry.converter
