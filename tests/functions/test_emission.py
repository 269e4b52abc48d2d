"""What the host is shown: the engine's triggers, once, with stable names, beside the app's own functions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import ConfigurationError, DuplicateNameError
from durable_ext.functions import DurableApp, DurableBlueprint
from durable_ext.functions.app import engine_of
from durable_ext.functions.local import index
from durable_ext.functions.triggers import HTTP_NAME

ROOT = Path(__file__).resolve().parents[2]

Shown = dict[str, dict[str, Any]]

ENGINE = {
    *("durable_control_00", "durable_control_00_poison", "durable_control_01", "durable_control_01_poison"),
    *("durable_workitems", "durable_workitems_poison", "durable_janitor", HTTP_NAME),
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_HUB", "Orders")
    monkeypatch.setenv("DURABLE_PARTITIONS", "2")


def triggers(functions: list[func.Function]) -> Shown:
    shown: Shown = {}
    for function in functions:
        bindings = [json.loads(raw) for raw in function.get_raw_bindings()]
        shown[function.get_function_name() or ""] = next(b for b in bindings if b["type"].endswith("Trigger"))
    return shown


def test_a_trigger_for_every_queue() -> None:
    shown = triggers(DurableApp().get_functions())
    assert set(shown) == ENGINE
    queues = {name: trigger["queueName"] for name, trigger in shown.items() if trigger["type"] == "queueTrigger"}
    assert queues == {
        "durable_control_00": "orders-control-00",
        "durable_control_00_poison": "orders-control-00-poison",
        "durable_control_01": "orders-control-01",
        "durable_control_01_poison": "orders-control-01-poison",
        "durable_workitems": "orders-workitems",
        "durable_workitems_poison": "orders-workitems-poison",
    }
    assert {shown[name]["connection"] for name in queues} == {"AzureWebJobsStorage"}
    assert {shown[name]["dataType"] for name in queues} == {"BINARY"}


def test_a_trigger_for_each_tag_that_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_WORK_TAGS", "gpu, big-memory")
    shown = triggers(DurableApp().get_functions())
    assert {name: trigger["queueName"] for name, trigger in shown.items() if "workitems" in name} == {
        "durable_workitems_gpu": "orders-work-gpu",
        "durable_workitems_gpu_poison": "orders-work-gpu-poison",
        "durable_workitems_big_memory": "orders-work-big-memory",
        "durable_workitems_big_memory_poison": "orders-work-big-memory-poison",
    }
    monkeypatch.setenv("DURABLE_WORK_TAGS", "none")
    assert not [name for name in triggers(DurableApp().get_functions()) if "workitems" in name]


def test_the_connection_is_the_one_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_CONNECTION", "OrdersStorage")
    shown = triggers(DurableApp().get_functions())
    assert shown["durable_workitems"]["connection"] == "OrdersStorage"


def test_the_janitor_runs_every_minute() -> None:
    timer = triggers(DurableApp().get_functions())["durable_janitor"]
    assert (timer["type"], timer["schedule"]) == ("timerTrigger", "0 * * * * *")
    assert (timer["runOnStartup"], timer["useMonitor"]) == (False, False)


@pytest.mark.parametrize(
    ("setting", "level"), [("", "FUNCTION"), ("anonymous", "ANONYMOUS"), ("admin", "ADMIN"), ("Function", "FUNCTION")]
)
def test_the_management_api_is_one_function(setting: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_HTTP_AUTH_LEVEL", setting)
    app = DurableApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    http = {
        name: trigger for name, trigger in triggers(app.get_functions()).items() if trigger["type"] == "httpTrigger"
    }
    assert set(http) == {HTTP_NAME}
    assert http[HTTP_NAME]["route"] == "durabletask/{*path}"
    assert http[HTTP_NAME]["authLevel"] == level
    assert {"GET", "POST", "DELETE"} <= set(http[HTTP_NAME]["methods"])


def test_its_name_sorts_last() -> None:
    app = DurableApp()

    @app.route(route="durabletask/mine")
    def zebra(req: func.HttpRequest) -> str:
        return "mine"

    assert zebra is not None
    assert sorted(triggers(app.get_functions()), key=str.casefold)[-1] == HTTP_NAME


def test_sqlite_has_no_queue_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite:hub.db")
    assert set(triggers(DurableApp().get_functions())) == {"durable_janitor", HTTP_NAME}


def test_a_wrong_setting_stops_the_indexing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_PARTITIONS", "many")
    with pytest.raises(ConfigurationError, match="DURABLE_PARTITIONS"):
        DurableApp().get_functions()


def test_the_functions_are_made_once() -> None:
    app = DurableApp()
    first = app.get_functions()
    assert app.get_functions() is first


def sample_blueprint(suffix: str) -> DurableBlueprint:
    bp = DurableBlueprint()

    @bp.orchestrator(name=f"greet_{suffix}")
    async def greet(ctx: OrchestrationContext) -> None: ...

    @bp.function_name(f"ping_{suffix}")
    @bp.route(route=f"ping/{suffix}")
    def ping(req: func.HttpRequest) -> str:
        return "pong"

    assert greet is not None
    assert ping is not None
    return bp


def test_a_blueprint_brings_its_orchestrators() -> None:
    app = DurableApp()
    for suffix in ("a", "b"):
        app.register_functions(sample_blueprint(suffix))
    assert set(triggers(app.get_functions())) == ENGINE | {"ping_a", "ping_b"}
    assert set(app.registry.orchestrators) == {"greet_a", "greet_b"}


def test_register_blueprint_is_the_same() -> None:
    app = DurableApp()
    app.register_blueprint(sample_blueprint("a"))
    assert set(app.registry.orchestrators) == {"greet_a"}


def test_a_plain_app_gets_the_triggers_once_with_its_blueprints() -> None:
    app = func.FunctionApp()
    for suffix in ("a", "b"):
        app.register_functions(sample_blueprint(suffix))
    assert set(triggers(app.get_functions())) == ENGINE | {"ping_a", "ping_b"}
    assert set(engine_of(app).registry.orchestrators) == {"greet_a", "greet_b"}


def test_two_plain_apps_have_an_engine_each() -> None:
    apps = func.FunctionApp(), func.FunctionApp()
    for app in apps:
        app.register_functions(sample_blueprint("a"))
    assert all(set(triggers(app.get_functions())) == ENGINE | {"ping_a"} for app in apps)
    assert engine_of(apps[0]) is not engine_of(apps[1])


def test_a_plain_blueprint_in_a_durable_app() -> None:
    bp = func.Blueprint()

    @bp.route(route="ping")
    def ping(req: func.HttpRequest) -> str:
        return "pong"

    assert ping is not None
    app = DurableApp()
    app.register_functions(bp)
    assert set(triggers(app.get_functions())) == ENGINE | {"ping"}


def test_a_list_of_functions_can_be_looked_at() -> None:
    bp = sample_blueprint("a")
    app = DurableApp()
    app.register_functions(bp)
    assert len(bp._function_builders) == 1  # pyright: ignore[reportPrivateUsage]
    assert len(list(bp._function_builders)) == 1  # pyright: ignore[reportPrivateUsage]


def test_two_functions_of_one_name_are_refused() -> None:
    app = DurableApp()
    app.register_functions(sample_blueprint("a"))
    with pytest.raises(DuplicateNameError, match="greet_a"):
        app.register_functions(sample_blueprint("a"))


def test_a_plain_app_without_orchestrations_has_no_engine() -> None:
    app = func.FunctionApp()

    @app.route(route="ping")
    def ping(req: func.HttpRequest) -> str:
        return "pong"

    assert ping is not None
    with pytest.raises(ConfigurationError, match="DurableApp"):
        index(app)


def test_an_indexed_app() -> None:
    app = DurableApp()
    app.register_functions(sample_blueprint("a"))

    @app.function_name("copy")
    @app.generic_trigger(arg_name="blob", type="blobTrigger", path="in/{name}")  # pyright: ignore[reportUnknownMemberType]
    def copy(blob: func.InputStream) -> None: ...

    assert copy is not None

    @app.route(route="first")
    def alpha(req: func.HttpRequest) -> str:
        return "first"

    assert alpha is not None
    functions = index(app)
    functions.close()
    assert [function.name for function in functions.http] == ["alpha", "ping_a", HTTP_NAME]
    assert (functions.http[1].route, functions.http[1].auth_level) == ("ping/a", "function")
    assert [timer.name for timer in functions.timers] == ["durable_janitor"]
    assert functions.queues[0].queue_name == "orders-control-00"
    assert functions.unserved == (("copy", "blobTrigger"),)
    assert functions.registry is app.registry


def test_indexing_the_app_loads_no_heavy_library() -> None:
    """A cold start imports the app and indexes it; storage, HTTP and ASGI libraries are for the first use (F4)."""
    code = """
import sys
import function_app
function_app.app.get_functions()
print(*sorted({"azure.storage", "azure.core", "azure.identity", "aiohttp", "starlette", "sqlite3"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
