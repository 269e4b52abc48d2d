"""The fixtures, in a test run of their own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "durable_ext.testing.pytest_plugin"
ROOT = Path(__file__).resolve().parents[2]

APP = """
from durable_ext import DurableApp

app = DurableApp()
other = DurableApp()

@app.activity
def greet(name: str) -> str:
    return f"hello {name}"

@app.orchestrator
async def greeting(ctx, name: str) -> str:
    return await ctx.call_activity(greet, name)

@other.orchestrator
async def greeting_of_other(ctx) -> str:
    return "other"
"""

TESTS = """
import pytest

def test_of_the_ini_file(durable_harness):
    hub = durable_harness()
    assert hub.run("greeting", "you") == "hello you"
    assert durable_harness("function_app:other").run("greeting_of_other") == "other"

@pytest.mark.durable_app("function_app:other")
def test_of_the_marker(durable_harness):
    assert durable_harness(store="azure").run("greeting_of_other") == "other"

def test_history(durable_harness, durable_history):
    hub = durable_harness()
    greeting = hub.start("greeting", "you")
    assert greeting.result() == "hello you"
    durable_history(hub, greeting)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(function_app=APP, test_it=TESTS)
    pytester.makeini("[pytest]\ndurable_histories = recorded\n")
    return pytester


def test_harness_and_history(project: pytest.Pytester) -> None:
    missing = project.runpytest_subprocess("-p", PLUGIN)
    missing.assert_outcomes(passed=2, failed=1)
    missing.stdout.fnmatch_lines(["*no recorded history*test_history.json; run the test once with --durable-record*"])
    project.runpytest_subprocess("-p", PLUGIN, "--durable-record").assert_outcomes(passed=3)
    assert (project.path / "recorded" / "test_history.json").is_file()
    project.runpytest_subprocess("-p", PLUGIN).assert_outcomes(passed=3)


def test_code_that_no_longer_fits(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("-p", PLUGIN, "--durable-record").assert_outcomes(passed=3)
    changed = APP.replace("return await ctx.call_activity(greet, name)", "return 'hello ' + name")
    project.makepyfile(function_app=changed + "\n# changed, and of another length\n")
    result = project.runpytest_subprocess("-p", PLUGIN)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*NonDeterminismError*"])


def test_markers_and_options_are_known(project: pytest.Pytester) -> None:
    shown = project.runpytest_subprocess("-p", PLUGIN, "--strict-markers", "--strict-config", "--markers")
    shown.stdout.fnmatch_lines(["@pytest.mark.durable_app(app)*"])
    off = project.runpytest_subprocess("-p", f"no:{PLUGIN}", "-W", "ignore")
    off.stdout.fnmatch_lines(["*fixture 'durable_harness' not found*"])


def test_the_entry_point_names_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}


def test_it_costs_no_import_of_the_engine() -> None:
    code = f"import sys, pytest; import {PLUGIN}; print(*[m for m in sys.modules if m.startswith('durable_ext')])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(shown.stdout.split()) == {"durable_ext", "durable_ext.testing", PLUGIN}
