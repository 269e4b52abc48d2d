"""The functions that run in orchestrators: each orchestrator and what it calls, with the way that leads there."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator

from durable_ext.lint.findings import Place
from durable_ext.lint.looking import Facts, Unit, nodes_of
from durable_ext.lint.meaning import Instance, Known, Resolver
from durable_ext.lint.project import Project
from durable_ext.lint.scopes import Defined, Scope
from durable_ext.lint.source import Function

# Whose arguments are called, besides lambdas, which are part of the unit anyway.
_CALLERS = frozenset(
    {
        *("builtins.map", "builtins.filter", "builtins.sorted", "builtins.min", "builtins.max", "functools.reduce"),
        *("functools.partial", "itertools.groupby", "itertools.starmap", "itertools.accumulate"),
    }
)
_CALLING_METHODS = frozenset({"sort", "call_soon", "call_later", "call_at", "add_done_callback"})
_CALLING_KEYWORDS = frozenset({"key", "retry_if", "default_factory"})
_PROPERTIES = frozenset({"property", "cached_property"})
_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")


def units_of(project: Project, resolver: Resolver, facts: Facts) -> list[Unit]:
    """Every function that runs in an orchestrator, each once, by the shortest way; in order of files and lines."""
    waiting = deque(_unit(node, definition, ()) for node, definition in facts.orchestrators.items())
    found: dict[Function, Unit] = {unit.node: unit for unit in waiting}
    while waiting:
        unit = waiting.popleft()
        for definition in _followed(unit, project, resolver, facts):
            node = definition.node
            if isinstance(node, ast.ClassDef) or node in found or node in facts.activities:
                continue
            if not definition.scope.is_within(unit.scope):
                found[node] = _unit(node, definition, unit.via)
                waiting.append(found[node])
    return sorted(found.values(), key=lambda unit: (unit.file.shown, unit.node.lineno))


def skipped_in(facts: Facts) -> set[ast.AST]:
    """Functions within others that are looked at on their own, or not at all."""
    return facts.activities | set(facts.orchestrators)


def _unit(node: Function, definition: Defined, way: tuple[Place, ...]) -> Unit:
    return Unit(definition, node, (*way, Place(node.name, definition.scope.file.shown, node.lineno)))


def _followed(unit: Unit, project: Project, resolver: Resolver, facts: Facts) -> Iterator[Defined]:
    scopes = project.files[unit.file.path].of
    for node, scope in nodes_of(unit, scopes, skipped_in(facts)):
        if isinstance(node, ast.Call):
            yield from _functions(node.func, scope, resolver)
            for argument in _called_arguments(node, scope, resolver):
                yield from _functions(argument, scope, resolver)
        elif isinstance(node, ast.Attribute):
            yield from (one for one in _functions(node, scope, resolver) if _is_property(one))


def _functions(node: ast.expr, scope: Scope, resolver: Resolver) -> Iterator[Defined]:
    """The functions that are run when an expression is called."""
    match resolver.meaning(node, scope):
        case Known(definition) if not definition.scope.is_class:
            yield definition
        case Known(definition):
            members = (binding for name in _CONSTRUCTORS for binding in definition.scope.names.get(name, []))
            yield from (binding for binding in members if isinstance(binding, Defined))
        case Instance(definition):
            members = definition.scope.names.get("__call__", [])
            yield from (binding for binding in members if isinstance(binding, Defined))
        case _:
            return


def _called_arguments(call: ast.Call, scope: Scope, resolver: Resolver) -> Iterator[ast.expr]:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method in _CALLING_METHODS or resolver.outside(call.func, scope) in _CALLERS:
        yield from call.args
    yield from (keyword.value for keyword in call.keywords if keyword.arg in _CALLING_KEYWORDS)


def _is_property(definition: Defined) -> bool:
    decorators = [] if isinstance(definition.node, ast.ClassDef) else definition.node.decorator_list
    names = [one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in decorators]
    return not _PROPERTIES.isdisjoint(names)
