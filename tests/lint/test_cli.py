"""`durable lint`: its output, its options and its exit codes (docs/cli.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durable_ext.host.cli import main
from durable_ext.host.exit_codes import ExitCode

FLOW = """\
import time
import uuid

def stamp():
    return time.time()

@app.orchestrator
async def flow(ctx):
    stamp()
    return str(uuid.uuid4()), str(uuid.uuid4())
"""
CLEAN = "@app.orchestrator\nasync def flow(ctx):\n    return ctx.now\n"


class Folder:
    """A current folder with an app, and the command in it."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys
        self.errors = ""

    def run(self, *arguments: str) -> tuple[int, str]:
        try:
            code = main(["lint", *arguments])
        except SystemExit as error:
            code = int(error.code or 0)
        printed = self._capsys.readouterr()
        self.errors = printed.err
        return code, printed.out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    (tmp_path / "app.py").write_text(FLOW)
    (tmp_path / "clean.py").write_text(CLEAN)
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path, capsys)


def test_text(folder: Folder) -> None:
    code, output = folder.run()
    assert code == ExitCode.FAILURE
    lines = output.splitlines()
    assert lines[0].startswith("app.py:5:12: DX101 clock: `time.time`: the clock shows another time at every replay")
    assert lines[1] == "    reached: flow (app.py:8) -> stamp (app.py:4)"
    assert lines[2] == "    remedy: use `ctx.now`, the time of the turn, which every replay repeats"
    assert [line.split()[0] for line in lines if not line.startswith(" ")][1:] == [
        "app.py:10:16:",
        "app.py:10:35:",
        "2",
    ]
    assert lines[-1] == "2 orchestrators in 2 files: 3 findings"


def test_a_clean_app(folder: Folder) -> None:
    assert folder.run("clean.py") == (ExitCode.OK, "1 orchestrator in 1 file: nothing found\n")
    assert folder.errors == ""


def test_no_orchestrator_is_said(folder: Folder) -> None:
    (folder.path / "none.py").write_text("X = 1\n")
    assert folder.run("none.py")[0] == ExitCode.OK
    assert "no orchestrator found" in folder.errors


def test_json(folder: Folder) -> None:
    code, output = folder.run("--format", "json")
    assert code == ExitCode.FAILURE
    first, *others = json.loads(output)
    assert len(others) == 2
    assert first.pop("message").startswith("`time.time`: the clock")
    assert first.pop("remedy").startswith("use `ctx.now`")
    assert first == {
        "path": "app.py",
        "line": 5,
        "column": 12,
        "endLine": 5,
        "endColumn": 21,
        "code": "DX101",
        "name": "clock",
        "level": "error",
        "via": [{"function": "flow", "path": "app.py", "line": 8}, {"function": "stamp", "path": "app.py", "line": 4}],
    }
    assert folder.run("clean.py", "--format", "json") == (ExitCode.OK, "[]\n")


def test_github(folder: Folder) -> None:
    (folder.path / "a,b%.py").write_text("@app.orchestrator\nasync def flow(ctx):\n    print(3)\n")
    code, output = folder.run("--format", "github", "a,b%.py", "app.py", "--select", "DX7,DX101")
    assert code == ExitCode.FAILURE
    first, second = output.splitlines()
    assert first.startswith(
        "::warning file=a%2Cb%25.py,line=3,endLine=3,col=5,endColumn=13,title=DX701 print::`print`: each"
    )
    assert second.startswith("::error file=app.py,line=5,endLine=5,col=12,endColumn=21,title=DX101 clock::`time.time`")
    assert "%0Areached: flow (app.py:8) -> stamp (app.py:4)%0Aremedy: use `ctx.now`" in second
    assert folder.run("--format", "github", "clean.py") == (ExitCode.OK, "")


def test_statistics(folder: Folder) -> None:
    code, output = folder.run("--statistics")
    assert code == ExitCode.FAILURE
    assert output.splitlines() == [
        "    2  DX103  uuid",
        "    1  DX101  clock",
        "2 orchestrators in 2 files: 3 findings",
    ]
    counted = json.loads(folder.run("--statistics", "--format", "json")[1])
    assert counted == [
        {"code": "DX103", "name": "uuid", "count": 2},
        {"code": "DX101", "name": "clock", "count": 1},
    ]


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (["--select", "DX101"], ["DX101"]),
        (["--select", "DX2,DX103"], ["DX103", "DX103"]),
        (["--select", "DX101", "--select", "DX103"], ["DX101", "DX103", "DX103"]),
        (["--ignore", "DX103"], ["DX101"]),
        (["--select", "DX1", "--ignore", "DX101"], ["DX103", "DX103"]),
        (["--ignore", "DX"], []),
        (["--select", "DX7"], []),
    ],
)
def test_rules_are_selected(arguments: list[str], codes: list[str], folder: Folder) -> None:
    code, output = folder.run("--format", "json", *arguments)
    assert [one["code"] for one in json.loads(output)] == codes
    assert code == (ExitCode.FAILURE if codes else ExitCode.OK)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.py"],
        ["--select", "DX9"],
        ["--select", ""],
        ["--ignore", "clock"],
        ["--explain", "DX10"],
        ["--format", "xml"],
        ["--what"],
    ],
)
def test_a_wrong_command_line(arguments: list[str], folder: Folder) -> None:
    assert folder.run(*arguments)[0] == ExitCode.USAGE
    assert folder.errors


def test_explain(folder: Folder) -> None:
    code, output = folder.run("--explain", "DX101")
    assert code == ExitCode.OK
    assert output.startswith("### DX101 clock\n\nThe clock shows another time at every replay")
    assert "return datetime.now().isoformat()" in output
    assert "return ctx.now.isoformat()" in output


def test_warnings_count(folder: Folder) -> None:
    (folder.path / "app.py").write_text("@app.orchestrator\nasync def flow(ctx):\n    print(3)\n")
    assert folder.run()[0] == ExitCode.FAILURE


def test_a_path_outside_the_current_folder_is_shown_whole(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "app.py"
    other.write_text(FLOW)
    assert folder.run(str(other))[1].startswith(f"{other.as_posix()}:5:12: DX101")


def test_the_door_and_other_commands_do_not_load_it() -> None:
    code = "import sys, durable_ext, durable_ext.host.cli as cli; cli.make_parser(); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "durable_ext.host.cli.lint" in shown
    assert not [name for name in shown if name.startswith("durable_ext.lint")]
