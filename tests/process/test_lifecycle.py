"""A host's start and end: Ctrl-C drains, a second one does not wait, storage may come later, errors are told (S5)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from durable_ext.host import azurite as azurite_module
from durable_ext.host.azurite import Azurite

from .hosts import ROOT, Host, free_port, post, status_of, until
from .orders import APPROVAL, ORDER

# An activity that writes down each of its attempts, and at the first takes as long as it is told.
APP = """
import asyncio, time
from pathlib import Path
from durable_ext.functions import DurableApp

app = DurableApp()
NOTES = Path(__file__).parent / "attempts"

@app.activity
async def slow(seconds: float) -> str:
    first = not NOTES.exists()
    with NOTES.open("a") as notes:
        notes.write("x")
    if first:
        await asyncio.sleep(seconds)
    return "done"

@app.activity
async def blocks(seconds: float) -> None:
    NOTES.write_text("x")
    time.sleep(seconds)

@app.activity
def in_thread(seconds: float) -> None:
    NOTES.write_text("x")
    time.sleep(seconds)

@app.orchestrator
async def threaded(ctx, seconds: float) -> None:
    await ctx.call_activity(in_thread, seconds)

@app.orchestrator
async def one(ctx, seconds: float) -> str:
    return await ctx.call_activity(slow, seconds)

@app.orchestrator
async def stuck(ctx, seconds: float) -> None:
    await ctx.call_activity(blocks, seconds)
