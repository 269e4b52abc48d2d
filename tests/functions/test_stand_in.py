"""`import azure.durable_functions`, answered by us: names, sub-modules, and the decorators of plain apps (F1)."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

import durable_ext
from durable_ext.errors import ConfigurationError, DuplicateNameError
from durable_ext.functions import BlockingClient, DurableApp, DurableBlueprint
from durable_ext.functions.app import engine_of
from durable_ext.functions.stand_in import NAME, install
from durable_ext.functions.submodules import BESIDE_MODELS, SUBMODULES
from durable_ext.host.apps import load_app

from .attached import attached
from .test_emission import ENGINE, triggers

ROOT = Path(__file__).resolve().parents[2]
Code = Generator[Any, Any, Any]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    before = {name for name in sys.modules if name.startswith(NAME)}
    install()
    yield
    for name in {name for name in sys.modules if name.startswith(NAME)} - before:
        del sys.modules[name]


def declared(container: Any) -> dict[str, Any]:
    """An orchestrator, an activity and a function with a client, by the decorators of azure.functions itself."""

    @container.orchestration_trigger(context_name="context")
    def chain(context: Any) -> Code:
        return (yield context.call_activity(shout, context.get_input()))

    @container.activity_trigger(input_name="text")
    def shout(text: str) -> str:
        return text.upper()

    @container.route(route="start")
    @container.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client: Any) -> func.HttpResponse:
        instance_id = await client.start_new("chain", client_input=req.get_body().decode())
        return await client.wait_for_completion_or_create_check_status_response(req, instance_id)

    @container.durable_client_input(client_name="client")
    @container.route(route="above")
    def above(req: func.HttpRequest, client: BlockingClient) -> func.HttpResponse:
        instance_id = client.start_new("chain", client_input=req.get_body().decode())
        return client.wait_for_completion_or_create_check_status_response(req, instance_id)

    return {"chain": chain, "shout": shout, "start": start, "above": above}


def plain_app() -> func.FunctionApp:
    app = func.FunctionApp()
    declared(app)
    return app


def plain_blueprint_in_a_plain_app() -> func.FunctionApp:
    app, bp = func.FunctionApp(), func.Blueprint()
    declared(bp)
    app.register_functions(bp)
    return app


def plain_blueprint_in_a_durable_app() -> func.FunctionApp:
    app, bp = DurableApp(), func.Blueprint()
    declared(bp)
    app.register_functions(bp)
    return app


def durable_blueprint_in_a_plain_app() -> func.FunctionApp:
    app, bp = func.FunctionApp(), DurableBlueprint()
    declared(bp)
    app.register_functions(bp)
    return app


def everything_at_once() -> func.FunctionApp:
    app, bp, other = func.FunctionApp(), DurableBlueprint(), func.Blueprint()

    @app.activity_trigger(input_name="x")
    def first(x: int) -> int:
        return x

    @other.activity_trigger(input_name="x")
    def second(x: int) -> int:
        return x

    assert None not in (first, second)
    declared(bp)
    app.register_functions(bp)
    app.register_functions(other)
    return app


APPS = (
    plain_app,
    plain_blueprint_in_a_plain_app,
    plain_blueprint_in_a_durable_app,
    durable_blueprint_in_a_plain_app,
    everything_at_once,
)


@pytest.mark.parametrize("make", APPS)
def test_it_runs(make: Any) -> None:
    async def run() -> None:
        async with attached(make()) as host:
            assert await host.call("start", b"hello") == (200, b"HELLO")
            assert await host.call("above", b"you") == (200, b"YOU")

    asyncio.run(run())


@pytest.mark.parametrize("make", APPS)
def test_the_engine_is_emitted_once(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "azure")
    monkeypatch.setenv("DURABLE_PARTITIONS", "2")
    app = make()
    assert set(triggers(app.get_functions())) == ENGINE | {"start", "above"}
    assert set(engine_of(app).registry.orchestrators) == {"chain"}
    assert "shout" in engine_of(app).registry.activities


def test_decorated_functions_stay_callable() -> None:
    found = declared(func.FunctionApp())
    assert found["shout"]("x") == "X"
    assert found["shout"].build().get_user_function()("x") == "X"
    chain = found["chain"].build().get_user_function()
    assert inspect.isgeneratorfunction(chain.orchestrator_function)
    assert found["start"].build().get_user_function().client_function.__name__ == "start"


@pytest.mark.parametrize("container", [func.FunctionApp, func.Blueprint, DurableApp, DurableBlueprint])
def test_function_name_names_an_orchestrator(container: Any) -> None:
    made = container()

    @made.function_name("Above")
    @made.orchestration_trigger(context_name="context")
    def one(context: Any) -> Code:
        return (yield context.call_activity(two, 1))

    @made.activity_trigger(input_name="x")
    @made.function_name("Below")
    def two(x: int) -> int:
        return x

    assert one is not None
    app: Any = made
    if not isinstance(made, func.FunctionRegister):
        app = func.FunctionApp()
        app.register_functions(made)
    names = set(triggers(app.get_functions()))
    registry = engine_of(app).registry
    assert names.isdisjoint({"Above", "Below", "one", "two"})
    assert (set(registry.orchestrators), set(registry.activities)) == ({"Above"}, {"Below"})
    assert (registry.name_of(one), registry.name_of(two)) == ("Above", "Below")


def test_a_name_twice_is_refused() -> None:
    app = func.FunctionApp()
    declared(app)
    with pytest.raises(DuplicateNameError, match="chain"):
        declared(app)


def test_two_apps_do_not_mix() -> None:
    apps = plain_app(), plain_app()
    assert engine_of(apps[0]) is not engine_of(apps[1])


def test_names_are_the_same_objects() -> None:
    df: Any = importlib.import_module(NAME)
    assert sys.modules["azure"].durable_functions is df
    assert df.DFApp is durable_ext.DFApp is DurableApp
    for name in SUBMODULES:
        theirs, ours = (
            importlib.import_module(f"{NAME}.models.{name}"),
            importlib.import_module(f"durable_ext.models.{name}"),
        )
        for item in SUBMODULES[name]:
            assert getattr(theirs, item) is getattr(ours, item)
    assert importlib.import_module(f"{NAME}.models").RetryOptions is durable_ext.RetryOptions
    assert callable(importlib.import_module(f"{NAME}.testing").orchestrator_generator_wrapper)
    with pytest.raises(AttributeError):
        _ = df.NoSuchName
    with pytest.raises(AttributeError):
        _ = df.models.NoSuchName


@pytest.mark.parametrize(
    ("name", "items"),
    [*BESIDE_MODELS.items(), ("testing.OrchestratorGeneratorWrapper", ["orchestrator_generator_wrapper"])],
)
def test_sub_modules_beside_models(name: str, items: Sequence[str]) -> None:
    module = importlib.import_module(f"{NAME}.{name}")
    where = importlib.import_module("durable_ext.testing") if name.startswith("testing") else durable_ext
    assert [getattr(module, item) for item in items] == [getattr(where, item) for item in items]


def test_who_imported_what_before_does_not_matter() -> None:
    importlib.import_module("durable_ext.models.RetryOptions")
    models: Any = importlib.import_module("durable_ext.models")
    assert models.RetryOptions(1, 2).max_attempts == 2


def test_the_real_package_is_not_mixed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as real:  # undone before the modules are taken away again
        real.setitem(sys.modules, NAME, type(sys)(NAME))
        with pytest.raises(ConfigurationError, match="imported already"):
            install()


def test_one_line_is_enough() -> None:
    code = f"""
