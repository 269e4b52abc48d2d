"""docs/conformance.md goes through all 213 checks of Duroxide's suite, and every check and test it names is there."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from typing import NamedTuple

import pytest

from durable_ext.testing import conformance

from .pages import DOCS, read

PAGE = "conformance.md"
GROUPS = {
    "instance_creation": 4,
    "atomicity": 4,
    "error_handling": 5,
    "instance_locking": 11,
    "lock_expiration": 13,
    "multi_execution": 5,
    "queue_semantics": 8,
    "management": 7,
    "long_polling": 5,
    "poison_message": 9,
    "cancellation": 16,
    "deletion": 13,
    "bulk_deletion": 4,
    "prune": 4,
    "capability_filtering": 20,
    "sessions": 33,
    "custom_status": 7,
    "tag_filtering": 10,
    "kv_store": 35,
}
STANDINGS = ("ours", "not applicable", "later")
# A reason says more than a word.
_SHORTEST_REASON = 20
_SECTION = re.compile(r"^## (\w+) \((\d+)\)$(.*?)(?=^## |\Z)", flags=re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_OF_SUITE = re.compile(r"(\w+)\.(test_\w+)")
_OF_TESTS = re.compile(r"(tests/[\w/]+)\.py::(test_\w+)")


class Check(NamedTuple):
    """A row of the page."""

    group: str
    name: str
    standing: str
    where: str

    @property
    def words(self) -> str:
        """What the row says beside names in code."""
        return _CODE.sub("", self.where).strip(" .")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def checks(text: str) -> list[Check]:
    """The rows of all groups."""
    found: list[Check] = []
    for group, _, body in _SECTION.findall(text):
        lines = [line for line in body.splitlines() if line.startswith("|")]
        found += [Check(group, *cells(line)) for line in lines[2:]]
    return found


def is_there(reference: str) -> bool:
    """Whether a reference leads to a check of the suite or to a test of ours."""
    if of_suite := _OF_SUITE.fullmatch(reference):
        return is_check(of_suite[1], of_suite[2])
    if of_tests := _OF_TESTS.fullmatch(reference):
        module, name = of_tests.groups()
        if not (DOCS.parent / f"{module}.py").is_file():
            return False
        return callable(getattr(importlib.import_module(module.replace("/", ".")), name, None))
    return False


def is_check(theme: str, name: str) -> bool:
    """Whether the theme of the suite has the check, and a provider that inherits the whole suite has it too."""
    kind = getattr(conformance, theme, None)
    shipped = (conformance.ProviderConformance, conformance.SkewConformance)
    return isinstance(kind, type) and name in vars(kind) and any(issubclass(one, kind) for one in shipped)


def named_tests(text: str) -> list[str]:
    return [code for code in _CODE.findall(text) if "test_" in code]


def reasonless(rows: list[Check]) -> list[str]:
    """Checks of ours that name no test, and others without a reason."""
    return [
        row.name
        for row in rows
        if not (named_tests(row.where) if row.standing == "ours" else len(row.words) >= _SHORTEST_REASON)
    ]


def test_all_checks_are_there_once() -> None:
    names = [row.name for row in checks(read(PAGE))]
    assert len(names) == 213
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_groups_are_whole() -> None:
    assert Counter(row.group for row in checks(read(PAGE))) == GROUPS
    assert {group: int(count) for group, count, _ in _SECTION.findall(read(PAGE))} == GROUPS


def test_every_check_has_a_standing_and_a_reason() -> None:
    rows = checks(read(PAGE))
    assert {row.standing for row in rows} <= set(STANDINGS)
    assert reasonless(rows) == []


def test_counts_at_the_top_are_right() -> None:
    counted = Counter(row.standing for row in checks(read(PAGE)))
    counted["all"] = counted.total()
    head = read(PAGE).partition("\n## ")[0]
    told = {standing: int(count) for standing, count in re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", head, re.MULTILINE)}
    assert told == counted


def test_every_test_named_is_there() -> None:
    named = named_tests(read(PAGE))
    assert len(named) > len(GROUPS)
    assert sorted({reference for reference in named if not is_there(reference)}) == []


@pytest.mark.parametrize(
    "reference",
    [
        "QueueConformance.test_nothing_of_the_kind",
        "NoConformance.test_every_body_comes_back_as_it_was",
        # It is there, but of another theme.
        "RowConformance.test_every_body_comes_back_as_it_was",
        "tests/docs/test_conformance.py::test_nothing_of_the_kind",
        "tests/docs/test_nothing.py::test_every_test_named_is_there",
        "test_every_test_named_is_there",
    ],
)
def test_a_reference_that_leads_nowhere_is_found(reference: str) -> None:
    assert not is_there(reference)


def test_a_row_without_a_reason_is_found() -> None:
    rows = [
        Check("g", "a", "ours", "somewhere in the engine, for certain"),
        Check("g", "b", "not applicable", "`QueueConformance.test_every_body_comes_back_as_it_was`"),
        Check("g", "c", "later", ""),
        Check("g", "d", "later", "Needs values kept beside the history."),
    ]
    assert reasonless(rows) == ["a", "b", "c"]
