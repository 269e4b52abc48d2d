"""The command line on the hub of a folder."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durable_ext.host.cli import main

from .hubs import APP, app_file


class Line:
    """The command line on the hub of a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.file = folder / "hub.sqlite"
        self.where = f"sqlite:{self.file}"
        self.app = app_file(folder)
        self.errors = ""
        self._capsys = capsys
        self._apps = 0

    def change(self, *changes: tuple[str, str]) -> None:
        """Another version of the app."""
        text = APP
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        self._apps += 1
        self.app = app_file(self.folder, text, f"checked_app_{self._apps}")

    def run(self, *arguments: str, command: str = "replay") -> tuple[int, str]:
        self._capsys.readouterr()
        try:
            code = main([command, *arguments, "--app", str(self.app), "--storage", self.where])
        except SystemExit as error:
            code = int(error.code or 0)
        printed = self._capsys.readouterr()
        self.errors = printed.err
        return code, printed.out

    def json(self, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], dict[str, int]]:
        """Exit code, results by file or instance and execution, totals."""
        code, output = self.run(*arguments, "--json")
        value = json.loads(output)
        found = {one["file"] or one["instanceId"]: one for one in value["results"]}
        assert len(found) <= len(value["results"])
        return code, found, value["totals"]

    def verdicts(self, *arguments: str) -> dict[str, str]:
        _, found, _ = self.json(*arguments)
        return {name: one["verdict"] for name, one in found.items()}

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.file)) as db, db:
            assert db.execute(statement).rowcount > 0

    def content(self) -> list[str]:
        with closing(sqlite3.connect(self.file)) as db:
            return list(db.iterdump())
