"""docs/lint.md has every rule in the words of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_ext.lint.rule import Rule
from durable_ext.lint.rules import RULES, explanation

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_the_page_explains_the_rule(rule: Rule) -> None:
    assert f"\n{explanation(rule)}\n" in PAGE
    assert f"\n| [{rule.code}](#{rule.code.lower()}-{rule.name}) | {rule.name} | {rule.level} |\n" in PAGE


def test_the_page_explains_no_other() -> None:
    headings = [line for line in PAGE.splitlines() if line.startswith("### ")]
    assert headings == [f"### {rule.code} {rule.name}" for rule in RULES.values()]
