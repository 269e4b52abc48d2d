"""Which versions of orchestrations a worker takes: one pure rule, for the engine and for providers that filter.

A version is text. Numbers in it compare as numbers ("1.10" is newer than "1.9"), missing ones are zero, and a leading
"v" says nothing. What follows a "-" is a preview, older than the release. No version is older than any.
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import zip_longest

_PART = re.compile(r"\d+|[^\W\d_]+")
# A number, then a text; numbers are newer than texts, as in semantic versioning.
_Part = tuple[int, int, str]
_ZERO: _Part = (1, 0, "")


class VersionMatch(Enum):
    """What a worker of one version takes: all, its own version alone, or its own and older ones."""

    NONE = "none"
    STRICT = "strict"
    CURRENT_OR_OLDER = "current-or-older"


class VersionFailure(Enum):
    """What becomes of an execution that a worker does not take: it waits for another worker, or fails."""

    REJECT = "reject"
    FAIL = "fail"


def matches(strategy: VersionMatch, worker: str | None, execution: str | None) -> bool:
    """Whether a worker of version `worker` takes an execution of version `execution`."""
    if strategy is VersionMatch.NONE:
        return True
    order = compare(execution, worker)
    return order == 0 if strategy is VersionMatch.STRICT else order <= 0


def compare(left: str | None, right: str | None) -> int:
    """Negative when `left` is the older version, positive when it is the newer one, 0 when they are the same."""
    if not left or not right:
        return bool(left) - bool(right)
    release, preview = _read(left)
    other_release, other_preview = _read(right)
    for one, other in zip_longest(release, other_release, fillvalue=_ZERO):
        if one != other:
            return -1 if one < other else 1
    if not preview or not other_preview:
        return bool(other_preview) - bool(preview)
    return (preview > other_preview) - (preview < other_preview)


def _read(version: str) -> tuple[list[_Part], list[_Part]]:
    text = version.strip().lower().partition("+")[0]
    if re.match(r"v\d", text):
        text = text[1:]
    release, _, preview = text.partition("-")
    return _parts(release), _parts(preview)


def _parts(text: str) -> list[_Part]:
    found: list[str] = _PART.findall(text)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in found]
