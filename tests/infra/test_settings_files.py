"""host.json, the example settings, requirements and .funcignore agree with each other and with the code."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from .template import ROOT, TEMPLATE, parsed, the_resource

TEXT = TEMPLATE.read_text(encoding="utf-8")
SETTING = re.compile(r"DURABLE_(?!EXT_)[A-Z_]+")


def load(name: str) -> dict[str, Any]:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def duration(text: str) -> timedelta:
    hours, minutes, seconds = (float(part) for part in text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def names_the_code_reads() -> set[str]:
    files = [*(ROOT / "durable_ext").rglob("*.py"), *ROOT.glob("function_app.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and SETTING.fullmatch(value)}


def test_queue_options_are_the_ones_docs_explain() -> None:
    queues = load("host.json")["extensions"]["queues"]
    assert queues["messageEncoding"] == "base64"
    assert queues["maxDequeueCount"] == 5
    assert 16 <= queues["batchSize"] <= 32
    assert 0 <= queues["newBatchThreshold"] <= queues["batchSize"]
    assert timedelta(milliseconds=100) <= duration(queues["maxPollingInterval"]) <= timedelta(seconds=2)
    assert timedelta(seconds=2) <= duration(queues["visibilityTimeout"]) <= timedelta(seconds=30)


def test_every_plan_takes_the_function_timeout() -> None:
    assert timedelta(minutes=1) <= duration(load("host.json")["functionTimeout"]) <= timedelta(minutes=10)


def test_host_json_brings_the_extensions_and_the_prefix() -> None:
    host = load("host.json")
    assert host["version"] == "2.0"
    assert host["extensionBundle"]["version"] == "[4.*, 5.0.0)"
    assert host["extensions"]["http"]["routePrefix"] == "api"


def test_docs_explain_every_option_of_host_json() -> None:
    text = (ROOT / "docs" / "host-json.md").read_text(encoding="utf-8")
    host = load("host.json")
    options = [*host["extensions"]["queues"], *host["extensions"]["http"], "functionTimeout", "extensionBundle"]
    assert [option for option in options if f"`{option}`" not in text] == []


def test_example_settings_are_strings_for_the_emulator() -> None:
    values = load("local.settings.json.example")["Values"]
    assert all(isinstance(value, str) for value in values.values())
    assert values["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_deployed_settings_are_in_the_example() -> None:
    deployed = {name for name in the_resource(TEXT, "Microsoft.Web/sites/config")["properties"] if SETTING.match(name)}
    example = {name for name in load("local.settings.json.example")["Values"] if SETTING.match(name)}
    assert deployed
    assert deployed - example == set()


def test_the_example_has_every_setting_that_the_code_reads() -> None:
    example = {name for name in load("local.settings.json.example")["Values"] if SETTING.match(name)}
    assert example == names_the_code_reads()


def test_a_session_ends_well_before_the_function_timeout() -> None:
    timeout = duration(load("host.json")["functionTimeout"])
    budget = timedelta(seconds=float(load("local.settings.json.example")["Values"]["DURABLE_SESSION_BUDGET"]))
    assert budget <= timeout / 2


def test_the_template_and_the_example_agree_on_the_hub() -> None:
    values = load("local.settings.json.example")["Values"]
    parameters = parsed(TEXT)["parameters"]
    assert values["DURABLE_PARTITIONS"] == str(parameters["partitions"]["default"])
    assert values["DURABLE_HUB"] == parameters["hub"]["default"]


def test_requirements_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    assert listed == {line for line in project["dependencies"] if not line.startswith("uvicorn")}


def ignored(name: str) -> bool:
    patterns = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def test_the_package_shipped_to_azure_has_what_the_app_imports() -> None:
    app = ROOT / "function_app.py"
    tree = ast.parse(app.read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {item.name for node in ast.walk(tree) if isinstance(node, ast.Import) for item in node.names}
    local = [name.partition(".")[0] for name in imported if _is_local(ROOT, name)]
    needed = {*local, app.name, "host.json", "requirements.txt", "durable_ext"}
    assert [name for name in needed if ignored(name)] == []


def _is_local(root: Path, name: str) -> bool:
    first = root / name.partition(".")[0]
    return first.is_dir() or first.with_suffix(".py").is_file()


def test_what_a_developer_keeps_is_not_shipped() -> None:
    kept = ("local.settings.json", ".venv", ".venv-worker", ".git", "tests", "infra", "durable.sqlite", "tools")
    assert [name for name in kept if not ignored(name)] == []
