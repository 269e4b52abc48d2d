"""Rules on state that outlives an execution: names and objects of modules, classes and enclosing functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from durable_ext.lint.looking import Hit, Look, dotted, root_name
from durable_ext.lint.meaning import Known, Module, Outside
from durable_ext.lint.scopes import Assigned, Scope

_CONTAINERS = frozenset(
    {
        *("builtins.list", "builtins.dict", "builtins.set", "builtins.bytearray", "collections.deque"),
        *("collections.defaultdict", "collections.Counter", "collections.OrderedDict", "collections.ChainMap"),
        *("weakref.WeakKeyDictionary", "weakref.WeakValueDictionary", "weakref.WeakSet", "array.array"),
    }
)
_MUTATORS = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "setdefault", "popitem"),
        *("add", "discard", "appendleft", "popleft", "extendleft", "rotate", "subtract", "move_to_end"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    }
)
_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def check(look: Look) -> Iterator[Hit]:
    """The rules that a node breaks by what it changes or reads outside the execution."""
    node = look.node
    match node:
        case ast.Global() | ast.Nonlocal():
            for name in node.names:
                if look.is_outer(look.scope.owner(name)) and _is_bound_in(look.unit.node, name):
                    yield Hit(node, "DX401", name)
        case ast.Attribute() | ast.Subscript() if isinstance(node.ctx, ast.Store | ast.Del):
            if is_outer_object(node.value, look) or _is_own_state(node, look):
                yield Hit(node, "DX402", dotted(node.value))
        case ast.Call():
            yield from _changed_by_call(node, look)
        case ast.Name() if isinstance(node.ctx, ast.Load):
            owner = look.scope.owner(node.id)
            if owner is not None and (owner, node.id) in look.facts.changing and not _is_changed_here(node, look):
                yield Hit(node, "DX403", node.id)
        case _:
            return


def is_outer_object(node: ast.expr, look: Look) -> bool:
    """Whether an object belongs to a module, a class, or a function around the execution."""
    while isinstance(node, ast.Subscript | ast.Attribute) and not _is_member(node, look):
        node = node.value
    if isinstance(node, ast.Attribute):
        return True
    if not isinstance(node, ast.Name):
        return False
    found = look.resolver.meaning(node, look.scope)
    owner = look.scope.owner(node.id)
    if isinstance(found, Known | Module):
        return look.is_outer(owner)
    if isinstance(found, Outside) and not found.is_instance:
        return owner is None or look.is_outer(owner)
    return owner is not None and look.is_outer(owner)


def changed_name(look: Look) -> str | None:
    """The name whose object a node changes, of a module or of what is around the unit."""
    node = look.node
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        base = root_name(node)
        return base.id if base is not None and is_outer_object(node.value, look) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
        target = node.func.value
        return target.id if isinstance(target, ast.Name) and outer_container(target, look) is not None else None
    return None


def outer_container(node: ast.expr, look: Look) -> Scope | None:
    """The scope of a name that holds a list, dict, set or the like for longer than the execution."""
    if not isinstance(node, ast.Name):
        return None
    owner = look.scope.owner(node.id)
    if owner is None or not look.is_outer(owner):
        return None
    bindings = owner.names.get(node.id, [])
    return owner if any(isinstance(one, Assigned) and _is_container(one, owner, look) for one in bindings) else None


def _is_member(node: ast.Subscript | ast.Attribute, look: Look) -> bool:
    """Whether it is a variable of another module: `config.STATE`."""
    if not isinstance(node, ast.Attribute):
        return False
    return isinstance(look.resolver.meaning(node.value, look.scope), Module)


def _changed_by_call(node: ast.Call, look: Look) -> Iterator[Hit]:
    if look.outside(node.func) == "builtins.next" and node.args and _is_outer_iterator(node.args[0], look):
        yield Hit(node, "DX402", dotted(node.args[0]))
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _MUTATORS:
        return
    target = node.func.value
    member = isinstance(target, ast.Attribute) and _is_member(target, look) and _is_container_of_module(target, look)
    if member or outer_container(target, look) is not None or _is_shared_default(target, look):
        yield Hit(node, "DX402", dotted(target))


def _is_outer_iterator(node: ast.expr, look: Look) -> bool:
    if not isinstance(node, ast.Name):
        return False
    owner = look.scope.owner(node.id)
    if owner is None or not look.is_outer(owner):
        return False
    return all(isinstance(one, Assigned) and isinstance(one.value, ast.Call) for one in owner.names[node.id])


def _is_container_of_module(node: ast.Attribute, look: Look) -> bool:
    module = look.resolver.meaning(node.value, look.scope)
    if not isinstance(module, Module):
        return False
    bindings = module.scope.names.get(node.attr, [])
    return any(isinstance(one, Assigned) and _is_container(one, module.scope, look) for one in bindings)


def _is_container(binding: Assigned, scope: Scope, look: Look) -> bool:
    value = binding.value
    if isinstance(value, _LITERALS):
        return True
    return isinstance(value, ast.Call) and look.resolver.outside(value.func, scope) in _CONTAINERS


def _is_shared_default(node: ast.expr, look: Look) -> bool:
    """Whether it is a parameter whose default is a list, dict or set: one object for all calls."""
    if not isinstance(node, ast.Name) or look.scope is not look.unit.scope:
        return False
    arguments = look.unit.node.args
    named = [*arguments.posonlyargs, *arguments.args]
    with_default = zip(named[len(named) - len(arguments.defaults) :], arguments.defaults, strict=True)
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return any(item.arg == node.id and isinstance(value, _LITERALS) for item, value in (*with_default, *keywords))


def _is_own_state(node: ast.Attribute | ast.Subscript, look: Look) -> bool:
    """Whether an orchestrator that is a method changes its object, which all its executions share."""
    if not look.unit.is_orchestrator or look.unit.scope.parent is None or not look.unit.scope.parent.is_class:
        return False
    value = node.value
    while isinstance(value, ast.Attribute | ast.Subscript):
        value = value.value
    first = [item.arg for item in (*look.unit.node.args.posonlyargs, *look.unit.node.args.args)][:1]
    return isinstance(value, ast.Name) and [value.id] == first


def _is_bound_in(function: ast.AST, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store | ast.Del)
        for node in ast.walk(function)
    )


def _is_changed_here(node: ast.Name, look: Look) -> bool:
    """Whether the change of it is reported: the name is rebound in the unit, or this very mention changes it."""
    if look.scope.elsewhere.get(node.id) is not None:
        return True
    child: ast.AST = node
    parent = look.parent
    while isinstance(parent, ast.Subscript | ast.Attribute) and parent.value is child:
        if not isinstance(parent.ctx, ast.Load) or (isinstance(parent, ast.Attribute) and parent.attr in _MUTATORS):
            return True
        child, parent = parent, look.unit.file.parents[parent]
    return False
