"""Route templates as ASP.NET reads them, matched in the order of function names as the Functions host does.

`{id}` takes one segment, `{id?}` perhaps none, `{*rest}` all that is left; `{id:int}` asks for more; `file-{id}.txt`
mixes. Literals are compared without case. A template with more than this is refused at start, not ignored at a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote
from uuid import UUID

from durable_ext.errors import ConfigurationError

Check = Callable[[str], bool]

_PARAMETER = re.compile(
    r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<checks>(?::[^{}]+?)*)(?:=(?P<default>[^{}]*))?(?P<may>\??)\}"
)
_CHECK = re.compile(r"(?P<name>\w+)(?:\((?P<arguments>[^()]*)\))?")


class Segment(NamedTuple):
    """One segment of a template: a pattern whose groups are the parameters, and how it may be missing."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    checks: tuple[tuple[str, Check], ...]
    catch_all: bool = False
    optional: bool = False
    default: str | None = None

    def match(self, text: str) -> dict[str, str] | None:
        """The parameters of a segment of a path, or None."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        values = dict(zip(self.names, found.groups(), strict=True))
        return values if all(check(values[name]) for name, check in self.checks) else None


class Template:
    """A template such as `orders/{id:int}/{*rest}`. Raises ConfigurationError for one that cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._segments = [_segment(part, text) for part in text.strip("/").split("/") if part]
        for segment in self._segments[:-1]:
            if segment.catch_all or segment.optional:
                raise _wrong(text, "only the last segment may be optional or take all that is left")

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """The parameters of a path, given as decoded segments, or None. A missing optional one is left out."""
        values: dict[str, str] = {}
        for position, segment in enumerate(self._segments):
            if segment.catch_all:
                return values | _rest(segment, "/".join(path[position:]))
            if position >= len(path):
                if not segment.optional:
                    return None
                return values if segment.default is None else values | {segment.names[0]: segment.default}
            found = segment.match(path[position])
            if found is None:
                return None
            values |= found
        return values if len(path) <= len(self._segments) else None


def split_path(raw: str) -> list[str]:
    """Segments of a path as it came over the wire; `%2F` stays encoded, as the host has it."""
    kept = re.sub("%2f", "%252F", raw.strip("/"), flags=re.IGNORECASE)
    return [unquote(part) for part in kept.split("/")] if kept else []


def _rest(segment: Segment, text: str) -> dict[str, str]:
    return {segment.names[0]: text} if text else {}


def _segment(part: str, template: str) -> Segment:
    pattern, position = "", 0
    names: list[str] = []
    checks: list[tuple[str, Check]] = []
    found: re.Match[str] | None = None
    for found in _PARAMETER.finditer(part):
        pattern += _literal(part[position : found.start()], template) + "(.+)"
        position = found.end()
        names.append(found["name"])
        checks += [(found["name"], _check(text, template)) for text in _split_checks(found["checks"])]
    pattern += _literal(part[position:], template)
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    special = found is not None and bool(found["star"] or found["may"] or found["default"] is not None)
    if found is None or not special:
        return Segment(compiled, tuple(names), tuple(checks))
    if found.group() != part:
        raise _wrong(template, f"{found.group()} needs a segment of its own")
    return Segment(compiled, tuple(names), tuple(checks), bool(found["star"]), not found["star"], found["default"])


def _literal(text: str, template: str) -> str:
    if "{" in text or "}" in text:
        raise _wrong(template, f"{text!r} is no parameter")
    return re.escape(text)


def _split_checks(text: str) -> list[str]:
    return [part for part in re.split(r":(?![^(]*\))", text) if part]


def _check(text: str, template: str) -> Check:
    found = _CHECK.fullmatch(text)
    make = _CHECKS.get(found["name"].lower()) if found else None
    if found is None or make is None:
        raise _wrong(template, f"the constraint {text!r} is not known here; known are {', '.join(sorted(_CHECKS))}")
    try:
        return make(*[int(number) for number in (found["arguments"] or "").split(",") if number.strip()])
    except (TypeError, ValueError) as error:
        raise _wrong(template, f"the constraint {text!r} has wrong arguments") from error


def _wrong(template: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"the route {template!r} cannot be read: {reason}")


def _reads(read: Callable[[str], object]) -> Callable[[], Check]:
    def check(value: str) -> bool:
        try:
            read(value)
        except ValueError:
            return False
        return True

    return lambda: check


def _whole(bits: int) -> Callable[[], Check]:
    def check(value: str) -> bool:
        return re.fullmatch(r"[+-]?\d{1,20}", value) is not None and -(1 << bits) <= int(value) < 1 << bits

    return lambda: check


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[+-]?\d{1,19}", value) else None


def _between(low: int, high: int) -> Check:
    def check(value: str) -> bool:
        number = _number(value)
        return number is not None and low <= number <= high

    return check


def _length(low: int, high: int | None = None) -> Check:
    return lambda value: low <= len(value) <= (low if high is None else high)


def _at_least(length: int) -> Check:
    return lambda value: len(value) >= length


def _at_most(length: int) -> Check:
    return lambda value: len(value) <= length


def _is_bool(value: str) -> bool:
    return value.lower() in ("true", "false")


def _is_alpha(value: str) -> bool:
    return value.isascii() and value.isalpha()


_LARGEST = (1 << 63) - 1

_CHECKS: dict[str, Callable[..., Check]] = {
    "int": _whole(31),
    "long": _whole(63),
    "bool": lambda: _is_bool,
    "guid": _reads(UUID),
    "float": _reads(float),
    "double": _reads(float),
    "decimal": _reads(float),
    "datetime": _reads(datetime.fromisoformat),
    "alpha": lambda: _is_alpha,
    "length": _length,
    "minlength": _at_least,
    "maxlength": _at_most,
    "min": partial(_between, high=_LARGEST),
    "max": partial(_between, -_LARGEST - 1),
    "range": _between,
}
