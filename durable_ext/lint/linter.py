"""One run: files to findings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from durable_ext.lint import check_calls, check_functions, check_names, check_sets, check_state
from durable_ext.lint.changing import changing_names
from durable_ext.lint.files import python_files, shown
from durable_ext.lint.findings import Finding, Report
from durable_ext.lint.looking import Facts, Hit, Look, Unit, nodes_of
from durable_ext.lint.meaning import Resolver
from durable_ext.lint.project import Project
from durable_ext.lint.roots import facts_of
from durable_ext.lint.rules import ALWAYS, RULES
from durable_ext.lint.scopes import Scope, Scopes, scopes_of
from durable_ext.lint.source import BrokenFileError, read
from durable_ext.lint.suppressing import kept
from durable_ext.lint.walk import skipped_in, units_of

_CHECKS = (check_names.check, check_state.check, check_sets.check, check_calls.check, check_functions.check)
_WHOLE_CHECKS = (check_calls.check_whole, check_functions.check_whole)


def lint(paths: Sequence[Path], codes: frozenset[str] = frozenset(RULES), *, folder: Path | None = None) -> Report:
    """Check the orchestrators in files and folders for the rules of these codes.

    Paths in findings are relative to `folder`, by default the current one. Raises InvalidInputError for a path that
    is not there.
    """
    here = (folder or Path.cwd()).resolve()
    found = python_files(paths)
    files: list[Scopes] = []
    findings: list[Finding] = []
    for path in found:
        try:
            files.append(scopes_of(read(path, shown(path, here))))
        except BrokenFileError as error:
            findings.append(_of_file(error, shown(path, here)))
        except RecursionError:
            findings.append(_of_file(BrokenFileError("DX002", "it is nested too deeply"), shown(path, here)))
    project = Project(files)
    resolver = Resolver(project)
    facts = facts_of(project, resolver)
    units = units_of(project, resolver, facts)
    facts.changing |= changing_names(project, resolver, facts, units)
    for unit in units:
        scopes = project.files[unit.file.path].of
        findings.extend(_finding(hit, unit) for hit in _hits(unit, scopes, resolver, facts))
    wanted = [one for one in dict.fromkeys(findings) if one.code in codes or one.code in ALWAYS]
    remaining = kept(wanted, [one.module.file for one in files], codes)
    return Report(tuple(sorted(remaining, key=lambda one: one.order)), len(found), len(facts.orchestrators))


def _hits(unit: Unit, scopes: dict[ast.AST, Scope], resolver: Resolver, facts: Facts) -> Iterator[Hit]:
    whole = Look(unit.node, unit.scope, unit, resolver, facts)
    for check in _WHOLE_CHECKS:
        yield from check(whole)
    for node, scope in nodes_of(unit, scopes, skipped_in(facts)):
        look = Look(node, scope, unit, resolver, facts)
        for check in _CHECKS:
            yield from check(look)


def _finding(hit: Hit, unit: Unit) -> Finding:
    line, column = getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0) + 1
    if isinstance(hit.node, ast.FunctionDef | ast.AsyncFunctionDef):
        end_line, end_column = line, column
    else:
        end_line = getattr(hit.node, "end_lineno", None) or line
        end_column = (getattr(hit.node, "end_col_offset", None) or column) + 1
    return Finding(
        path=unit.file.shown,
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        code=hit.code,
        message=f"`{hit.subject}`: {_clause(RULES[hit.code].what)}",
        via=unit.via,
    )


def _of_file(error: BrokenFileError, path: str) -> Finding:
    message = f"{error}: {_clause(RULES[error.code].what)}"
    return Finding(path, error.line, error.column, error.line, error.column, error.code, message)


def _clause(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].removesuffix(".")
