"""Names of modules whose values change while the app runs: rebound by `global`, or changed by an activity or in an
orchestrator. Those that are filled while modules are imported, by decorators for example, do not count."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from durable_ext.lint.check_state import changed_name
from durable_ext.lint.looking import Facts, Look, Unit, nodes_of
from durable_ext.lint.meaning import Resolver
from durable_ext.lint.project import Project
from durable_ext.lint.scopes import Assigned, Defined, Scope, Scopes


def changing_names(project: Project, resolver: Resolver, facts: Facts, units: list[Unit]) -> set[tuple[Scope, str]]:
    """The names, each with the scope of its module."""
    found: set[tuple[Scope, str]] = set()
    running = [*units, *_activities(project, facts)]
    for scopes in project.files.values():
        found.update(_rebound(scopes))
    for unit in running:
        for node, scope in nodes_of(unit, project.files[unit.file.path].of, set()):
            name = changed_name(Look(node, scope, unit, resolver, facts))
            owner = None if name is None else scope.owner(name)
            if name is not None and owner is not None and owner is owner.module and _is_variable(owner, name):
                found.add((owner, name))
    return found


def _rebound(scopes: Scopes) -> Iterator[tuple[Scope, str]]:
    for scope in scopes.of.values():
        for name, kind in scope.elsewhere.items():
            # One binding is that of the module itself; a second one rebinds it.
            if kind == "global" and _is_variable(scopes.module, name) and len(scopes.module.names[name]) > 1:
                yield scopes.module, name


def _is_variable(scope: Scope, name: str) -> bool:
    bindings = scope.names.get(name, [])
    return bool(bindings) and all(isinstance(one, Assigned) for one in bindings)


def _activities(project: Project, facts: Facts) -> Iterator[Unit]:
    for scopes in project.files.values():
        for node, scope in scopes.of.items():
            if node in facts.activities and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Unit(Defined(node, scope), node, ())
