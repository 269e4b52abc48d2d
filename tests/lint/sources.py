"""Small apps as text, and what the check finds in them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from durable_ext.lint.findings import Finding, Report
from durable_ext.lint.linter import lint
from durable_ext.lint.rule import PREAMBLE


class Sources:
    """Files in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def report(self, *paths: Path) -> Report:
        return lint(list(paths) or [self.folder], folder=self.folder)

    def findings(self, text: str) -> list[Finding]:
        """What is found in a module with this text below the preamble."""
        self.write("app.py", PREAMBLE + textwrap.dedent(text))
        return list(self.report().findings)

    def codes(self, text: str) -> list[str]:
        return [finding.code for finding in self.findings(text)]

    def body(self, *lines: str, imports: str = "") -> list[str]:
        """The codes found in an async orchestrator with these lines."""
        inner = "\n".join(f"    {line}" for line in "\n".join(lines).splitlines())
        return self.codes(f"{imports}\n\n@app.orchestrator\nasync def flow(ctx, value=None):\n{inner}\n")


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)
