"""Which functions are orchestrators and which are activities: by their decorators, by registration, and by the classic
`main = Orchestrator.create(f)`. Entities are not replayed, so they are not among these."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from durable_ext.lint.looking import Facts, dotted
from durable_ext.lint.meaning import Known, Resolver
from durable_ext.lint.project import Project
from durable_ext.lint.scopes import Assigned, Defined, Scope, Scopes
from durable_ext.lint.verbs import called_by

ORCHESTRATOR_DECORATORS = frozenset({"orchestrator", "orchestration_trigger"})
_ACTIVITY_DECORATORS = frozenset({"activity", "activity_trigger"})
_CLASSIC = "Orchestrator.create"


def decorator_name(decorator: ast.expr) -> str:
    """The last name of a decorator, called or not."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted(called).rpartition(".")[2]


def facts_of(project: Project, resolver: Resolver) -> Facts:
    """The orchestrators and activities of a project."""
    facts = Facts()
    for scopes in project.files.values():
        for node, scope in scopes.of.items():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = {decorator_name(decorator) for decorator in node.decorator_list}
                if names & ORCHESTRATOR_DECORATORS:
                    facts.orchestrators[node] = Defined(node, scope)
                if names & _ACTIVITY_DECORATORS:
                    facts.activities.add(node)
        _add_registered(scopes, resolver, facts)
        _add_handed_on(scopes, resolver, facts)
    return facts


def _add_handed_on(scopes: Scopes, resolver: Resolver, facts: Facts) -> None:
    """Functions that are arguments, elements or values somewhere: whoever gets them may register them."""
    parents = scopes.module.file.parents
    for node, parent in parents.items():
        if not isinstance(node, ast.Name | ast.Attribute) or isinstance(parent, ast.Attribute):
            continue
        call = parents[parent] if isinstance(parent, ast.keyword) else parent
        if isinstance(call, ast.Call) and node in (call.func, called_by(call)):
            continue
        found = resolver.meaning(node, _scope_around(node, scopes)) if isinstance(node.ctx, ast.Load) else None
        if isinstance(found, Known):
            facts.handed_on.add(found.definition.node)


def _add_registered(scopes: Scopes, resolver: Resolver, facts: Facts) -> None:
    file = scopes.module.file
    for call in file.parents:
        if not isinstance(call, ast.Call):
            continue
        name = dotted(call.func)
        is_orchestrator = name.endswith(".add_orchestrator") or name.endswith(_CLASSIC)
        if not is_orchestrator and not name.endswith(".add_activity"):
            continue
        for given in _functions(call, scopes):
            found = resolver.meaning(given, _scope_around(call, scopes))
            if isinstance(found, Known) and not isinstance(found.definition.node, ast.ClassDef):
                if is_orchestrator:
                    facts.orchestrators[found.definition.node] = found.definition
                else:
                    facts.activities.add(found.definition.node)


def _functions(call: ast.Call, scopes: Scopes) -> Iterator[ast.expr]:
    """What is registered: the argument, or what the loop around goes through when the argument is its variable."""
    named = (
        keyword.value for keyword in call.keywords if keyword.arg in {"function", "fn", "orchestrator", "activity"}
    )
    given = call.args[0] if call.args else next(named, None)
    if given is None:
        return
    yield given
    if isinstance(given, ast.Name):
        yield from _looped(given.id, call, scopes)


def _looped(name: str, node: ast.AST, scopes: Scopes) -> Iterator[ast.expr]:
    parents = scopes.module.file.parents
    scope = _scope_around(node, scopes)
    while node in parents:
        node = parents[node]
        for target, iterated in _loops(node):
            if isinstance(target, ast.Name) and target.id == name:
                yield from _elements(iterated, scope)


def _loops(node: ast.AST) -> Iterable[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.For():
            return [(node.target, node.iter)]
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return [(part.target, part.iter) for part in node.generators]
        case _:
            return []


def _elements(node: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    match node:
        case ast.Tuple() | ast.List() | ast.Set():
            for element in node.elts:
                yield from _elements(element.value, scope) if isinstance(element, ast.Starred) else (element,)
        case ast.Name():
            owner = scope.owner(node.id)
            for binding in [] if owner is None else owner.names.get(node.id, []):
                if isinstance(binding, Assigned) and isinstance(binding.value, ast.Tuple | ast.List | ast.Set):
                    yield from _elements(binding.value, scope)
        case _:
            return


def _scope_around(node: ast.AST, scopes: Scopes) -> Scope:
    parents = scopes.module.file.parents
    while node not in scopes.of:
        node = parents[node]
    return scopes.of[node]
