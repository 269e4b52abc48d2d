"""Imports go down only, and each outside library has one room that knows it (design section 3)."""

from __future__ import annotations

import pytest

from .source import PACKAGE, ROOT, Import, Module, imports, module, modules

# The floor of every room. The longest matching name counts; the public door, `durable_ext` itself, is on top.
FLOORS = {
    "errors": 0,
    "records": 0,
    "authoring": 1,
    "lint": 1,
    "providers": 1,
    "providers.contract": 1,
    "providers.azure_storage": 2,
    "outbound": 2,
    "providers.sqlite": 2,
    "replay": 2,
    "worker": 3,
    "patterns": 3,
    "telemetry": 4,
    "http_api": 4,
    "monitor": 4,
    "functions": 5,
    "models": 6,
    "drop_in": 6,
    "testing": 6,
    "host": 7,
    "__main__": 8,
    "": 8,
}

# Errors carry records and records raise errors: the ground floor is one room with two doors.
GROUND_FLOOR = {"errors", "records"}

# Rooms that may know less than their floor allows.
ONLY_KNOWS = {
    "patterns": {"errors", "records", "authoring"},
    "monitor": {"http_api"},
    "lint": {"errors"},
}

# Where a provider is chosen: the app's settings reader and the CLI; testing holds the suites that run on each.
CHOOSES_PROVIDER = {"functions", "host", "testing"}

# The rooms that may import a library from outside; the longest matching name counts.
OWNERS = {
    "azure.functions": {"functions"},
    "azure": {"providers.azure_storage"},
    "azure.identity": {"providers.azure_storage", "outbound"},
    "aiohttp": {"providers.azure_storage", "outbound"},
    "sqlite3": {"providers.sqlite"},
    "starlette": {"http_api", "monitor", "functions", "host"},
    "uvicorn": {"host"},
    "cronsim": {"authoring", "host"},
    "opentelemetry": {"telemetry"},
}


def room_of(name: str) -> str | None:
    """The room that a dotted module name of the package lies in, or None outside the package."""
    first, _, rest = name.partition(".")
    if first != PACKAGE:
        return None
    return _longest(rest, FLOORS)


def _longest(name: str, table: dict[str, int] | dict[str, set[str]]) -> str | None:
    while name and name not in table:
        name = name.rpartition(".")[0]
    return name if name in table else None


def target_of(found: Import) -> str:
    """`from durable_ext import errors` names a module, `from durable_ext.errors import X` a thing in it."""
    path = ROOT.joinpath(*found.full.split("."))
    is_module = found.name and (path.is_dir() or path.with_suffix(".py").is_file())
    return found.full if is_module else found.target


def wrong_imports(source: Module) -> list[str]:
    here = room_of(source.name)
    if here is None:
        return []
    wrong: list[str] = []
    for found in imports(source):
        there = room_of(target_of(found))
        reason = _outside(here, found.target) if there is None else _inside(here, there)
        if reason:
            wrong.append(f"{source.at(found.node)} imports {found.full}: {reason}")
    return wrong


def _inside(here: str, there: str) -> str:
    if here == there or {here, there} <= GROUND_FLOOR:
        return ""
    if FLOORS[there] >= FLOORS[here]:
        return f"{here or 'the door'} is on floor {FLOORS[here]}, {there or 'the door'} on {FLOORS[there]}"
    if here in ONLY_KNOWS and there not in ONLY_KNOWS[here]:
        return f"{here} may know {sorted(ONLY_KNOWS[here])} only"
    if there in {"providers.azure_storage", "providers.sqlite"} and here not in CHOOSES_PROVIDER:
        return f"{here} names a concrete provider; it is chosen in {sorted(CHOOSES_PROVIDER)}"
    return ""


def _outside(here: str, target: str) -> str:
    owner = _longest(target, OWNERS)
    return f"only {sorted(OWNERS[owner])} may" if owner and here not in OWNERS[owner] else ""


def test_imports_go_down_only() -> None:
    assert [wrong for source in modules(PACKAGE) for wrong in wrong_imports(source)] == []


def test_every_module_has_a_floor() -> None:
    rooms = {source.name: source.name.removeprefix(PACKAGE).strip(".").partition(".")[0] for source in modules(PACKAGE)}
    assert {name for name, room in rooms.items() if room not in FLOORS} == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("records.x", "from durable_ext.authoring import context"),
        ("authoring.x", "import durable_ext.worker.client"),
        ("authoring.x", "from durable_ext.providers.contract import Provider"),
        ("replay.x", "def f():\n    from durable_ext.worker import session"),
        ("replay.x", "from durable_ext.providers.sqlite import provider"),
        ("worker.x", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from durable_ext.host import cli"),
        ("worker.x", "from durable_ext.providers.sqlite import provider"),
        ("worker.x", "from ..functions import app"),
        ("worker.x", "from durable_ext import DurableApp"),
        ("worker.x", "import importlib\nimportlib.import_module('durable_ext.providers.sqlite')"),
        ("providers.sqlite.x", "from durable_ext.providers.azure_storage import rows"),
        ("patterns.x", "from durable_ext.replay import turn"),
        ("monitor.x", "from durable_ext.worker import client"),
        ("lint.x", "from durable_ext.records import ids"),
        ("lint.x", "from durable_ext.authoring import registry"),
        ("worker.x", "import aiohttp"),
        ("worker.x", "from azure.storage.blob.aio import BlobClient"),
        ("functions.x", "from azure.identity.aio import DefaultAzureCredential"),
        ("host.x", "import azure.functions as func"),
        ("providers.azure_storage.x", "import azure.functions"),
        ("host.x", "import sqlite3"),
    ],
)
def test_a_planted_import_is_found(name: str, text: str) -> None:
    assert len(wrong_imports(module(f"{PACKAGE}.{name}", text))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("errors", "from durable_ext.records.failures import Failure"),
        ("records.x", "from durable_ext.errors import DurableError"),
        ("worker.x", "from durable_ext.providers.contract import Provider"),
        ("worker.x", "from . import client"),
        ("host.x", "from durable_ext.providers.sqlite import provider"),
        ("functions.x", "import azure.functions as func"),
        ("providers.azure_storage.x", "import aiohttp\nfrom azure.core import exceptions"),
    ],
)
def test_an_import_that_goes_down_is_no_violation(name: str, text: str) -> None:
    assert wrong_imports(module(f"{PACKAGE}.{name}", text)) == []
