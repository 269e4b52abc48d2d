"""What the pages point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .pages import DOCS, headings, pages, read

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:durable_ext|tests|docs|examples|infra|benchmarks)/[\w./-]*\w/?)`")
ROOT = DOCS.parent


def broken_links(name: str) -> list[str]:
    """Relative links of a page whose file or heading is not there."""
    broken: list[str] = []
    for target in _LINK.findall(re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = DOCS / path if path else DOCS / name
        known = not anchor or not file.is_file() or file.suffix != ".md" or anchor in headings(file.name)
        if not file.exists() or not known:
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page.name) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_modules_and_tests_named_are_there(page: Path) -> None:
    named = set(_PATH.findall(read(page.name)))
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_index_names_every_page() -> None:
    linked = set(_LINK.findall(read("index.md")))
    assert {page.name for page in pages()} - linked - {"index.md"} == set()


def test_a_broken_link_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[a](index.md) [b](nowhere.md) [c](index.md#nowhere) [d](https://example.org/x)"
    real = read

    def planted(name: str) -> str:
        return text if name == "planted.md" else real(name)

    monkeypatch.setattr(f"{__name__}.read", planted)
    assert broken_links("planted.md") == ["nowhere.md", "index.md#nowhere"]
