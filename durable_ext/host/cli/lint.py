"""`durable lint`: what in orchestrators a replay cannot repeat (docs/lint.md)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from durable_ext.errors import InvalidInputError
from durable_ext.host.cli.options import Commands
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.lint.findings import Report


def add_commands(commands: Commands) -> None:
    """Add the family's parser."""
    summary = "Find in orchestrators what a replay cannot repeat."
    parser = commands.add_parser("lint", help=summary, description=summary)
    parser.add_argument("paths", metavar="PATH", nargs="*", default=["."], help="files and folders (default: .)")
    parser.add_argument("--select", metavar="CODES", action="append", help="only these, as DX101,DX2 (default: all)")
    parser.add_argument("--ignore", metavar="CODES", action="append", help="not these")
    parser.add_argument("--format", choices=("text", "json", "github"), default="text", help="default: %(default)s")
    parser.add_argument("--statistics", action="store_true", help="print how often each rule is broken")
    parser.add_argument("--explain", metavar="CODE", help="say what a rule means, and end")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.explain:
        print(_explained(options.explain))
        return ExitCode.OK
    from durable_ext.lint.linter import lint
    from durable_ext.lint.rules import RULES

    selected = _codes(options.select) if options.select else frozenset(RULES)
    report = lint([Path(path) for path in options.paths], selected - _codes(options.ignore or []))
    text = _written(report, options.format, statistics=options.statistics)
    if text:
        print(text)
    if not report.orchestrators:
        print("durable: no orchestrator found; see docs/lint.md for how they are recognised", file=sys.stderr)
    return ExitCode.FAILURE if report.findings else ExitCode.OK


def _written(report: Report, form: str, *, statistics: bool) -> str:
    from durable_ext.lint import reporting

    match form, statistics:
        case "json", True:
            return reporting.statistics_json(report)
        case "json", False:
            return reporting.as_json(report)
        case "github", False:
            return reporting.as_github(report)
        case _, True:
            return reporting.statistics_text(report)
        case _:
            return reporting.as_text(report)


def _codes(given: list[str]) -> frozenset[str]:
    """The codes that comma-separated codes and beginnings of codes mean. Raises InvalidInputError for one unknown."""
    from durable_ext.lint.rules import RULES, matching

    found: set[str] = set()
    for prefix in (part.strip() for item in given for part in item.split(",")):
        if not prefix or not matching(prefix):
            raise InvalidInputError(f"no rule begins with {prefix!r}; there are {', '.join(RULES)}")
        found |= matching(prefix)
    return frozenset(found)


def _explained(code: str) -> str:
    from durable_ext.lint.rules import RULES, explanation

    if code not in RULES:
        raise InvalidInputError(f"there is no rule {code!r}; there are {', '.join(RULES)}")
    return explanation(RULES[code])
