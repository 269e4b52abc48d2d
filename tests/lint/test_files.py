"""Which files are read, and files that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_ext.errors import InvalidInputError
from durable_ext.lint.files import python_files
from durable_ext.lint.linter import lint

from .sources import Sources

GOOD = b"import time\n\n@app.orchestrator\nasync def flow(ctx):\n    time.time()\n"


def write(folder: Path, name: str, data: bytes) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"def f(:\n", "DX001", 1),
        (b"x = 1\n  y = 2\n", "DX001", 2),
        (b"x = (\n", "DX001", 1),
        (b"if x:\n\tif y:\n        pass\n", "DX001", 3),
        (b"print 'two'\n", "DX001", 1),
        (b"x = '\xe4'\n", "DX002", 1),
        (b"# coding: nowhere\n", "DX002", 1),
        (b"x = 1\0\n", "DX001", 1),
        (b"\xff\xfe\x00", "DX002", 1),
    ],
)
def test_a_broken_file_is_a_finding_and_others_are_checked(data: bytes, code: str, line: int, sources: Sources) -> None:
    write(sources.folder, "broken.py", data)
    write(sources.folder, "good.py", GOOD)
    report = sources.report()
    assert [(one.path, one.code) for one in report.findings] == [("broken.py", code), ("good.py", "DX101")]
    assert report.findings[0].line == line
    assert report.files == 2


def test_a_broken_file_is_reported_whatever_is_selected(sources: Sources) -> None:
    write(sources.folder, "broken.py", b"def f(:\n")
    report = lint([sources.folder], frozenset({"DX103"}), folder=sources.folder)
    assert [one.code for one in report.findings] == ["DX001"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        "# coding: latin-1\nx = 'ä'\n".encode("latin-1"),
        b"x = '\\d'\n",
        b"match x:\n    case [a, *rest] if a:\n        pass\n    case {'k': v, **more} as whole:\n        pass\n",
        b"try:\n    pass\nexcept* ValueError as group:\n    raise\n",
        b"f = lambda a, /, b, *c, d=1, **e: a\n",
        b"[x for y in z if (x := y)]\n",
        b"global x\nx = 1\n",
        b"def f():\n    nonlocal_ = 1\n    del nonlocal_\n",
    ],
)
def test_every_shape_of_python_is_read(data: bytes, sources: Sources) -> None:
    write(sources.folder, "file.py", data)
    assert {one.code for one in sources.report().findings} <= {"DX101"}


def test_very_deep_code_is_a_finding_and_no_crash(sources: Sources) -> None:
    write(sources.folder, "deep.py", b"x = " + b"(" * 3000 + b")" * 3000)
    for length in (50, 100, 200, 300, 400, 500, 700, 1000, 3000):
        write(sources.folder, f"sum{length}.py", GOOD + b"    return " + b" + ".join([b"ctx.x"] * length))
        write(sources.folder, f"chain{length}.py", GOOD + b"    set(ctx" + b".x()" * length + b".read_text())")
    report = sources.report()
    assert report.files == 19
    assert {one.code for one in report.findings} == {"DX001", "DX002", "DX101", "DX201"}
    assert "deep.py" in {one.path for one in report.findings if one.code in {"DX001", "DX002"}}


def test_half_of_a_file_is_no_crash(sources: Sources) -> None:
    text = (Path(__file__).parent / "test_calls.py").read_bytes()
    for number, end in enumerate(range(0, len(text), len(text) // 19)):
        write(sources.folder, f"half{number}.py", text[:end])
    report = sources.report()
    assert report.files == 20
    assert {one.code for one in report.findings} <= {"DX001", "DX002"}


def test_hidden_folders_and_environments_are_left_out(tmp_path: Path) -> None:
    kept = ["app.py", "orders/flow.py", "environment/x.py"]
    left_out = [
        *(".hidden/x.py", ".venv/x.py", "venv/x.py", "node_modules/x.py", "__pycache__/x.py", "mine/lib/x.py"),
        *("lib/site-packages/x.py", "orders/.git/x.py", "notes.txt"),
    ]
    for name in (*kept, *left_out):
        write(tmp_path, name, b"")
    write(tmp_path, "mine/pyvenv.cfg", b"")
    assert python_files([tmp_path]) == sorted(tmp_path / name for name in kept)


def test_what_is_named_is_read_and_each_file_once(tmp_path: Path) -> None:
    for name in (".hidden/x.py", "script"):
        write(tmp_path, name, b"")
    paths = [tmp_path / ".hidden", tmp_path / ".hidden/x.py", tmp_path / "script", tmp_path / ".hidden/../script"]
    assert python_files(paths) == [tmp_path / ".hidden/x.py", tmp_path / "script"]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="there is no file or folder"):
        python_files([tmp_path / "nowhere"])


def test_nothing_of_the_app_is_run(sources: Sources) -> None:
    write(sources.folder, "app.py", b"raise SystemExit('imported')\n" + GOOD)
    write(sources.folder, "sitecustomize.py", b"raise SystemExit('imported')\n")
    assert [one.code for one in sources.report().findings] == ["DX101"]


def test_our_own_samples_are_clean() -> None:
    root = Path(__file__).resolve().parents[2]
    report = lint([root / "examples", root / "function_app.py", root / "benchmarks", root / "infra"])
    assert report.findings == ()
    assert report.orchestrators >= 8


def test_the_examples_of_the_guide_are_clean(sources: Sources) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "orchestrations.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    apps = [block for block in blocks if "@app." in block]
    sources.write("guide.py", "import asyncio\nimport logging\nimport uuid\n\n" + "\n".join(apps))
    report = sources.report()
    assert report.findings == ()
    assert report.orchestrators >= 10
