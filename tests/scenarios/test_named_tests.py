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
