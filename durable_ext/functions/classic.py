"""The classic model: a folder for each function, with a function.json that says its trigger and a file with its body.

Orchestrators, activities and entities are registered, functions with a client get it; every other binding goes to the
host as it stands there. The bodies are imported as the Functions worker imports them, below the package `__app__`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import azure.functions as func
import msgspec

from durable_ext.errors import ConfigurationError
from durable_ext.functions.client_input import ClientInput
from durable_ext.functions.host_bindings import without_bindings

if TYPE_CHECKING:
    from durable_ext.functions.app import DurableApp

_FILE = "function.json"
_PACKAGE = "__app__"
_CLIENTS = ("durableclient", "orchestrationclient")
# What the host knows of a binding under other names than the decorators.
_OWN = ("name", "type", "direction", "dataType")


class _Folder(msgspec.Struct, frozen=True):
    """One function: the folder's name is its name."""

    path: Path
    bindings: list[dict[str, Any]]
    script: Path
    entry_point: str

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def trigger(self) -> dict[str, Any]:
        """Its trigger. Raises ConfigurationError when there is not exactly one."""
        found = [binding for binding in self.bindings if _kind(binding).endswith("trigger")]
        if len(found) != 1:
            raise ConfigurationError(f"{self.path / _FILE} has {len(found)} triggers; a function has one")
        return found[0]


def add_folders(app: DurableApp, root: Path) -> None:
    """Add the functions of all folders below `root` that have a function.json. Raises ConfigurationError."""
    files = sorted(root.glob(f"*/{_FILE}"))
    if not files:
        raise ConfigurationError(f"{root} has no folder with a {_FILE}; from_classic takes the file beside them")
    _prepare_imports(root)
    for file in files:
        folder = _read(file)
        if folder is not None:
            _add(app, folder, _body(root, folder))


def _read(file: Path) -> _Folder | None:
    try:
        fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8-sig"))
        bindings = [{str(key): value for key, value in binding.items()} for binding in fields["bindings"]]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {type(error).__name__}: {error}") from error
    if fields.get("disabled") is True:
        return None
    script = file.parent / fields.get("scriptFile", "__init__.py")
    return _Folder(file.parent, bindings, script.resolve(), fields.get("entryPoint") or "main")


def _prepare_imports(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    package = sys.modules.get(_PACKAGE)
    if package is not None and list(package.__path__) == [str(root)]:
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
    package = ModuleType(_PACKAGE)
    package.__path__ = [str(root)]
    sys.modules[_PACKAGE] = package


def _body(root: Path, folder: _Folder) -> Callable[..., Any]:
    if not folder.script.is_file() or not folder.script.is_relative_to(root):
        raise ConfigurationError(f"{folder.path / _FILE} names the script {folder.script}, which the app has not")
    parts = folder.script.relative_to(root).with_suffix("").parts
    module = importlib.import_module(".".join((_PACKAGE, *(part for part in parts if part != "__init__"))))
    body = getattr(module, folder.entry_point, None)
    if not callable(body):
        raise ConfigurationError(f"{folder.script} has no function {folder.entry_point!r}; {_FILE} takes entryPoint")
    return body


def _add(app: DurableApp, folder: _Folder, body: Callable[..., Any]) -> None:
    trigger = folder.trigger
    match _kind(trigger):
        case "orchestrationtrigger":
            function: Any = getattr(body, "orchestrator_function", body)
            app.orchestration_trigger(_first_parameter(function), trigger.get("orchestration") or folder.name)(function)
        case "activitytrigger":
            name = trigger.get("activity") or folder.name
            others = [binding for binding in folder.bindings if binding is not trigger]
            app.activity_trigger(trigger["name"], name)(without_bindings(name, body, others))
        case "entitytrigger":
            function = getattr(body, "entity_function", body)
            app.entity(trigger.get("entityName") or folder.name)(function)
        case _:
            _add_function(app, folder, body)


def _first_parameter(function: Any) -> str:
    # What function.json names is the parameter of the handle; the body calls its context as it likes.
    return next(iter(inspect.signature(function).parameters), "")


def _add_function(app: DurableApp, folder: _Folder, body: Callable[..., Any]) -> None:
    """A function of the host's, with the client where it has one."""
    function: Any = body
    for binding in folder.bindings:
        if _kind(binding) in _CLIENTS:
            hub, connection = binding.get("taskHub"), binding.get("connectionName")
            function = ClientInput(lambda: app.engine, binding["name"], hub, connection, as_text=True)(function)
    trigger = folder.trigger
    output = next((item for item in folder.bindings if _kind(item) == "http"), None)
    for binding in folder.bindings:
        if binding not in (trigger, output) and _kind(binding) not in _CLIENTS:
            function = _binding(app, binding)(function)
    decorate = _route(app, trigger, output) if _kind(trigger) == "httptrigger" else _trigger(app, trigger)
    app.function_name(folder.name)(decorate(function))


def _route(app: DurableApp, trigger: dict[str, Any], output: dict[str, Any] | None) -> Callable[..., Any]:
    methods = [method.upper() for method in trigger.get("methods") or [method.value for method in func.HttpMethod]]
    return app.route(
        route=trigger.get("route"),
        trigger_arg_name=trigger["name"],
        binding_arg_name="$return" if output is None else output["name"],
        methods=methods,
        auth_level=func.AuthLevel[str(trigger.get("authLevel") or "function").upper()],
    )


def _trigger(app: DurableApp, trigger: dict[str, Any]) -> Callable[..., Any]:
    return app.generic_trigger(  # pyright: ignore[reportUnknownMemberType]
        arg_name=trigger["name"], type=trigger["type"], data_type=_data_type(trigger), **_rest(trigger)
    )


def _binding(app: DurableApp, binding: dict[str, Any]) -> Callable[..., Any]:
    match str(binding.get("direction", "in")).lower():
        case "in":
            add: Any = app.generic_input_binding  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        case "out":
            add = app.generic_output_binding  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        case other:
            raise ConfigurationError(f"binding {binding.get('name')!r} has the direction {other!r}; it is in or out")
    return add(arg_name=binding["name"], type=binding["type"], data_type=_data_type(binding), **_rest(binding))


def _rest(binding: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in binding.items() if key not in _OWN}


def _data_type(binding: dict[str, Any]) -> func.DataType | None:
    text = binding.get("dataType")
    return None if text is None else func.DataType[str(text).upper()]


def _kind(binding: dict[str, Any]) -> str:
    return str(binding.get("type", "")).lower()
