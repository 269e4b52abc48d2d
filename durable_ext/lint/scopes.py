"""The scopes of a file and what each name in them is bound to, by the rules of Python: what is bound anywhere in a
function is local to it, class bodies are no scope for their methods."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from durable_ext.lint.source import Function, SourceFile


@dataclass(frozen=True)
class Imported:
    """`module` with leading dots as written, and what of it; empty for the module itself."""

    module: str
    name: str = ""


@dataclass(frozen=True, eq=False)
class Defined:
    """A function or class, and the scope it opens."""

    node: Function | ast.ClassDef
    scope: Scope


@dataclass(frozen=True, eq=False)
class Assigned:
    """A variable. `value` is what it was given where that can be read, `entered` when it came through `with`."""

    value: ast.expr | None = None
    annotation: ast.expr | None = None


Binding = Imported | Defined | Assigned


@dataclass(eq=False)
class Scope:
    """A module, class or function. `elsewhere` are its names that `global` and `nonlocal` make another scope's."""

    file: SourceFile
    node: ast.Module | ast.ClassDef | Function
    parent: Scope | None = None
    names: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def receiver(self) -> str:
        """The first parameter of a method; empty elsewhere."""
        if self.parent is None or not self.parent.is_class or isinstance(self.node, ast.Module | ast.ClassDef):
            return ""
        if any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in self.node.decorator_list):
            return ""
        return next((item.arg for item in (*self.node.args.posonlyargs, *self.node.args.args)), "")

    def is_within(self, other: Scope) -> bool:
        scope: Scope | None = self
        while scope is not None and scope is not other:
            scope = scope.parent
        return scope is other

    def owner(self, name: str) -> Scope | None:
        """The scope that a name used here belongs to; None for builtins and names nobody binds."""
        if self.elsewhere.get(name) == "global":
            return self.module
        if name in self.names:
            return self
        outer = self.parent
        while outer is not None and (outer.is_class or name not in outer.names or name in outer.elsewhere):
            outer = outer.parent
        return outer


@dataclass(frozen=True)
class Scopes:
    """The scopes of a file by the node that opens them, the module's first."""

    module: Scope
    of: dict[ast.AST, Scope]


def scopes_of(file: SourceFile) -> Scopes:
    """Build the scopes of a file."""
    builder = _Builder(file)
    for statement in file.tree.body:
        builder.visit(statement)
    return Scopes(builder.module, builder.opened)


class _Builder(ast.NodeVisitor):
    def __init__(self, file: SourceFile) -> None:
        self.module = Scope(file, file.tree)
        self.opened: dict[ast.AST, Scope] = {file.tree: self.module}
        self._elsewhere = _names_elsewhere(file)
        self._here = self.module

    def _bind(self, name: str, binding: Binding) -> None:
        here = self._here
        target = here.module if here.elsewhere.get(name) == "global" else here
        if here.elsewhere.get(name) != "nonlocal":
            target.names.setdefault(name, []).append(binding)

    def _open(self, node: Function | ast.ClassDef) -> Scope:
        scope = Scope(self._here.file, node, self._here)
        self.opened[node] = scope
        self._bind(node.name, Defined(node, scope))
        return scope

    def _inside(self, scope: Scope, body: list[ast.stmt]) -> None:
        outer, self._here = self._here, scope
        for statement in body:
            self.visit(statement)
        self._here = outer

    def _function(self, node: Function) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)
        scope = self._open(node)
        named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        scope.names.update({item.arg: [Assigned(annotation=item.annotation)] for item in named})
        for rest in (node.args.vararg, node.args.kwarg):
            if rest is not None:
                scope.names[rest.arg] = [Assigned()]
        scope.elsewhere.update(self._elsewhere.get(node, {}))
        self._inside(scope, node.body)

    def generic_visit(self, node: ast.AST) -> None:
        """As its original, in the order of the source, but without a call for each level of long sums and chains."""
        waiting = [*ast.iter_child_nodes(node)][::-1]
        while waiting:
            child = waiting.pop()
            if type(child).__name__ in _VISITED:
                self.visit(child)
            else:
                waiting.extend([*ast.iter_child_nodes(child)][::-1])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        self._inside(self._open(node), node.body)

    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            if item.asname:
                self._bind(item.asname, Imported(item.name))
            else:
                first = item.name.partition(".")[0]
                self._bind(first, Imported(first))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for item in node.names:
            self._bind(item.asname or item.name, Imported(module, item.name))

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._target(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, Assigned(node.value, node.annotation))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._target(node.target, node.value)

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        if node.optional_vars is not None:
            self._target(node.optional_vars, node.context_expr)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, Assigned())
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._bind(node.name, Assigned())
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name, Assigned())

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            self._bind(item.arg, Assigned())
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._bind(node.id, Assigned())

    def _target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, Assigned(value))
        elif pairs := _pairs(target, value):
            for part, given in pairs:
                self._target(part, given)
        else:
            self.visit(target)


_VISITED = frozenset(name.removeprefix("visit_") for name in vars(_Builder) if name.startswith("visit_"))


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Each variable with its value where both sides list them; none otherwise."""
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, ast.Tuple | ast.List):
        return []
    if any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts)):
        return []
    return list(zip(target.elts, value.elts, strict=True)) if len(target.elts) == len(value.elts) else []


def _names_elsewhere(file: SourceFile) -> dict[ast.AST, dict[str, str]]:
    """The names that functions declare `global` or `nonlocal`."""
    found: dict[ast.AST, dict[str, str]] = {}
    for node in file.parents:
        if isinstance(node, ast.Global | ast.Nonlocal):
            kind = "global" if isinstance(node, ast.Global) else "nonlocal"
            function = file.parents[node]
            while function in file.parents and not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                function = file.parents[function]
            found.setdefault(function, {}).update(dict.fromkeys(node.names, kind))
    return found
