"""Apps of the classic model run unchanged: function.json folders, `create`, `DurableOrchestrationClient(starter)`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_ext import DFApp, DurableOrchestrationClient, Entity, Orchestrator
from durable_ext.errors import ConfigurationError, TaskFailedError
from durable_ext.functions.local import index
from durable_ext.functions.stand_in import install
from durable_ext.host.apps import load_app, registry_of
from durable_ext.testing import Harness

from .attached import Attached, attached
from .classic_folders import ACTIVITY, FOLDERS, ORCHESTRATION, Folder, write

SOON = timedelta(seconds=20)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    monkeypatch.setattr(sys, "path", sys.path[:])
    install()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("__app__", "shared_code", "function_app")]:
        del sys.modules[name]


async def output(host: Attached, instance_id: str) -> Any:
    return (await host.client.wait_for_completion(instance_id, SOON)).output


def test_an_app_of_folders(tmp_path: Path) -> None:
    async def run() -> None:
        async with attached(load_app(write(tmp_path))) as host:
            status, body = await host.call("HttpStart", functionName="Chain")
            assert status == 202
            assert await output(host, json.loads(body)["id"]) == ["Hello Tokyo!", "Hello Oslo!"]
            status, body = await host.call("PlainStart", functionName="Chain")
            assert (status, json.loads(body)) == (200, ["Hello Tokyo!", "Hello Oslo!"])
            await next(timer for timer in host.functions.timers if timer.name == "Tick").invoke()
            assert await output(host, "ticked") == ["Hello Tokyo!", "Hello Oslo!"]
            await next(queue for queue in host.functions.queues if queue.name == "Take").invoke(b"o-1", "m")
            assert await output(host, "o-1") == ["Hello Tokyo!", "Hello Oslo!"]
            status, body = await host.call("PlainStart", functionName="Count")
            assert (status, json.loads(body)) == (200, 5)

    asyncio.run(run())


ALERTS: dict[str, Folder] = {
    "Alert": (
        ORCHESTRATION,
        """
        import azure.durable_functions as df

        def alert(context):
            return (yield context.call_activity(context.get_input(), "+1"))

        main = df.Orchestrator.create(alert)
        """,
    ),
    "SendSms": (
        [
            {"name": "phone", "type": "activityTrigger", "direction": "in"},
            {"name": "message", "type": "twilioSms", "direction": "out", "accountSidSetting": "Sid"},
        ],
        """
        def main(phone: str, message) -> str:
            if message.get() is None and phone == "+0":
                return "nobody to tell"
            message.set("hello " + phone)
            return phone
        """,
    ),
    "ReadBlob": (
        [
            {"name": "name", "type": "activityTrigger", "direction": "in"},
            {"name": "blob", "type": "blob", "direction": "in", "path": "in/file"},
        ],
        """
        async def main(name: str, blob: bytes) -> int:
            return len(blob)
        """,
    ),
}


def test_bindings_of_activities_are_refused_when_they_are_used(tmp_path: Path) -> None:
    """The rest of the app is there, and a test can mock what uses them."""
    app = load_app(write(tmp_path, ALERTS))
    with Harness(app) as hub:
        with pytest.raises(TaskFailedError, match=r"'SendSms' uses its binding 'message' of type 'twilioSms'.*library"):
            hub.run("Alert", "SendSms")
        with pytest.raises(TaskFailedError, match=r"'ReadBlob' uses its binding 'blob' of type 'blob'"):
            hub.run("Alert", "ReadBlob")
        hub.mock("SendSms", "sent")
        assert hub.run("Alert", "SendSms") == "sent"
    send = app.registry.activities["SendSms"].function
    assert send("+0") == "nobody to tell"


def test_durable_host_needs_no_file_beside_the_folders(tmp_path: Path) -> None:
    write(tmp_path).unlink()
    file = tmp_path / "function_app.py"
    registry = registry_of(file)
    assert (set(registry.orchestrators), set(registry.activities)) == ({"Chain", "Count"}, {"Hello"})
    (tmp_path / "Hello" / "__init__.py").write_text("def main(name):\n    ...\n\nraise OSError('no disk')\n")
    for name in [name for name in sys.modules if name.startswith("__app__")]:
        del sys.modules[name]
    with pytest.raises(ConfigurationError, match=r"Hello.__init__\.py:4: OSError: no disk"):
        load_app(file)


def test_what_the_host_is_shown(tmp_path: Path) -> None:
    functions = index(load_app(write(tmp_path)))
    functions.close()
    start = next(item for item in functions.http if item.name == "HttpStart")
    assert (start.route, set(start.methods), start.auth_level) == (
        "orchestrators/{functionName}",
        {"POST", "GET"},
        "anonymous",
    )
    assert next(item for item in functions.timers if item.name == "Tick").schedule == "0 0 * * * *"
    take = next(item for item in functions.queues if item.name == "Take")
    assert (take.queue_name, take.connection) == ("orders", "Orders")
    assert set(functions.registry.orchestrators) == {"Chain", "Count"}
    assert set(functions.registry.entities) == {"counter"}
    assert set(functions.registry.activities) == {"Hello"}


def test_other_bindings_go_to_the_host(tmp_path: Path) -> None:
    bindings = [
        {"name": "blob", "type": "blobTrigger", "direction": "in", "path": "in/{name}", "dataType": "binary"},
        {"name": "more", "type": "table", "direction": "in", "tableName": "t"},
        {"name": "out", "type": "queue", "direction": "out", "queueName": "done", "connection": "C"},
        {"name": "starter", "type": "durableClient", "direction": "in", "taskHub": "%HUB%"},
    ]
    write(tmp_path, {"Copy": (bindings, "def main(blob, more, out, starter):\n    ...\n")})
    app = DFApp.from_classic(str(tmp_path / "function_app.py"))
    copy = next(item for item in app.get_functions() if item.get_function_name() == "Copy")
    raw = [json.loads(text) for text in copy.get_raw_bindings()]
    shown = {item["name"]: (item["type"], item["direction"], item.get("dataType")) for item in raw}
    assert shown == {
        "blob": ("blobTrigger", "IN", "BINARY"),
        "more": ("table", "IN", None),
        "out": ("queue", "OUT", None),
    }
    assert {item["queueName"] for item in raw if item["name"] == "out"} == {"done"}


def test_names_of_functions(tmp_path: Path) -> None:
    """A folder's name, unless the binding has another; a body shared by folders; an entry point."""
    body = "def run(context):\n    return 'ran'\n\ndef main(name):\n    return name\n"
    write(
        tmp_path,
        {
            "One": ([{**ORCHESTRATION[0], "orchestration": "First"}], body),
            "Two": (ORCHESTRATION, body),
        },
        entryPoint="run",
        scriptFile="../One/__init__.py",
    )
    write(tmp_path, {"Echo": ([{**ACTIVITY[0], "activity": "Repeat"}], body)})
    registry = DFApp.from_classic(str(tmp_path / "function_app.py")).registry
    assert (set(registry.orchestrators), set(registry.activities)) == ({"First", "Two"}, {"Repeat"})


