"""The app in the real Functions worker: it indexes, and its queue, timer and HTTP functions run there (F4, T6)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .classic_folders import FOLDERS, write

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENGINE = {
    *("durable_control_00", "durable_control_00_poison", "durable_control_01", "durable_control_01_poison"),
    *("durable_workitems", "durable_workitems_poison", "durable_janitor", "zzz_durable_http"),
}
# The host gives the whole app 30 seconds; most of what we take is the import of libraries.
SLOWEST_INDEXING = 10.0

pytestmark = pytest.mark.azurite


@pytest.fixture
def interpreter() -> str:
    """The interpreter that has azure-functions-runtime; `make test` names it where there is a Python 3.13."""
    python = os.environ.get("DURABLE_EXT_WORKER_PYTHON", "")
    if not python:
        pytest.skip("DURABLE_EXT_WORKER_PYTHON names no interpreter with the real Functions worker (needs Python 3.13)")
    return python


def report_of(interpreter: str, folder: Path, file: str, orchestrator: str, environ: dict[str, str]) -> dict[str, Any]:
    ran = subprocess.run(
        [interpreter, str(HERE / "real_worker_script.py"), str(folder), file, orchestrator],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DURABLE_PARTITIONS": "2", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout)


def test_the_app(interpreter: str, azurite: str, hub: str) -> None:
    environ = {"AzureWebJobsStorage": azurite, "DURABLE_HUB": hub}
    report = report_of(interpreter, ROOT, "function_app.py", "chaining", environ)
    assert set(report["functions"]) == ENGINE | {"start"}
    assert report["start"] == 202
    assert (report["status"], report["shown"]["runtimeStatus"]) == (200, "Completed")
    assert report["shown"]["output"] == ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]
    assert {name.rpartition("_")[0] for name in report["calls"]} == {"durable_control"}
    assert report["seconds_to_index"] < SLOWEST_INDEXING


def test_a_plain_app_with_blueprints(interpreter: str, azurite: str, hub: str) -> None:
    environ = {"AzureWebJobsStorage": azurite, "DURABLE_HUB": hub}
    report = report_of(interpreter, HERE, "plain_app.py", "shouting", environ)
    assert set(report["functions"]) == ENGINE | {"start"}
    assert report["shown"]["output"] == "HELLO"


def test_a_plain_app_by_the_stand_in(interpreter: str, azurite: str, hub: str) -> None:
    environ = {"AzureWebJobsStorage": azurite, "DURABLE_HUB": hub}
    report = report_of(interpreter, HERE, "stand_in_app.py", "shouting", environ)
    assert set(report["functions"]) == ENGINE | {"start"}
    assert report["shown"]["output"] == "HELLO!"


def test_an_app_of_the_classic_model(interpreter: str, azurite: str, hub: str, tmp_path: Path) -> None:
    write(tmp_path, {"start": FOLDERS["HttpStart"], "Chain": FOLDERS["Chain"], "Hello": FOLDERS["Hello"]})
    environ = {"AzureWebJobsStorage": azurite, "DURABLE_HUB": hub}
    report = report_of(interpreter, tmp_path, "function_app.py", "Chain", environ)
    assert set(report["functions"]) == ENGINE | {"start"}
    assert report["shown"]["output"] == ["Hello Tokyo!", "Hello Oslo!"]
