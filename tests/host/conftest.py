"""What the tests of the command line share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .command_line import Hub


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("DURABLE_", "AzureWebJobs", "AzureFunctionsJobHost")):
            del os.environ[name]
    made = Hub(tmp_path, capsys)
    made.ok("hub", "create")
    return made
