"""`# durable: ignore[DX101]` on the first or last line of what a finding is about."""

from __future__ import annotations

from collections.abc import Iterable

from durable_ext.lint.findings import Finding
from durable_ext.lint.rules import RULES
from durable_ext.lint.source import SourceFile, Suppression


def kept(findings: list[Finding], files: Iterable[SourceFile], codes: frozenset[str]) -> list[Finding]:
    """The findings that no comment suppresses, and findings on the comments themselves."""
    comments = {(file.shown, one.line): one for file in files for one in file.suppressions}
    used: set[tuple[str, int, str]] = set()
    remaining: list[Finding] = []
    for finding in findings:
        at = [(finding.path, line) for line in {finding.line, finding.end_line}]
        silencing = [place for place in at if place in comments and finding.code in comments[place].codes]
        used.update((path, line, finding.code) for path, line in silencing)
        if not silencing:
            remaining.append(finding)
    for (path, line), comment in comments.items():
        remaining.extend(_unknown(path, comment) if "DX003" in codes else [])
        if "DX004" in codes:
            idle = [code for code in comment.codes if code in codes and (path, line, code) not in used]
            remaining.extend(_on_comment(path, comment, "DX004", code) for code in idle)
    return remaining


def _unknown(path: str, comment: Suppression) -> list[Finding]:
    if not comment.codes:
        return [_on_comment(path, comment, "DX003", comment.text)]
    return [_on_comment(path, comment, "DX003", code) for code in comment.codes if code not in RULES]


def _on_comment(path: str, comment: Suppression, code: str, subject: str) -> Finding:
    column = comment.column + 1
    what = RULES[code].what
    message = f"`{subject}`: {what[0].lower()}{what[1:].removesuffix('.')}"
    return Finding(path, comment.line, column, comment.line, column + len(comment.text), code, message)
