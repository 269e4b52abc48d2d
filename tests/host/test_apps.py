"""Loading the app: found by name or alone, and what is wrong with it told with file and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.host.apps import load_app, registry_of

APP = "class App:\n    def get_functions(self): return []\n"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path / "some_app.py"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_the_app_is_found(file: Path) -> None:
    file.write_text(f"{APP}\nother = App()\napp = App()\n")
    assert load_app(file) is sys.modules["some_app"].app


def test_an_app_under_another_name_is_found_when_there_is_one(file: Path) -> None:
    file.write_text(f"{APP}\nmine = App()\ndel App\n")
    assert load_app(file) is sys.modules["some_app"].mine


def test_modules_beside_the_app_can_be_imported(file: Path) -> None:
    (file.parent / "beside_the_app.py").write_text(APP)
    file.write_text("from beside_the_app import App\napp = App()\n")
    assert load_app(file).get_functions() == []


def test_no_file_no_app(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="--app"):
        load_app(file)
    file.write_text("x = 1\n")
    with pytest.raises(ConfigurationError, match="no function app"):
        load_app(file)


def test_an_error_at_import_is_told_with_its_line(file: Path) -> None:
    (file.parent / "beside_that_fails.py").write_text("x = 1\n\nraise ValueError('on purpose')\n")
    file.write_text("import json\nimport beside_that_fails\n")
    with pytest.raises(ConfigurationError, match=r"beside_that_fails\.py:3: ValueError: on purpose"):
        load_app(file)


def test_an_error_inside_a_library_names_the_line_that_led_there(file: Path) -> None:
    file.write_text("import json\n\njson.loads('{')\n")
    with pytest.raises(ConfigurationError, match=r"some_app\.py:3: JSONDecodeError"):
        load_app(file)


def test_a_syntax_error_is_told_with_its_line(file: Path) -> None:
    file.write_text("x = 1\ny = (\n")
    with pytest.raises(ConfigurationError, match=r"some_app\.py:2: SyntaxError"):
        load_app(file)


def test_names_of_function_name_are_those_of_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    file = tmp_path / "named_app.py"
    file.write_text(
        "import durable_ext as df\n"
        "app = df.DFApp()\n"
        "@app.function_name('Named')\n"
        "@app.orchestration_trigger(context_name='context')\n"
        "def other(context):\n"
        "    ...\n"
    )
    assert set(registry_of(file).orchestrators) == {"Named"}
    del sys.modules["named_app"]
