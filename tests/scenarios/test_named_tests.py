"""Every test that the page on crash consistency names is there."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_every_named_test_exists() -> None:
    page = (_ROOT / "docs" / "crash-consistency.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = "".join(file.read_text(encoding="utf-8") for file in (_ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"def (test_\w+)\(", sources))
    assert len(named) > 30
    assert named - defined == set()


def test_every_known_failure_has_its_test_and_every_such_test_its_row() -> None:
    page = (_ROOT / "docs" / "crash-consistency.md").read_text(encoding="utf-8")
    table = page.partition("## Known failures")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    assert [row for row in rows if "`test_known_" not in row.rpartition(" | ")[2]] == []
    files = (_ROOT / "tests" / "scenarios").glob("test_known_failures*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    assert set(re.findall(r"def (test_known_\w+)\(", source)) == set(re.findall(r"`(test_known_\w+)`", table))
