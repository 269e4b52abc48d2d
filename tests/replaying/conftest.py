"""A folder with an app, empty or with a hub beside it, and the command line there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from durable_ext.providers.sqlite import SqliteProvider

from .command import Line
from .hubs import Store, fill, registry_in


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.chdir(tmp_path)
    path, known = list(sys.path), set(sys.modules)
    for name in list(os.environ):
        if name.startswith(("DURABLE_", "AzureWebJobs", "AzureFunctionsJobHost")):
            del os.environ[name]
    yield Line(tmp_path, capsys)
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if name.startswith("checked_app"):
            del sys.modules[name]


@pytest.fixture
def line(empty: Line) -> Line:
    async def prepare() -> None:
        store = SqliteProvider(empty.file)
        await store.create_hub()
        await fill(cast("Store", store), registry_in(empty.app))
        await store.close()

    asyncio.run(prepare())
    return empty
