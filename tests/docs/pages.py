"""The pages of docs/, and what is fenced in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[2] / "docs"

_HEADING = re.compile(r"(#+) (.+)")


class Fence(NamedTuple):
    """A fenced block: its language, its text, the heading above it and the line its text begins at."""

    language: str
    text: str
    heading: str
    line: int


def pages() -> list[Path]:
    return sorted(DOCS.glob("*.md"))


def read(name: str) -> str:
    return (DOCS / name).read_text()


def fences(name: str) -> list[Fence]:
    """All fenced blocks of a page, in order."""
    found: list[Fence] = []
    heading, language, start, inside = "", "", 0, list[str]()
    for number, line in enumerate(read(name).splitlines(), start=1):
        if line.startswith("```"):
            if start:
                found.append(Fence(language, "\n".join(inside) + "\n", heading, start))
                start = 0
            else:
                language, start, inside = line[3:].strip(), number + 1, []
        elif start:
            inside.append(line)
        elif match := _HEADING.match(line):
            heading = match[2]
    assert not start, f"{name}: the block that begins at line {start} has no end"
    return found


def headings(name: str) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    anchors: set[str] = set()
    fenced = False
    for line in read(name).splitlines():
        fenced ^= line.startswith("```")
        if not fenced and (match := _HEADING.match(line)):
            anchors.add(re.sub(r"[^\w\- ]", "", match[2].lower()).replace(" ", "-"))
    return anchors
