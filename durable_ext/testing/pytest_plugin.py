"""Fixtures for pytest, found by its entry point (docs/harness.md). Nothing of the engine is loaded before one is used.

`durable_harness` opens a Harness; `durable_history` records a history, or checks that the code still fits it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pytest

if TYPE_CHECKING:
    from durable_ext.testing.harness import Harness, HarnessOptions
    from durable_ext.testing.harness_instance import HarnessInstance

_APP, _FOLDER, _RECORD = "durable_app", "durable_histories", "--durable-record"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`durable_app`, `durable_histories` and `--durable-record`."""
    parser.addini(_APP, "the app that durable_harness opens: module or module:name", default="function_app")
    parser.addini(_FOLDER, "folder of the histories that durable_history checks", default="tests/histories")
    group = parser.getgroup("durable_ext")
    group.addoption(_RECORD, action="store_true", help="write the histories that durable_history would check")


def pytest_configure(config: pytest.Config) -> None:
    """The marker `durable_app`."""
    config.addinivalue_line("markers", "durable_app(app): the app that durable_harness opens in this test")


class HarnessFactory:
    """Opens harnesses and closes them with the test. Without an app: that of the marker, else that of the ini file."""

    def __init__(self, default: Callable[[], Any], stack: ExitStack) -> None:
        self._default = default
        self._stack = stack

    def __call__(self, app: Any = None, **options: Unpack[HarnessOptions]) -> Harness:
        """An open Harness. Raises ConfigurationError for an app without orchestrations."""
        from durable_ext.testing.harness import Harness

        given = _loaded(app) if isinstance(app, str) else app
        return self._stack.enter_context(Harness(self._default() if given is None else given, **options))


class HistoryKeeper:
    """Writes an instance's history when pytest runs with --durable-record, else checks the code against the file."""

    def __init__(self, folder: Path, name: str, *, records: bool) -> None:
        self._folder = folder
        self._name = name
        self._records = records

    def __call__(self, hub: Harness, instance: HarnessInstance[Any] | str, name: str | None = None) -> Path:
        """The file, by default named after the test. Fails when it is missing; raises NonDeterminismError."""
        from durable_ext.testing.histories import check_replay, save_history

        path = self._folder / f"{name or self._name}.json"
        if self._records:
            path.parent.mkdir(parents=True, exist_ok=True)
            instance_id = instance if isinstance(instance, str) else instance.id
            hub.wait(save_history(hub.client, instance_id, path))
        elif not path.is_file():
            pytest.fail(f"there is no recorded history {path}; run the test once with {_RECORD}", pytrace=False)
        check_replay(hub.registry, path)
        return path


@pytest.fixture
def durable_harness(request: pytest.FixtureRequest) -> Generator[HarnessFactory]:
    """A function of an app and the options of Harness; it is closed when the test ends."""

    def default() -> Any:
        marker = request.node.get_closest_marker(_APP)
        app = marker.args[0] if marker is not None and marker.args else request.config.getini(_APP)
        return _loaded(app, request.config.rootpath) if isinstance(app, str) else app

    with ExitStack() as stack:
        yield HarnessFactory(default, stack)


@pytest.fixture
def durable_history(request: pytest.FixtureRequest) -> HistoryKeeper:
    """A function of a harness, an instance and a name: records its history, or checks the code against it."""
    folder = request.config.rootpath / str(request.config.getini(_FOLDER))
    name = re.sub(r"[^\w.-]+", "-", str(request.node.name)).strip("-")
    return HistoryKeeper(folder, name, records=bool(request.config.getoption(_RECORD)))


def _loaded(text: str, root: Path | None = None) -> Any:
    """`module` or `module:name`, from the root folder of the tests if need be."""
    module, _, name = text.partition(":")
    if root is not None and str(root) not in sys.path:
        sys.path.insert(0, str(root))
    loaded = import_module(module.removesuffix(".py").replace("/", "."))
    return getattr(loaded, name) if name else loaded
