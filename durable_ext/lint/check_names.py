"""Rules on names from outside: clocks, chance, files, networks, processes, databases, settings, threads, loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from durable_ext.lint.forbidden import (
    CLOCK_BY_DEFAULT,
    FILE_METHODS,
    LOOP_GETTERS,
    LOOP_METHODS,
    PATH_CLASSES,
    PATH_EFFECTS,
    PRIMITIVES,
    SEEDED,
    THREAD_PRIMITIVES,
    code_of_call,
    code_of_mention,
)
from durable_ext.lint.looking import Hit, Look, root_name, written
from durable_ext.lint.meaning import Known, Outside
from durable_ext.lint.replaying import is_silent_at_replay
from durable_ext.lint.scopes import Assigned, Scope


def check(look: Look) -> Iterator[Hit]:
    """The rules that a mention or a call of a name breaks."""
    node = look.node
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield from _mentioned(node, look)
    if isinstance(node, ast.Name) and look.is_outer(look.scope.owner(node.id)):
        yield from _kept_outside(node, look)
    if isinstance(node, ast.Call):
        yield from _called(node, look)


def _mentioned(node: ast.Name | ast.Attribute, look: Look) -> Iterator[Hit]:
    found = look.resolver.meaning(node, look.scope)
    if not isinstance(found, Outside):
        return
    code = code_of_mention(found.name)
    if code is not None and not found.is_instance and not _is_local_alias(node, look):
        yield Hit(node, code, shown(found.name))


def _is_local_alias(node: ast.expr, look: Look) -> bool:
    """Whether it is a variable of the unit: what it was given was reported there."""
    owner = look.scope.owner(node.id) if isinstance(node, ast.Name) else None
    if owner is None or look.is_outer(owner) or not isinstance(node, ast.Name):
        return False
    return any(isinstance(binding, Assigned) for binding in owner.names.get(node.id, []))


def _kept_outside(node: ast.Name, look: Look) -> Iterator[Hit]:
    """A variable around the execution that holds a lock, or what differs in every process."""
    owner = look.scope.owner(node.id)
    if owner is None:
        return
    values = [one.value for one in owner.names.get(node.id, []) if isinstance(one, Assigned)]
    for value in filter(None, values):
        found = look.resolver.outside(value, owner)
        if found in PRIMITIVES:
            yield Hit(node, "DX404", node.id)
        elif found in THREAD_PRIMITIVES:
            yield Hit(node, "DX301", node.id)
        elif isinstance(value, ast.Call) and (code := _differs_by_process(value, owner, look)):
            yield Hit(node, code, f"{node.id}, made anew by each process")


def _made(node: ast.Call, made: ast.ClassDef, scope: Scope, look: Look) -> Iterator[Hit]:
    """Fields of a dataclass or model that are made anew with each object, by `default_factory`."""
    for statement in made.body:
        given = statement.value if isinstance(statement, ast.AnnAssign) else None
        for keyword in given.keywords if isinstance(given, ast.Call) else []:
            code = _differs_by_process(keyword.value, scope, look) if keyword.arg == "default_factory" else ""
            if code and isinstance(statement, ast.AnnAssign):
                yield Hit(node, code, f"{made.name}.{written(statement.target)}, by its default_factory")


def _differs_by_process(value: ast.expr, scope: Scope, look: Look) -> str:
    """The rule that the making of a value breaks when another process makes it again."""
    for part in ast.walk(value):
        name = look.resolver.outside(part, scope) if isinstance(part, ast.Name | ast.Attribute) else ""
        called = look.resolver.outside(part.func, scope) if isinstance(part, ast.Call) else ""
        code = code_of_mention(name) or (_code(part, called) if isinstance(part, ast.Call) else None)
        if code in {"DX101", "DX102", "DX103"}:
            return code
    return ""


def _called(node: ast.Call, look: Look) -> Iterator[Hit]:
    found = look.resolver.meaning(node.func, look.scope)
    if isinstance(found, Known) and isinstance(found.definition.node, ast.ClassDef):
        yield from _made(node, found.definition.node, found.definition.scope, look)
    name = found.name if isinstance(found, Outside) else ""
    by_instance = isinstance(found, Outside) and found.is_instance
    code = _code(node, name)
    if code is None:
        code = _code_of_method(node, name)
    elif by_instance and _was_made_here(node, look):
        code = None
    if code is not None and not (code == "DX701" and is_silent_at_replay(look)):
        yield Hit(node, code, shown(name) if name and not by_instance else written(node.func))


def _code(node: ast.Call, name: str) -> str | None:
    """The rule that a call of a full name breaks, by the tables."""
    arguments = len(node.args) + len(node.keywords)
    if name in CLOCK_BY_DEFAULT:
        return "DX101" if arguments < CLOCK_BY_DEFAULT[name] else None
    if any(name == seeded or name.startswith(f"{seeded}.") for seeded in SEEDED):
        return "DX102" if name in SEEDED and _has_no_seed(node) else None
    return code_of_call(name)


def _has_no_seed(node: ast.Call) -> bool:
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return not given or (isinstance(given[0], ast.Constant) and given[0].value is None)


def _code_of_method(node: ast.Call, name: str) -> str | None:
    """The rule that a method breaks, by its own name."""
    method = _method(node)
    if method in FILE_METHODS:
        return "DX201"
    if method == "run_in_executor":
        return "DX301"
    owner = name.rpartition(".")[0]
    if owner in LOOP_GETTERS and method not in LOOP_METHODS:
        return "DX302"
    is_path = any(name.startswith(f"{path}.") for path in PATH_CLASSES)
    return "DX201" if is_path and method in PATH_EFFECTS else None


def _method(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _was_made_here(node: ast.Call, look: Look) -> bool:
    """Whether what the method belongs to was made in this unit, where it was reported already."""
    base = root_name(node.func)
    owner = None if base is None else look.scope.owner(base.id)
    if base is None or owner is None or look.is_outer(owner):
        return isinstance(node.func, ast.Attribute) and _begins_with_a_call(node.func)
    given = owner.names.get(base.id, [])
    return any(isinstance(binding, Assigned) and binding.value is not None for binding in given)


def _begins_with_a_call(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Await):
        node = node.value
    return isinstance(node, ast.Call)


def shown(name: str) -> str:
    """A full name as people write it."""
    return name.removeprefix("builtins.")
