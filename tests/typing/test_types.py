"""Calls are typed by the function they take (R5): pyright in strict mode agrees with every line of `checked`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = Path(__file__).parent / "checked"

FILES = ("calls.py", "decorated.py", "entities.py")

# A mistake each, and the rule that finds it.
MISTAKES = {
    "assert_type(await ctx.call_activity(reserve, order), int)": "reportAssertTypeFailure",
    "assert_type(await ctx.call_activity('reserve', order), Receipt)": "reportAssertTypeFailure",
    "ctx.call_activity(reserve, 5)": "reportCallIssue",
    "await ctx.call_activity(reserve, order)  # pyright: ignore[reportCallIssue]": "reportUnnecessaryTypeIgnoreComment",
}


def complaints(folder: Path) -> list[tuple[str, int, str, str]]:
    """What pyright says of the folder's files: file, line, rule and text. The run itself must succeed."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(folder / "pyrightconfig.json")]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    assert ran.returncode in (0, 1), ran.stderr + ran.stdout
    report: dict[str, Any] = json.loads(ran.stdout)
    assert report["summary"]["filesAnalyzed"] > 0
    return [
        (Path(found["file"]).name, found["range"]["start"]["line"], found.get("rule", ""), found["message"])
        for found in report["generalDiagnostics"]
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str, str]]:
    """One run of pyright, which takes seconds, over the files and a copy with mistakes."""
    folder = tmp_path_factory.mktemp("typing")
    for name in FILES:
        (folder / name).write_text((CHECKED / name).read_text(encoding="utf-8"), encoding="utf-8")
    text = (CHECKED / "calls.py").read_text(encoding="utf-8")
    lines = [f"    {mistake}\n" for mistake in MISTAKES]
    header = "\n\nasync def planted(ctx: OrchestrationContext, order: Order) -> None:\n"
    (folder / "planted.py").write_text(text + header + "".join(lines), encoding="utf-8")
    settings = {
        "include": ["."],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT)],
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    return complaints(folder)


def test_every_line_is_typed_as_it_says(found: list[tuple[str, int, str, str]]) -> None:
    assert [item for item in found if item[0] in FILES] == []


def test_a_mistake_is_found_on_its_line(found: list[tuple[str, int, str, str]]) -> None:
    first = len((CHECKED / "calls.py").read_text(encoding="utf-8").splitlines()) + 3
    rules = [{rule for _, line, rule, _ in found if line == first + number} for number in range(len(MISTAKES))]
    assert [wanted in seen for wanted, seen in zip(MISTAKES.values(), rules, strict=True)] == [True] * len(MISTAKES)
    assert {line for name, line, _, _ in found if name == "planted.py"} == set(range(first, first + len(MISTAKES)))
