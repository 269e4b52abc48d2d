"""One function under the check, and what each check sees of a node in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from durable_ext.lint.findings import Place
from durable_ext.lint.meaning import Resolver
from durable_ext.lint.scopes import Defined, Scope
from durable_ext.lint.source import Function, SourceFile

_LONGEST = 60


@dataclass(frozen=True, eq=False)
class Unit:
    """A function that runs in an orchestrator: itself one, or reached from one by `via`; when `quiet`, only by calls
    that no replay makes."""

    definition: Defined
    node: Function
    via: tuple[Place, ...]
    quiet: bool = False

    @property
    def scope(self) -> Scope:
        return self.definition.scope

    @property
    def file(self) -> SourceFile:
        return self.definition.scope.file

    @property
    def is_orchestrator(self) -> bool:
        return len(self.via) == 1


@dataclass
class Facts:
    """What is known of the whole project: activities and orchestrators by their nodes, functions that are handed on to
    somebody who may register them, and the module-level names whose values change while the app runs."""

    activities: set[ast.AST] = field(default_factory=set[ast.AST])
    orchestrators: dict[Function, Defined] = field(default_factory=dict[Function, Defined])
    handed_on: set[ast.AST] = field(default_factory=set[ast.AST])
    changing: set[tuple[Scope, str]] = field(default_factory=set[tuple[Scope, str]])


@dataclass(frozen=True)
class Look:
    """A node, the scope that its names are looked up in, and the unit it stands in."""

    node: ast.AST
    scope: Scope
    unit: Unit
    resolver: Resolver
    facts: Facts

    @property
    def parent(self) -> ast.AST:
        return self.unit.file.parents[self.node]

    def at(self, node: ast.AST) -> Look:
        return Look(node, self.scope, self.unit, self.resolver, self.facts)

    def outside(self, node: ast.expr) -> str:
        """The full name of something in no linted file; empty for all else."""
        return self.resolver.outside(node, self.scope)

    def is_outer(self, scope: Scope | None) -> bool:
        """Whether a scope outlives the execution: it is neither the unit's nor within it."""
        return scope is not None and not scope.is_within(self.unit.scope)


@dataclass(frozen=True)
class Hit:
    """A rule that a node breaks; `subject` is what of the source the message names."""

    node: ast.AST
    code: str
    subject: str


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of attributes; what it starts with is `?` when that is no name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def written(node: ast.expr) -> str:
    """An expression as it stands in the source; of a long one the kind, or the name it ends with."""
    if node.lineno == node.end_lineno and (node.end_col_offset or 0) - node.col_offset <= _LONGEST:
        return ast.unparse(node)
    return f"....{node.attr}" if isinstance(node, ast.Attribute) else f"a long {type(node).__name__}"


def root_name(node: ast.expr) -> ast.Name | None:
    """The name that a chain of attributes, items and calls begins with."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute() | ast.Subscript() | ast.Await():
                node = node.value
            case ast.Call():
                node = node.func
            case ast.BinOp(op=ast.Div()):
                node = node.left
            case _:
                return None
    return node


def nodes_of(unit: Unit, scopes: dict[ast.AST, Scope], skipped: set[ast.AST]) -> Iterator[tuple[ast.AST, Scope]]:
    """Every node of a unit with its scope, in no order. Functions within belong to it, unless they are `skipped`;
    annotations do not: they are not run, or do nothing."""
    waiting: list[tuple[ast.AST, Scope]] = [(statement, unit.scope) for statement in unit.node.body]
    while waiting:
        node, scope = waiting.pop()
        if node in skipped:
            continue
        yield node, scope
        inner = scopes.get(node, scope)
        waiting.extend((child, inner) for child in _children(node))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from (*node.decorator_list, *node.args.defaults, *node.body)
            yield from (default for default in node.args.kw_defaults if default is not None)
        case ast.AnnAssign():
            yield node.target
            if node.value is not None:
                yield node.value
        case _:
            yield from ast.iter_child_nodes(node)
