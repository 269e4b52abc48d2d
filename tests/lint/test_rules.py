"""Every rule finds its own bad example and nothing in its good one; these examples are those of docs/lint.md."""

from __future__ import annotations

import re

import pytest

from durable_ext.lint.rule import Rule
from durable_ext.lint.rules import RULES, matching

from .sources import Sources

# Their examples are whole files, which an app does not have to surround; DX002 has bytes, in test_files.
ON_FILES = ("DX001", "DX002", "DX003", "DX004")
IN_CODE = [rule for rule in RULES.values() if rule.code not in ON_FILES]


@pytest.mark.parametrize("rule", IN_CODE, ids=lambda rule: rule.code)
def test_the_bad_example_breaks_the_rule_and_no_other(rule: Rule, sources: Sources) -> None:
    findings = sources.findings(rule.bad)
    assert {finding.code for finding in findings} == {rule.code}
    assert all(finding.via and "`" in finding.message for finding in findings)


@pytest.mark.parametrize("rule", IN_CODE, ids=lambda rule: rule.code)
def test_the_good_example_breaks_none(rule: Rule, sources: Sources) -> None:
    assert sources.codes(rule.good) == []
    assert sources.report().orchestrators == 1


@pytest.mark.parametrize("code", ["DX001", "DX003", "DX004"])
def test_rules_on_files(code: str, sources: Sources) -> None:
    sources.write("file.py", RULES[code].bad)
    assert [finding.code for finding in sources.report().findings] == [code]
    sources.write("file.py", RULES[code].good)
    assert sources.report().findings == ()


def test_codes_and_names_are_in_order_and_unique() -> None:
    assert list(RULES) == sorted(RULES)
    assert all(re.fullmatch(r"DX\d{3}", code) for code in RULES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_what_is_wrong_is_a_sentence_and_the_remedy_a_clause(rule: Rule) -> None:
    assert rule.what.endswith(".")
    assert not rule.remedy.endswith(".")
    assert rule.remedy[0].islower() or rule.remedy[0] == "`"


def test_codes_are_selected_by_their_beginning() -> None:
    assert matching("DX101") == {"DX101"}
    assert matching("DX1") == {"DX101", "DX102", "DX103", "DX104", "DX105", "DX106"}
    assert matching("DX9") == set()