def test_a_disabled_function_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"Hello": FOLDERS["Hello"]}, disabled=True)
    assert DFApp.from_classic(str(tmp_path / "function_app.py")).registry.activities == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("{", "cannot be read"),
        ("{}", "bindings"),
        ('{"bindings": []}', "0 triggers"),
        ('{"bindings": [{"name": "x", "type": "activityTrigger"}], "scriptFile": "no.py"}', "script"),
        ('{"bindings": [{"name": "x", "type": "activityTrigger"}], "scriptFile": "../../no.py"}', "script"),
        ('{"bindings": [{"name": "x", "type": "activityTrigger"}], "entryPoint": "nobody"}', "entryPoint"),
        (
            '{"bindings": [{"name": "n", "type": "queueTrigger"}, {"name": "y", "type": "q", "direction": "both"}]}',
            "direction",
        ),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, fields: str, message: str) -> None:
    write(tmp_path, {"Hello": FOLDERS["Hello"]})
    (tmp_path / "Hello" / "function.json").write_text(fields)
    with pytest.raises(ConfigurationError, match=message):
        DFApp.from_classic(str(tmp_path / "function_app.py"))


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder"):
        DFApp.from_classic(str(tmp_path / "function_app.py"))


def test_text_that_is_no_binding() -> None:
    with pytest.raises(ConfigurationError, match="durableClient binding"):
        DurableOrchestrationClient('{"taskHubName": "x"}')


def test_create_hands_back_the_function() -> None:
    def body(context: Any) -> Any:
        return context

    for created in (Orchestrator.create(body), Entity.create(body)):
        assert created is body
        assert created(1) == 1
    called: Any = body(1)
    with pytest.raises(TypeError, match="create takes the function itself, not what is of type int"):
        Orchestrator.create(called)
    assert body.__dict__["orchestrator_function"] is body.__dict__["entity_function"] is body
