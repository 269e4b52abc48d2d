"""The functions that run in orchestrators: each orchestrator and what it calls, with the way that leads there."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator

from durable_ext.lint.findings import Place
from durable_ext.lint.looking import Facts, Look, Unit, nodes_of
from durable_ext.lint.meaning import Instance, Known, Resolver
from durable_ext.lint.project import Project
from durable_ext.lint.replaying import is_silent_at_replay
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
    walk = _Walk(project, resolver, facts)
    walk.go()
    return sorted(walk.found.values(), key=lambda unit: (unit.file.shown, unit.node.lineno))


def skipped_in(facts: Facts) -> set[ast.AST]:
    """Functions within others that are looked at on their own, or not at all."""
    return facts.activities | set(facts.orchestrators)


class _Walk:
    """Calls that are made outside a replay only are followed last: what no other reaches is `quiet`."""

    def __init__(self, project: Project, resolver: Resolver, facts: Facts) -> None:
        self.found: dict[Function, Unit] = {}
        self._project = project
        self._resolver = resolver
        self._facts = facts
        self._waiting: deque[Unit] = deque()
        self._later: deque[Unit] = deque()

    def go(self) -> None:
        for node, definition in self._facts.orchestrators.items():
            self._reach(node, definition, (), quiet=False)
        while self._waiting or self._later:
            unit = self._waiting.popleft() if self._waiting else self._later.popleft()
            if self.found.setdefault(unit.node, unit) is unit:
                self._follow(unit)

    def _reach(self, node: Function, definition: Defined, way: tuple[Place, ...], *, quiet: bool) -> None:
        here = Place(node.name, definition.scope.file.shown, node.lineno)
        unit = Unit(definition, node, (*way, here), quiet)
        if quiet:
            self._later.append(unit)
        elif node not in self.found:
            self.found[node] = unit
            self._waiting.append(unit)

    def _follow(self, unit: Unit) -> None:
        scopes = self._project.files[unit.file.path].of
        for node, scope in nodes_of(unit, scopes, skipped_in(self._facts)):
            for definition in self._run_by(node, scope):
                function = definition.node
                if isinstance(function, ast.ClassDef) or function in self._facts.activities:
                    continue
                if not definition.scope.is_within(unit.scope):
                    quiet = is_silent_at_replay(Look(node, scope, unit, self._resolver, self._facts))
                    self._reach(function, definition, unit.via, quiet=quiet)

    def _run_by(self, node: ast.AST, scope: Scope) -> Iterator[Defined]:
        """The functions that a node runs."""
        if isinstance(node, ast.Call):
            yield from _functions(node.func, scope, self._resolver)
            for argument in _called_arguments(node, scope, self._resolver):
                yield from _functions(argument, scope, self._resolver)
        elif isinstance(node, ast.Attribute):
            yield from (one for one in _functions(node, scope, self._resolver) if _is_property(one))


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