"""


def host_of_slow_app(folder: Path, environ: Mapping[str, str], *arguments: str) -> Host:
    (folder / "function_app.py").write_text(APP)
    return Host(folder, *arguments, app=folder / "function_app.py", environ=environ)


def begin(host: Host, orchestrator: str, seconds: float) -> None:
    """Start an instance and wait until its activity runs."""
    host.start_and_wait()
    assert post(f"{host.api}/orchestrators/{orchestrator}/i-1", seconds) == 202
    notes = host.log.parent / "attempts"
    until(notes.exists, 20, f"the activity runs: {host.output()}")


def completes(host: Host, instance_id: str, seconds: float = 20) -> None:
    until(lambda: status_of(host, instance_id).get("runtimeStatus") == "Completed", seconds, host.output())


@pytest.fixture
def sqlite(tmp_path: Path) -> dict[str, str]:
    return {"DURABLE_STORAGE": f"sqlite:{tmp_path / 'hub.sqlite'}"}


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_under_way_may_end(tmp_path: Path, sqlite: dict[str, str], number: signal.Signals) -> None:
    with host_of_slow_app(tmp_path, sqlite, "--grace", "20") as host:
        begin(host, "one", 1.0)
        host.process.send_signal(number)
        assert host.ends() == 0
        host.start_and_wait()
        completes(host, "i-1")
    assert (tmp_path / "attempts").read_text() == "x"


@pytest.mark.process
def test_what_does_not_end_in_time_is_given_to_the_next_host(tmp_path: Path, sqlite: dict[str, str]) -> None:
    # The lease is far longer than the test: only what was given back can go on.
    with host_of_slow_app(tmp_path, sqlite, "--grace", "1", "--lease", "600") as host:
        begin(host, "one", 600)
        host.interrupt()
        assert host.ends() == 0
        host.start_and_wait()
        completes(host, "i-1")
    assert (tmp_path / "attempts").read_text() == "xx"


@pytest.mark.process
def test_a_second_signal_ends_it_at_once_whatever_blocks(tmp_path: Path, sqlite: dict[str, str]) -> None:
    with host_of_slow_app(tmp_path, sqlite, "--grace", "600") as host:
        begin(host, "stuck", 600)
        host.interrupt()
        host.wait_for_words("Stopping:")
        host.interrupt()
        assert host.ends(5) == 130


@pytest.mark.process
def test_a_thread_that_does_not_end_does_not_keep_it(tmp_path: Path, sqlite: dict[str, str]) -> None:
    with host_of_slow_app(tmp_path, sqlite, "--grace", "1") as host:
        begin(host, "threaded", 600)
        host.interrupt()
        assert host.ends(10) == 0
        assert "Leaving 1 threads" in host.output()


@pytest.mark.process
def test_a_host_without_work_ends_at_once(tmp_path: Path, sqlite: dict[str, str]) -> None:
    with host_of_slow_app(tmp_path, sqlite) as host:
        host.start_and_wait()
        host.interrupt()
        assert host.ends(5) == 0
        assert "Traceback" not in host.output()


@pytest.mark.process
@pytest.mark.azurite
def test_storage_may_come_later(tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [free_port() for _ in range(3)]

    def same_ports(_count: int) -> list[int]:
        return ports

    monkeypatch.setattr(azurite_module, "_free_ports", same_ports)
    later = Azurite()
    with Azurite() as first:
        connection = first.connection_string
    environ = {"DURABLE_STORAGE": "azure", "DURABLE_HUB": hub, "AzureWebJobsStorage": connection}
    with Host(tmp_path, environ=environ) as host:
        host.start()
        host.wait_for_words("Storage cannot be reached")
        with later:
            host.wait_for_words("Running;", seconds=60)
            assert post(f"{host.api}/orchestrators/chaining/c-1", "x") == 202
            completes(host, "c-1")
            host.interrupt()
            assert host.ends() == 0


@pytest.mark.process
@pytest.mark.azurite
def test_a_host_that_waits_for_storage_can_be_stopped(tmp_path: Path, hub: str) -> None:
    port = free_port()
    endpoints = "".join(f"{kind}Endpoint=http://127.0.0.1:{port}/x;" for kind in ("Blob", "Queue", "Table"))
    environ = {
        "DURABLE_STORAGE": "azure",
        "DURABLE_HUB": hub,
        "AzureWebJobsStorage": f"AccountName=x;AccountKey=eA==;{endpoints}",
    }
    with Host(tmp_path, environ=environ) as host:
        host.start()
        host.wait_for_words("Storage cannot be reached")
        host.interrupt()
        assert host.ends() == 0


@pytest.mark.process
@pytest.mark.azurite
def test_its_own_azurite_goes_on_after_kill_9(tmp_path: Path) -> None:
    app = tmp_path / "function_app.py"
    app.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom examples.order_approval import bp\n")
    with app.open("a") as file:
        file.write("from durable_ext.functions import DurableApp\napp = DurableApp()\napp.register_functions(bp)\n")
    with Host(tmp_path, "--storage", "azurite", "--lease", "2", app=app) as host:
        host.start_and_wait()
        assert post(f"{host.api}/orchestrators/order_approval/o-1", ORDER) == 202
        until(lambda: status_of(host, "o-1").get("customStatus") == "waiting for approval", 20, host.output())
        host.kill()
        host.start_and_wait()
        command = [sys.executable, "-m", "durable_ext", "status", "o-1", "--storage", "azurite", "--app", str(app)]
        assert b"waiting for approval" in subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout
        assert post(f"{host.api}/instances/o-1/raiseEvent/approval", APPROVAL) == 202
        completes(host, "o-1")
        host.interrupt()
        assert host.ends() == 0
    assert not (tmp_path / ".durable" / "azurite" / "running.json").exists()


@pytest.mark.process
def test_what_keeps_it_from_starting_is_told(tmp_path: Path, sqlite: dict[str, str]) -> None:
    with host_of_slow_app(tmp_path, sqlite) as host, Host(tmp_path, environ=sqlite) as other:
        host.start_and_wait()
        other.log = tmp_path / "other.log"
        other.port = host.port
        other.start()
        assert other.ends() == 1
        assert f"127.0.0.1:{host.port}" in other.output()
        assert "Traceback" not in other.output()
        host.interrupt()
        assert host.ends() == 0
        other.arguments += ["--partitions", "7"]
        other.start()
        assert other.ends() == 1
        assert "partition" in other.output()
        assert "Traceback" not in other.output()
        (tmp_path / "function_app.py").write_text("x = 1\nraise ValueError('on purpose')\n")
        host.start()
        assert host.ends() == 1
        assert "function_app.py:2: ValueError: on purpose" in host.output()
