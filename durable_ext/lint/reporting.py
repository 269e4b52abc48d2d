"""Findings as text for people, JSON for programs, and annotations for GitHub."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from durable_ext.lint.findings import Finding, Place, Report
from durable_ext.lint.rules import RULES


def as_text(report: Report) -> str:
    """A line for each finding, with the way that leads there and the remedy, and a line at the end."""
    blocks = [_block(finding) for finding in report.findings]
    return "\n".join([*blocks, _summary(report)])


def as_json(report: Report) -> str:
    """A list of objects; lines and columns count from 1."""
    return json.dumps([_object(finding) for finding in report.findings], indent=2)


def as_github(report: Report) -> str:
    """A workflow command for each finding."""
    return "\n".join(_annotation(finding) for finding in report.findings)


def statistics_text(report: Report) -> str:
    """How often each rule was broken, the most frequent first."""
    lines = [f"{count:5}  {code}  {RULES[code].name}" for code, count in _counts(report)]
    return "\n".join([*lines, _summary(report)])


def statistics_json(report: Report) -> str:
    """The same as a list of objects."""
    counted = [{"code": code, "name": RULES[code].name, "count": count} for code, count in _counts(report)]
    return json.dumps(counted, indent=2)


def _counts(report: Report) -> list[tuple[str, int]]:
    counts = Counter(finding.code for finding in report.findings)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _block(finding: Finding) -> str:
    rule = finding.rule
    lines = [f"{finding.path}:{finding.line}:{finding.column}: {finding.code} {rule.name}: {finding.message}"]
    if len(finding.via) > 1:
        lines.append(f"    reached: {way(finding.via)}")
    return "\n".join([*lines, f"    remedy: {rule.remedy}"])


def way(places: tuple[Place, ...]) -> str:
    """The functions from the orchestrator to the finding, each with its place."""
    return " -> ".join(f"{place.function} ({place.path}:{place.line})" for place in places)


def _summary(report: Report) -> str:
    looked = f"{_number(report.orchestrators, 'orchestrator')} in {_number(report.files, 'file')}"
    if not report.findings:
        return f"{looked}: nothing found"
    return f"{looked}: {_number(len(report.findings), 'finding')}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _object(finding: Finding) -> dict[str, Any]:
    return {
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
        "code": finding.code,
        "name": finding.rule.name,
        "level": finding.rule.level,
        "message": finding.message,
        "remedy": finding.rule.remedy,
        "via": [{"function": one.function, "path": one.path, "line": one.line} for one in finding.via],
    }


def _annotation(finding: Finding) -> str:
    fields = {
        "file": finding.path,
        "line": finding.line,
        "endLine": finding.end_line,
        "col": finding.column,
        "endColumn": finding.end_column,
        "title": f"{finding.code} {finding.rule.name}",
    }
    reached = f"\nreached: {way(finding.via)}" if len(finding.via) > 1 else ""
    text = f"{finding.message}{reached}\nremedy: {finding.rule.remedy}"
    written = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in fields.items())
    return f"::{finding.rule.level} {written}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """Percent first; a property's own separators besides line ends."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
