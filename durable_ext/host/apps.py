"""Loads the user's app from its file, as the Functions worker does: its folder comes first on the import path.

An app that says `import azure.durable_functions` gets our names: here nothing else could run it.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from durable_ext.errors import ConfigurationError
from durable_ext.functions.stand_in import install

if TYPE_CHECKING:
    from durable_ext.authoring.registry import Registry


def load_app(file: Path) -> Any:
    """The function app that the file defines; where there is no such file, that of the function.json folders beside it.

    Raises ConfigurationError that names file and line.
    """
    if not file.is_file():
        return _classic_app(file)
    module = _import(file)
    app = getattr(module, "app", None)
    if app is not None and hasattr(app, "get_functions"):
        return app
    found = [value for value in vars(module).values() if hasattr(value, "get_functions")]
    if len(found) != 1:
        raise ConfigurationError(f"{file} has no function app; write: app = DurableApp()")
    return found[0]


def registry_of(file: Path) -> Registry:
    """What the app of a file registers; what it prints goes to standard error. Raises ConfigurationError."""
    from durable_ext.functions.app import named_registry

    with redirect_stdout(sys.stderr):
        return named_registry(load_app(file))


def _classic_app(file: Path) -> Any:
    from durable_ext.functions.app import DurableApp

    if not any(file.parent.glob("*/function.json")):
        raise ConfigurationError(f"there is no {file}; start in the app's folder, or name the file with --app")
    _stand_in()
    try:
        return DurableApp.from_classic(str(file))
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(f"the app cannot be loaded: {_place(error, file)}") from error


def _stand_in() -> None:
    if "azure.durable_functions" not in sys.modules:
        install()


def _import(file: Path) -> ModuleType:
    _stand_in()
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(f"the app cannot be loaded: {_place(error, file)}") from error
    return module


def _place(error: Exception, file: Path) -> str:
    """Where it went wrong, as file and line: the last place in the app's own folder."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_below(Path(frame.filename), file.parent)]
    where = f"{own[-1].filename}:{own[-1].lineno}" if own else str(file)
    return f"{where}: {type(error).__name__}: {error}"


def _is_below(file: Path, folder: Path) -> bool:
    return file.is_relative_to(folder) and not {"site-packages", "durable_ext"} & set(file.parts)
