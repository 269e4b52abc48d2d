"""Versions compare by their numbers, and one rule says which of them a worker takes."""

from __future__ import annotations

import pytest

from durable_ext.records.versions import VersionMatch, compare, matches


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.9.9", "2"),
        ("2.0-beta", "2.0"),
        ("2.0-beta.2", "2.0-beta.10"),
        ("2.0-alpha", "2.0-beta"),
        ("1.9", "2.0-beta"),
        ("v1", "2"),
        (None, "0.1"),
    ],
)
def test_older_and_newer(older: str | None, newer: str) -> None:
    assert compare(older, newer) < 0
    assert compare(newer, older) > 0


@pytest.mark.parametrize(
    ("one", "same"), [("1", "1.0.0"), ("V2.1", "2.1"), ("1.0+build", "1.0"), (None, ""), ("a", "A")]
)
def test_the_same(one: str | None, same: str) -> None:
    assert compare(one, same) == 0


@pytest.mark.parametrize(
    ("strategy", "taken"),
    [
        (VersionMatch.NONE, [None, "1.9", "1.10", "2.0"]),
        (VersionMatch.STRICT, ["1.10"]),
        (VersionMatch.CURRENT_OR_OLDER, [None, "1.9", "1.10"]),
    ],
)
def test_what_a_worker_takes(strategy: VersionMatch, taken: list[str | None]) -> None:
    assert [version for version in (None, "1.9", "1.10", "2.0") if matches(strategy, "1.10", version)] == taken


def test_a_worker_without_a_version() -> None:
    assert matches(VersionMatch.STRICT, None, None)
    assert not matches(VersionMatch.CURRENT_OR_OLDER, None, "1")