import durable_ext.drop_in
import azure.durable_functions as df
from azure.durable_functions.models.RetryOptions import RetryOptions
from {NAME} import DFApp, Blueprint
import json
print(json.dumps([df.RetryOptions is RetryOptions, DFApp.__name__, df.__name__]))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [True, "DurableApp", NAME]


@pytest.mark.parametrize("parent", [f"{NAME}.models", "durable_ext.models"])
def test_a_sub_module_has_what_it_imports_there(parent: str) -> None:
    """The documentation of a purge imports the statuses from the module of the status."""
    module = importlib.import_module(f"{parent}.DurableOrchestrationStatus")
    assert module.OrchestrationRuntimeStatus is durable_ext.OrchestrationRuntimeStatus
    assert importlib.import_module(f"{parent}.DurableOrchestrationContext").RetryOptions is durable_ext.RetryOptions
    with pytest.raises(AttributeError, match="has no attribute 'OrchestratorState'"):
        _ = module.OrchestratorState


def test_durable_host_needs_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(NAME)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", sys.path[:])
    file = tmp_path / "unchanged_app.py"
    file.write_text("import azure.durable_functions as df\napp = df.DFApp()\n")
    assert isinstance(load_app(file), DurableApp)
    monkeypatch.delitem(sys.modules, "unchanged_app")


@pytest.mark.parametrize("container", [DurableApp, DurableBlueprint, func.Blueprint, func.FunctionApp])
def test_entities(container: Any) -> None:
    made = container()

    @made.entity_trigger(context_name="context", entity_name="Counter")
    def counter(context: Any) -> None: ...

    @made.function_name("Named")
    @made.entity_trigger(context_name="context")
    def other(context: Any) -> None: ...

    app: Any = made
    if not isinstance(made, func.FunctionRegister):
        app = func.FunctionApp()
        app.register_functions(made)
    functions = triggers(app.get_functions())
    assert set(engine_of(app).registry.entities) == {"counter", "named"}
    assert not {"counter", "other", "Named", "Counter"} & set(functions)
    assert counter.build().get_user_function().entity_function is counter
    assert other is not None


def test_an_entity_takes_its_context() -> None:
    def counter(ctx: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="context_name"):
        DurableApp().entity_trigger(context_name="context")(counter)
