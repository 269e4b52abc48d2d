"""What the check found, as values."""

from __future__ import annotations

from dataclasses import dataclass

from durable_ext.lint.rule import Rule
from durable_ext.lint.rules import RULES


@dataclass(frozen=True)
class Place:
    """A function on the way to a finding, and where it stands."""

    function: str
    path: str
    line: int


@dataclass(frozen=True)
class Finding:
    """Lines and columns count from 1; the end is the place after the last character. `via` is the way from the
    orchestrator to the function that the finding is in, both included; empty for a finding on the file itself."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    message: str
    via: tuple[Place, ...] = ()

    @property
    def rule(self) -> Rule:
        return RULES[self.code]

    @property
    def order(self) -> tuple[str, int, int, str]:
        return self.path, self.line, self.column, self.code


@dataclass(frozen=True)
class Report:
    """All findings in order, and how much was looked at."""

    findings: tuple[Finding, ...]
    files: int
    orchestrators: int
